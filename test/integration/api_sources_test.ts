/** Sources and coverage over HTTP, with the Schedules on a real Temporal. No worker runs them here. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import type { SourceSpec } from '../../api/source_schema.ts';
import { IntakePublisher } from '../../bus/publisher.ts';
import type { NephoInputs } from '../../client/client.ts';
import { phaseSeconds } from '../../meters/poll_schedule.ts';
import { encodePollMessage, type PollHead, pollKey } from '../../meters/poll_message.ts';
import { formatMillis } from '../../meters/timestamp.ts';
import { DATABASES } from '../support/api_databases.ts';
import { type ApiSystem, startApiSystem } from '../support/api_system.ts';
import { type NatsServer, natsSkipReason, startNats } from '../support/nats_server.ts';
import { readingOf } from '../support/poll_world.ts';
import {
  startTemporal,
  type TemporalServer,
  temporalSkipReason,
} from '../support/temporal_server.ts';

const SPEC: SourceSpec = {
  cloud: 'c',
  name: 'things',
  interval: 60,
  meters: ['level', 'count'],
  resources: [],
  discovery: [{ name: 'things', parameter: 'all' }],
  groups: 2,
  concurrency: 4,
  expect: [{ meter: 'level', at_least: 3 }],
};
const NAME = { cloud: 'c', source: 'things' };
const START_MS = Math.trunc(Date.now() / 60_000) * 60_000 - 600_000;
const cycleAt = (minute: number): string => formatMillis(START_MS + minute * 60_000);

/** The code of the error that a call must end with. */
async function refusal(call: Promise<unknown>): Promise<string> {
  const error: unknown = await call.then(
    () => assert.fail('it was not refused'),
    (e: unknown) => e,
  );
  const { data } = error as { data?: { error_code?: string } };
  return data?.error_code ?? String(error);
}

describe('sources and coverage', {
  skip: DATABASES[0]?.skip || natsSkipReason() || temporalSkipReason(),
}, () => {
  let temporal: TemporalServer;
  let nats: NatsServer;
  let server: { url: string; stop(): Promise<void> };
  let system: ApiSystem;
  let connection: Connection;
  let client: Client;
  let publisher: IntakePublisher;

  before(async () => {
    [temporal, nats, server] = await Promise.all([
      startTemporal(),
      startNats(),
      (DATABASES[0] as (typeof DATABASES)[number]).start(),
    ]);
    connection = await Connection.connect({ address: temporal.address });
    client = new Client({ connection });
    system = await startApiSystem({
      databaseUrl: server.url,
      natsUrl: nats.url,
      workflows: client.workflow,
      schedules: client.schedule,
    });
    publisher = new IntakePublisher(system.nats, { shards: 2 });
  });
  after(async () => {
    await system.stop();
    await connection.close();
    await temporal.stop();
    await server.stop();
    await nats.stop();
  });

  const sources = () => system.operator.sources;
  const described = (group: number) =>
    client.schedule.getHandle(`poll-c-things-${group}`).describe();

  test('a plan says what would be made, and makes nothing', async () => {
    const plan = await sources().plan.query({ sources: [SPEC] });
    assert.deepEqual(plan, {
      changes: [{
        action: 'create',
        ...NAME,
        schedules: ['poll-c-things-0', 'poll-c-things-1'],
        fields: [],
      }],
      unchanged: 0,
    });
    assert.deepEqual(await sources().list.query(), { sources: [] });
    assert.equal(await refusal(sources().describe.query(NAME)), 'not_found');
  });

  test('a Schedule is as it is written down: phase, overlap, catch-up and run timeout', async () => {
    await sources().applyPlan.mutate({ sources: [SPEC] });
    for (const group of [0, 1]) {
      const { spec, policies, action } = await described(group);
      assert.deepEqual(
        spec.intervals?.map(({ every, offset }) => [every, offset]),
        [[60_000, phaseSeconds({ ...NAME, group }, 60) * 1_000]],
      );
      assert.deepEqual([policies.overlap, policies.catchupWindow], ['BUFFER_ONE', 60_000]);
      assert.equal(action.type, 'startWorkflow');
      assert.deepEqual(
        [action.workflowType, action.taskQueue, action.workflowRunTimeout],
        ['pollSource', 'nepho-control', 57_000],
      );
      assert.deepEqual(action.args, [{ ...NAME, group, interval_seconds: 60 }]);
    }
    assert.deepEqual(await sources().applyPlan.mutate({ sources: [SPEC] }), {
      changes: [],
      unchanged: 1,
    });
  });

  test('list and describe show the source, its Schedules and no more', async () => {
    const answer = await sources().describe.query(NAME);
    assert.deepEqual((await sources().list.query()).sources, [answer]);
    const { spec, groups, digest, applied_at: applied, ...rest } = answer;
    assert.deepEqual(rest, { ...NAME, interval_seconds: 60 });
    assert.deepEqual(spec, SPEC);
    assert.match(digest, /^[0-9a-f]{64}$/);
    assert.ok(applied <= formatMillis(Date.now()));
    assert.deepEqual(groups.map((one) => [one.schedule_id, one.paused, one.skipped_overlap]), [
      ['poll-c-things-0', false, 0],
      ['poll-c-things-1', false, 0],
    ]);
    for (const { next_run: next, phase_seconds: phase } of groups) {
      assert.equal((Date.parse(next ?? '') / 1_000 - phase) % 60, 0);
    }
  });

  test('a pause has its reason and its author, outlives a change, and ends', async () => {
    const both = { schedules: ['poll-c-things-0', 'poll-c-things-1'] };
    assert.deepEqual(await sources().pause.mutate({ ...NAME, reason: 'the cloud moves' }), both);
    const changed = { ...SPEC, meters: ['level'] };
    const { changes } = await sources().applyPlan.mutate({ sources: [changed] });
    assert.deepEqual(changes.map(({ action, fields }) => [action, fields]), [
      ['change', [{ field: 'meters', before: ['level', 'count'], after: ['level'] }]],
    ]);
    const [group] = (await sources().describe.query(NAME)).groups;
    assert.equal(group?.paused, true);
    assert.match(group.note ?? '', /^the cloud moves \(by key-[0-9a-f-]+\)$/);
    assert.deepEqual(await sources().resume.mutate(NAME), both);
    assert.equal((await sources().describe.query(NAME)).groups[0]?.paused, false);
  });

  test('what was taken away behind our back is seen and made again', async () => {
    await client.schedule.getHandle('poll-c-things-1').delete();
    const { groups } = await sources().describe.query(NAME);
    assert.deepEqual(groups.map(({ paused }) => paused), [false, null]);
    const wanted = { sources: [{ ...SPEC, meters: ['level'] }] };
    const plan = await sources().plan.query(wanted);
    assert.deepEqual(plan.changes[0]?.fields, [
      { field: 'poll-c-things-1', before: 'missing', after: 'every 60 s' },
    ]);
    await sources().applyPlan.mutate(wanted);
    assert.deepEqual(await sources().plan.query(wanted), { changes: [], unchanged: 1 });
  });

  test('a trigger begins a run of each group, a backfill one actor a group however often', async () => {
    await sources().trigger.mutate(NAME);
    const types = async (type: string) => {
      const ids: string[] = [];
      for await (
        const { workflowId } of client.workflow.list({ query: `WorkflowType = '${type}'` })
      ) {
        ids.push(workflowId);
      }
      return ids.sort();
    };
    await until(async () => (await types('pollSource')).length >= 2);
    const span = { ...NAME, from: cycleAt(0), to: cycleAt(5) };
    const begun = await sources().backfill.mutate(span);
    assert.deepEqual(
      begun.workflows,
      [0, 1].map((group) => `backfill-c-things-${group}-${span.from}-${span.to}`),
    );
    assert.deepEqual(await sources().backfill.mutate(span), begun);
    await until(async () => (await types('backfillSource')).length === 2);
  });

  test('fewer groups and another interval change the Schedules, and none is left over', async () => {
    const changed = { ...SPEC, meters: ['level'], groups: 1, interval: 120 };
    const { changes } = await sources().applyPlan.mutate({ sources: [changed] });
    assert.deepEqual(changes[0]?.fields.map(({ field }) => field), ['groups', 'interval']);
    assert.equal((await described(0)).spec.intervals?.[0]?.every, 120_000);
    await assert.rejects(described(1));
    const other = { ...SPEC, cloud: 'd' };
    const swapped = await sources().applyPlan.mutate({ sources: [other] });
    assert.deepEqual(swapped.changes.map(({ action, cloud }) => [action, cloud]), [
      ['create', 'd'],
      ['delete', 'c'],
    ]);
    await assert.rejects(described(0));
    await sources().applyPlan.mutate({ sources: [] });
    assert.deepEqual(await sources().list.query(), { sources: [] });
  });

  test('what cannot be is refused by its code', async () => {
    const cases: [Promise<unknown>, string][] = [
      [sources().pause.mutate(NAME), 'not_found'],
      [sources().backfill.mutate({ ...NAME, from: cycleAt(1), to: cycleAt(1) }), 'range_invalid'],
      [sources().backfill.mutate({ ...NAME, from: cycleAt(0), to: cycleAt(1) }), 'not_found'],
      [sources().plan.query({ sources: [{ ...SPEC, interval: 9 }] }), 'input_invalid'],
      [sources().plan.query({ sources: [{ ...SPEC, groups: 101 }] }), 'input_invalid'],
      [
        sources().plan.query({
          sources: [
            { ...SPEC, password: 'x' } as NephoInputs['sources']['plan']['sources'][number],
          ],
        }),
        'input_invalid',
      ],
      [system.operator.coverage.list.query({ from: cycleAt(1), to: cycleAt(0) }), 'range_invalid'],
      [
        system.operator.coverage.gaps.query({ reason: 'mood' as 'timeout' }),
        'input_invalid',
      ],
    ];
    const got = await Promise.all(cases.map(([call]) => refusal(call)));
    assert.deepEqual(got, cases.map(([, code]) => code));
  });

  describe('of what was polled', () => {
    const head = (minute: number, source = 'things', group = 0): PollHead => ({
      cloud: 'c',
      source,
      group,
      cycle: cycleAt(minute),
    });

    before(async () => {
      const unit = (id: string, at: PollHead) => ({
        pollster: 'memory.things',
        unit: id,
        readings: [
          readingOf({ meter: 'level', resource_id: id, timestamp: at.cycle }),
          readingOf({ meter: 'count', type: 'cumulative', resource_id: id, timestamp: at.cycle }),
        ],
      });
      const gap = (id: string, reason: 'timeout' | 'forbidden') => ({
        pollster: 'memory.things',
        unit: id,
        units: 1,
        meters: [
          { name: 'level', type: 'gauge' as const },
          { name: 'count', type: 'cumulative' as const },
        ],
        partial: false,
        reason,
        detail: `${id} did not answer`,
      });
      const send = async (at: PollHead, units: string[], gaps: ReturnType<typeof gap>[]) => {
        const bytes = encodePollMessage({
          head: at,
          units: units.map((id) => unit(id, at)),
          gaps,
          end: null,
        });
        await publisher.publish({ bytes, key: pollKey(at), via: 'poll' });
      };
      await send(head(0), ['a', 'b'], [gap('x', 'timeout')]);
      await send(head(0, 'things', 1), ['c'], [gap('y', 'forbidden')]);
      await send(head(1), ['a', 'x'], []);
      await send(head(0, 'others'), ['z'], []);
      await system.ingest();
      // After all.
      await send(head(0), ['y'], []);
      await system.ingest();
    });

    test('coverage adds the groups up by cycle and meter, the newest first', async () => {
      const { rows, next_cursor: next } = await system.operator.coverage.list.query({
        source: 'things',
      });
      assert.equal(next, null);
      assert.deepEqual(
        rows.map((
          { cycle, meter, expected, received, missing, carried, repaired, reasons },
        ) => [cycle, meter, expected, received, missing, carried, repaired, reasons]),
        [
          [cycleAt(1), 'count', 2, 2, 0, 0, 0, {}],
          [cycleAt(1), 'level', 2, 2, 0, 0, 0, {}],
          [cycleAt(0), 'count', 5, 4, 1, 1, 1, { timeout: 1 }],
          [cycleAt(0), 'level', 5, 4, 1, 1, 1, { timeout: 1 }],
        ],
      );
    });

    test('coverage and gaps are filtered and read page by page', async () => {
      const { coverage } = system.operator;
      const { rows: whole } = await coverage.list.query({});
      const paged: typeof whole = [];
      let cursor: string | undefined;
      do {
        const page = await coverage.list.query({
          limit: 1,
          ...cursor === undefined ? {} : { cursor },
        });
        paged.push(...page.rows);
        cursor = page.next_cursor ?? undefined;
      } while (cursor !== undefined);
      assert.equal(whole.length, 6);
      assert.deepEqual(paged, whole);
      const some = await coverage.list.query({
        source: 'things',
        meter: 'level',
        from: cycleAt(0),
        to: cycleAt(1),
      });
      assert.deepEqual(some.rows.map(({ cycle, meter }) => [cycle, meter]), [[
        cycleAt(0),
        'level',
      ]]);
      const first = await coverage.gaps.query({ limit: 1 });
      assert.equal(
        await refusal(
          coverage.gaps.query({ limit: 1, open: true, cursor: first.next_cursor ?? '' }),
        ),
        'cursor_of_another_query',
      );
    });

    test('each gap says of what, why, and whether it was closed or carried on', async () => {
      const { coverage } = system.operator;
      const { gaps } = await coverage.gaps.query({ source: 'things' });
      assert.deepEqual(
        gaps.map((gap) => [gap.unit, gap.reason, gap.repaired_at !== null, gap.carried_by])
          .toSorted((one, other) => String(one[0]).localeCompare(String(other[0]))),
        [['x', 'timeout', false, cycleAt(1)], ['y', 'forbidden', true, null]],
      );
      const open = await coverage.gaps.query({ open: true });
      assert.deepEqual(open.gaps.map(({ unit, meters, detail }) => [unit, meters, detail]), [
        ['x', ['level', 'count'], 'x did not answer'],
      ]);
      const forbidden = await coverage.gaps.query({ reason: 'forbidden', meter: 'count' });
      assert.deepEqual(forbidden.gaps.map(({ unit }) => unit), ['y']);
    });
  });

  test('without Temporal the Schedules are told to be away, and the coverage is there', async () => {
    const alone = await startApiSystem({ databaseUrl: server.url, natsUrl: nats.url });
    try {
      const { sources: away, coverage } = alone.operator;
      assert.equal(await refusal(away.plan.query({ sources: [SPEC] })), 'actors_unavailable');
      assert.equal((await coverage.list.query({ source: 'others' })).rows.length, 2);
    } finally {
      await alone.stop();
    }
  });
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!await holds()) {
    assert.ok(Date.now() < deadline, 'not in time');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
