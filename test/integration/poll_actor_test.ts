/** Sources as Schedules on a real Temporal, with a real intake and database. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import type { IngestDeps } from '../../activities/ingest_deps.ts';
import { createPollAccountActivities } from '../../activities/poll_account.ts';
import type { PollAccountDeps, PollDeps } from '../../activities/poll_deps.ts';
import { describeSchedule } from '../../api/poll_schedules.ts';
import { applySources, planSources } from '../../api/source_plan.ts';
import type { SourceSpec } from '../../api/source_schema.ts';
import { runPoller } from '../../cli/run_poller.ts';
import { type RunningWorker, runWorker } from '../../cli/run_worker.ts';
import { CollectorRegistry } from '../../collectors/polling/registry.ts';
import { createSourceMemory } from '../../collectors/polling/source_memory.ts';
import { listCoverage, listGaps } from '../../db/coverage.ts';
import { formatMillis } from '../../meters/timestamp.ts';
import { MAX_RECEIPT_BYTES } from '../../temporal.config.ts';
import { FaultTemporal } from '../support/fault_temporal.ts';
import { ingestSkipReason, IngestWorld } from '../support/ingest_world.ts';
import { memoryCollector, readingOf } from '../support/poll_world.ts';
import { temporalSkipReason } from '../support/temporal_server.ts';

const LIMIT_MS = 60_000;
const SPEC: SourceSpec = {
  cloud: 'c',
  name: 'things',
  interval: 10,
  meters: ['*'],
  resources: [],
  discovery: [],
  groups: 2,
  concurrency: 4,
  expect: [],
};

describe('a source in force', { skip: ingestSkipReason() || temporalSkipReason() }, () => {
  let world: IngestWorld;
  let temporal: FaultTemporal;
  let connection: Connection;
  let client: Client;
  let worker: RunningWorker | null = null;
  let poller: RunningWorker | null = null;
  let deps: IngestDeps;
  const polled: string[] = [];
  const ids = Array.from({ length: 20 }, (_, index) => `thing-${index}`);

  before(async () => {
    [world, temporal] = await Promise.all([IngestWorld.start(Date.now()), FaultTemporal.start()]);
    connection = await Connection.connect({ address: temporal.server.address });
    client = new Client({ connection });
  });
  after(async () => {
    await poller?.stop();
    await worker?.stop();
    await connection.close();
    await temporal.stop();
    await world.stop();
  });

  function pollDeps(): PollDeps & PollAccountDeps {
    const collector = memoryCollector(() => ids.map((id) => ({ id, data: null })), [{
      name: 'memory.things',
      meters: [{ name: 'level', type: 'gauge', unit: 'thing' }],
      poll(unit, context) {
        polled.push(`${context.cycle} ${unit.id}`);
        return [readingOf({ meter: 'level', resource_id: unit.id, timestamp: context.now() })];
      },
    }]);
    const memory = createSourceMemory();
    return {
      pool: world.pool,
      publish: (message) => world.publishPoll(message),
      collectors: () =>
        Promise.resolve({ registry: new CollectorRegistry([collector]), requests: () => 0 }),
      memory: () => memory,
      scheduleState: async (id) => {
        const group = Number(id.at(-1));
        return await describeSchedule(client.schedule, { cloud: 'c', source: 'things', group });
      },
      nowMs: Date.now,
      log: { info: () => {}, warn: () => {}, error: () => {} },
    };
  }

  const parts = () => ({
    db: { pool: world.pool, orm: null as never, close: () => Promise.resolve() },
    schedules: client.schedule,
    now: formatMillis(Date.now()),
  });
  const coverage = async () =>
    (await listCoverage(world.pool, { source: 'things' }, { limit: 100 })).rows;

  async function until<T>(ask: () => Promise<T>, holds: (answer: T) => boolean): Promise<T> {
    const deadline = Date.now() + LIMIT_MS;
    for (;;) {
      const answer = await ask();
      if (holds(answer)) return answer;
      assert(Date.now() < deadline, `not in time: ${JSON.stringify(answer)}`);
      await delay(100);
    }
  }

  test('is made once, however often it is applied', async () => {
    const plan = await planSources(parts(), [SPEC]);
    assert.deepEqual(plan.changes.map(({ action, schedules }) => [action, schedules]), [
      ['create', ['poll-c-things-0', 'poll-c-things-1']],
    ]);
    await applySources(parts(), [SPEC]);
    assert.deepEqual(await applySources(parts(), [SPEC]), { changes: [], unchanged: 1 });
  });

  test('polls each thing in one group, once a cycle, and counts it as received', async () => {
    deps = world.deps();
    worker = await runWorker(deps, {
      address: temporal.server.address,
      namespace: 'default',
      shards: 1,
      legSeconds: 1,
      workflowBundle: { codePath: temporal.bundlePath },
    }, { account: pollDeps() });
    poller = await runPoller(pollDeps(), {
      address: temporal.server.address,
      namespace: 'default',
    });
    const whole = await until(
      coverage,
      (rows) => rows.reduce((sum, row) => sum + row.received, 0) >= 2 * ids.length,
    );
    for (const { expected, received, missing } of whole) {
      assert.deepEqual([received, missing], [expected, 0]);
    }
    assert.equal(new Set(polled).size, polled.length, 'nothing was polled twice');
    // The groups have phases of their own, and share the things between them.
    const cycles = [...new Set(polled.map((one) => one.split(' ')[0]))];
    assert(cycles.length >= 2);
    assert.deepEqual(
      new Set(polled.map((one) => one.split(' ')[1])),
      new Set(ids),
    );
  });

  test('leaves a receipt in its history, and no sample', async () => {
    const runs = client.workflow.list({ query: "WorkflowType = 'pollSource'" });
    let looked = 0;
    for await (const { workflowId, runId, status } of runs) {
      if (status.name !== 'COMPLETED') continue;
      const result = JSON.stringify(await client.workflow.getHandle(workflowId, runId).result());
      assert(result.length < MAX_RECEIPT_BYTES);
      assert(!result.includes('thing-'));
      looked += 1;
    }
    assert(looked > 0);
  });

  test('keeps its identity when it is changed, and says what would change', async () => {
    const changed = { ...SPEC, meters: ['level'], groups: 1 };
    const plan = await planSources(parts(), [changed]);
    assert.deepEqual(
      plan.changes.map(({ action, fields }) => [
        action,
        fields.map(({ field }) => field),
      ]),
      [['change', ['groups', 'meters']]],
    );
    await applySources(parts(), [changed]);
    const gone = { cloud: 'c', source: 'things', group: 1 };
    assert.equal(await describeSchedule(client.schedule, gone), null);
    await applySources(parts(), []);
    assert.deepEqual(await planSources(parts(), []), { changes: [], unchanged: 0 });
  });

  test('has a gap for every cycle in which no worker was there', async () => {
    await poller?.stop();
    await worker?.stop();
    [poller, worker] = [null, null];
    const spec = { ...SPEC, name: 'away', interval: 60, groups: 1, meters: ['level'] };
    await applySources(parts(), [spec]);
    const from = formatMillis(Date.now() - 600_000);
    await world.pool.query("UPDATE poll_sources SET checked_until = $1 WHERE name = 'away'", [
      from,
    ]);
    const account = createPollAccountActivities(pollDeps());
    const { missed } = await account.checkCycles();
    assert(missed >= 7 && missed <= 8, `${missed} cycles were missed`);
    assert.equal((await account.checkCycles()).missed, 0);
    await world.drain({ signers: deps.signers });
    const gaps = (await listGaps(world.pool, { source: 'away' }, { limit: 100 })).rows;
    assert.equal(gaps.length, missed);
    assert.deepEqual([...new Set(gaps.map(({ reason }) => reason))], ['worker_away']);
    assert.deepEqual(gaps[0]?.meters, ['level']);
  });
});
