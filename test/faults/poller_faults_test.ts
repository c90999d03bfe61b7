/** Pollers that are lost, with a real Temporal: another takes over, or the record says that nobody did. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import type { IngestDeps } from '../../activities/ingest_deps.ts';
import { createPollAccountActivities } from '../../activities/poll_account.ts';
import type { PollAccountDeps } from '../../activities/poll_deps.ts';
import { describeSchedule } from '../../api/poll_schedules.ts';
import { applySources } from '../../api/source_plan.ts';
import type { SourceSpec } from '../../api/source_schema.ts';
import { type RunningWorker, runWorker } from '../../cli/run_worker.ts';
import { type GapRow, listGaps } from '../../db/coverage.ts';
import type { PollsterOutcome } from '../../meters/poll_message.ts';
import { cyclesOf } from '../../meters/poll_schedule.ts';
import { formatMillis } from '../../meters/timestamp.ts';
import { FaultTemporal } from '../support/fault_temporal.ts';
import { ingestSkipReason, IngestWorld } from '../support/ingest_world.ts';
import { PollModel } from '../support/poll_model.ts';
import { PollerProcess } from '../support/poller_process.ts';
import { temporalSkipReason } from '../support/temporal_server.ts';

const NAME = { cloud: 'c', source: 'instances', group: 0 };
const INTERVAL = 10;
const INSTANCES = 16;
const CONCURRENCY = 2;
/** Two at a time: a cycle takes a good second, of the eight that it may. */
const COUNTER_MS = 120;
const LIMIT_MS = 90_000;
const OFFERED = {
  'nova.servers': ['instance'],
  'nova.diagnostics': ['cpu'],
  'neutron.port': ['port'],
};
const SPEC: SourceSpec = {
  cloud: NAME.cloud,
  name: NAME.source,
  interval: INTERVAL,
  meters: ['instance', 'cpu', 'port'],
  resources: [],
  discovery: [],
  groups: 1,
  concurrency: CONCURRENCY,
  expect: [],
};

interface CycleRow {
  cycle: string;
  /** True if somebody has polled it to its end. */
  polled: boolean;
  pollsters: PollsterOutcome[];
}

describe('a cycle', { skip: ingestSkipReason() || temporalSkipReason() }, () => {
  let world: IngestWorld;
  let temporal: FaultTemporal;
  let connection: Connection;
  let client: Client;
  let worker: RunningWorker | null = null;
  let deps: IngestDeps;
  const pollers: PollerProcess[] = [];

  before(async () => {
    [world, temporal] = await Promise.all([IngestWorld.start(Date.now()), FaultTemporal.start()]);
    connection = await Connection.connect({ address: temporal.server.address });
    client = new Client({ connection });
    deps = world.deps();
    await Promise.all([startWorker(), startPoller(), startPoller()]);
    await applySources({
      db: { pool: world.pool, orm: null as never, close: () => Promise.resolve() },
      schedules: client.schedule,
      now: formatMillis(Date.now()),
    }, [SPEC]);
    await until('a whole cycle', async () => (await polled()).length > 0);
  });
  after(async () => {
    for (const poller of pollers) await poller.end('SIGKILL');
    await worker?.stop();
    await connection?.close();
    await temporal?.stop();
    await world?.stop();
  });

  async function startWorker(): Promise<void> {
    worker = await runWorker(deps, {
      address: temporal.server.address,
      namespace: 'default',
      shards: 1,
      legSeconds: 1,
      workflowBundle: { codePath: temporal.bundlePath },
    }, { account: account() });
  }

  async function startPoller(): Promise<void> {
    pollers.push(
      await PollerProcess.start({
        cloud: NAME.cloud,
        instances: INSTANCES,
        counterMs: COUNTER_MS,
        databaseUrl: world.databaseUrl,
        natsUrl: world.natsUrl,
        temporalAddress: temporal.server.address,
      }),
    );
  }

  function account(nowMs: () => number = Date.now): PollAccountDeps {
    return {
      pool: world.pool,
      publish: (message) => world.publishPoll(message),
      scheduleState: () => describeSchedule(client.schedule, NAME),
      nowMs,
    };
  }

  /** The cycles that are on record, oldest first. */
  async function known(): Promise<CycleRow[]> {
    const { rows } = await world.pool.query<CycleRow>(
      `SELECT cycle, ended_at IS NOT NULL AND started_at IS NOT NULL AS polled, pollsters
       FROM poll_cycles ORDER BY cycle`,
    );
    return rows;
  }

  /** Nominal times of those that somebody has polled to their end. */
  async function polled(): Promise<string[]> {
    return (await known()).flatMap((one) => one.polled ? [one.cycle] : []);
  }

  async function gapsOf(cycle: string): Promise<GapRow[]> {
    const { rows } = await listGaps(world.pool, { source: NAME.source }, { limit: 1_000 });
    return rows.filter((gap) => gap.cycle === cycle);
  }

  /** Waits until a poller is in the middle of a cycle. @returns it, and the others */
  async function busyPoller(): Promise<{ busy: PollerProcess; others: PollerProcess[] }> {
    const busy = await Promise.race(
      pollers.map(async (poller) => {
        await poller.hasAsked(INSTANCES / 2);
        return poller;
      }),
    );
    const others = pollers.filter((poller) => poller !== busy);
    pollers.splice(0, pollers.length, ...others);
    return { busy, others };
  }

  /** Waits for the next cycle that is polled to its end. */
  async function nextPolled(before: readonly string[]): Promise<string> {
    const isNew = (cycle: string): boolean => !before.includes(cycle);
    const now = await until('a cycle more', polled, (cycles) => cycles.some(isNew));
    return now.find(isNew) ?? '';
  }

  async function until<T>(
    what: string,
    ask: () => Promise<T>,
    holds: (answer: T) => boolean = Boolean,
  ): Promise<T> {
    const deadline = Date.now() + LIMIT_MS;
    for (;;) {
      const answer = await ask();
      if (holds(answer)) return answer;
      assert(Date.now() < deadline, `not in time: ${what}`);
      await delay(100);
    }
  }

  /** What there was to read in the cycles on record, against all that is stored. */
  async function findFaults(): Promise<string[]> {
    const { cloud, source } = NAME;
    const model = new PollModel({ cloud, source, offered: OFFERED });
    const api = pollers[0]?.api;
    assert(api !== undefined);
    const servers = new Set(api.ids);
    const present = new Map([
      ['nova.servers', servers],
      ['nova.diagnostics', servers],
      ['neutron.port', new Set(api.ids.map((_, number) => api.portId(number)))],
    ]);
    for (const { cycle, pollsters } of await known()) {
      model.begin(0, cycle);
      const times = { started_at: cycle, ended_at: cycle };
      const end = { ...times, pollsters, requests: 0, remark_counts: {}, remarks: [] };
      model.attempt(present)({ head: { ...NAME, cycle }, units: [], gaps: [], faulty: [], end });
    }
    return await model.findFaults(world.pool);
  }

  test('whose poller is killed in its middle is polled by another, in its time', async () => {
    const before = await polled();
    const { busy, others } = await busyPoller();
    const asked = others[0]?.asked ?? 0;
    await busy.end('SIGKILL');
    const cycle = await nextPolled(before);
    assert.ok((others[0]?.asked ?? 0) > asked, 'the other one has polled');
    assert.deepEqual(await findFaults(), []);
    const reasons = (await gapsOf(cycle)).map(({ reason }) => reason);
    assert.ok(!reasons.includes('worker_away'), 'it was noticed in time');
    await startPoller();
  });

  test('whose poller is stopped in its middle is read to the last by another', async () => {
    const before = await polled();
    const { busy, others } = await busyPoller();
    const asked = others[0]?.asked ?? 0;
    await busy.end('SIGTERM');
    const cycle = await nextPolled(before);
    assert.ok((others[0]?.asked ?? 0) > asked, 'the other one has polled');
    assert.deepEqual(await gapsOf(cycle), []);
    assert.deepEqual(await findFaults(), []);
  });

  // It differs by nothing that the runtime does.
  const skip = 'Deno' in globalThis;
  test('that nobody polls is missing, and carried on by the next for what counts up', {
    skip,
  }, async () => {
    const before = await polled();
    for (const poller of pollers.splice(0)) await poller.end('SIGKILL');
    await worker?.stop();
    worker = null;
    const since = Date.now();
    const dueSince = (): string[] =>
      cyclesOf(NAME, INTERVAL, { from: formatMillis(since), to: formatMillis(Date.now()) });
    // The run of the first one is over when the second is due.
    await until('two cycles', () => Promise.resolve(dueSince().length >= 2));
    const [missed = ''] = dueSince();
    const graceMs = INTERVAL * 1_000 + 60_000;
    const checked = createPollAccountActivities(account(() => Date.parse(missed) + 1 + graceMs));
    await checked.checkCycles();
    await Promise.all([startWorker(), startPoller()]);
    const cycle = await nextPolled(before);
    const gaps = await gapsOf(missed);
    assert.deepEqual(
      gaps.map(({ pollster, unit, units, reason, repairedAt }) =>
        [pollster, unit, units, reason, repairedAt].join(' ')
      ).sort(),
      Object.keys(OFFERED).map((name) => `${name}  ${INSTANCES} worker_away `).sort(),
    );
    const counters = gaps.find(({ pollster }) => pollster === 'nova.diagnostics');
    assert.ok(cycle > missed);
    assert.equal(counters?.carriedBy, cycle);
    assert.equal(gaps.find(({ pollster }) => pollster === 'nova.servers')?.carriedBy, null);
    assert.deepEqual(await findFaults(), []);
  });
});
