/** From a line of a statement to what it was made of, and from a notification to where it counts. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Registry } from 'prom-client';
import { createContext } from '../../api/context.ts';
import type { ApiDeps } from '../../api/deps.ts';
import { createCaller } from '../../api/root.ts';
import { createDatabase, type Database } from '../../db/client.ts';
import { sampleId } from '../../ledger/identity.ts';
import { addQuantities, formatQuantity, parseQuantity } from '../../meters/quantity.ts';
import { BillingWorld } from '../support/billing_world.ts';
import {
  windowSkipReason,
  WindowWorld,
  WORLD_SOURCE,
  type WorldSample,
} from '../support/window_world.ts';

const START = '2026-10-07T00:00:00.000000Z';
const END = '2026-10-08T00:00:00.000000Z';
const DAY = { projectId: 'alpha', period: '2026-10-07', start: START, end: END };
const NAME = { project_id: 'alpha', period: DAY.period };

type Caller = ReturnType<typeof createCaller>;

const at = (time: string): string => `2026-10-07T${time}:00.000000Z`;

function requests(origin: string, time: string, of: Partial<WorldSample> = {}): WorldSample {
  return {
    origin,
    meter: 'requests',
    type: 'delta',
    resource: 'lb-1',
    project: 'alpha',
    at: at(time),
    volume: '3',
    eventType: 'poll.requests',
    ...of,
  };
}

describe('explanations', { skip: windowSkipReason() }, () => {
  let world: BillingWorld;
  let db: Database;
  let operator: Caller;

  before(async () => {
    const windows = await WindowWorld.start(Date.parse('2026-10-10T00:00:00Z'), {
      from: '2026-09-01T00:00:00.000000Z',
      to: '2026-12-01T00:00:00.000000Z',
    });
    world = new BillingWorld(windows);
    await windows.append([
      requests('r-1', '01:10'),
      requests('r-2', '01:20'),
      requests('r-3', '09:59'),
      requests('r-4', '11:00', { resource: 'lb-2', volume: '40' }),
      requests('b-1', '11:00', { project: 'beta' }),
      requests('n-1', '11:00', { project: null, resource: 'nobody' }),
      // A gauge whose value reaches into the next hour, told by a notification.
      requests('g-1', '05:50', {
        meter: 'memory',
        type: 'gauge',
        volume: '2',
        eventType: 'compute.instance.update',
      }),
    ]);
    await world.seal('2026-10-08T02:00:00.000000Z');
    await world.open(DAY);
    db = createDatabase(windows.url);
    operator = callerOf(null);
  });

  after(async () => {
    await db.close();
    await world.windows.stop();
  });

  function callerOf(projectId: string | null): Caller {
    const deps = {
      db,
      usageRules: world.windows.rules,
      registry: new Registry(),
      now: Date.now,
      archives: null,
    } as Partial<ApiDeps> as ApiDeps;
    const principal = projectId === null
      ? { role: 'operator', keyId: 'key-1' } as const
      : { role: 'project', keyId: 'key-2', projectId } as const;
    return createCaller(createContext(deps, { principal, requestId: 'test' }));
  }

  const idOf = ({ origin, meter, resource }: WorldSample): string =>
    sampleId({ source: WORLD_SOURCE, origin, meter, resource_id: resource, index: 0 });

  async function usageOf(sample: WorldSample, caller = operator) {
    return (await caller.samples.explain({ id: idOf(sample) })).usage;
  }

  async function closeNext(number: number): Promise<void> {
    await world.close(await world.order({ ...NAME, number }));
  }

  test('samples.explain says in which window a sample counts, and why in no statement yet', async () => {
    const known = await usageOf(requests('r-1', '01:10'));
    assert.equal(known.reason, 'no_statement');
    assert.deepEqual([known.start, known.end], [at('01:00'), at('02:00')]);
    assert.deepEqual(known.revisions.map(({ revision, counts }) => [revision, counts]), [[
      0,
      true,
    ]]);
    const nobodys = requests('n-1', '11:00', { project: null, resource: 'nobody' });
    assert.equal((await usageOf(nobodys)).reason, 'no_project');
    const open = requests('r-9', '01:10', { at: '2026-10-09T01:00:00.000000Z' });
    await world.windows.append([open]);
    const fresh = await usageOf(open);
    assert.deepEqual([fresh.reason, fresh.revisions], ['hour_open', []]);
  });

  test('a late sample waits for a revision, then for an amendment, then stands in its line', async () => {
    await closeNext(0);
    const early = await usageOf(requests('r-1', '01:10'));
    assert.equal(early.reason, null);
    assert.deepEqual(early.statement_lines.map(({ number }) => number), [0]);
    const late = requests('r-5', '01:40', { volume: '7' });
    await world.windows.append([late]);
    const waiting = await usageOf(late);
    assert.equal(waiting.reason, 'awaiting_revision');
    assert.deepEqual(waiting.revisions.map(({ counts }) => counts), [false]);
    await world.windows.revise();
    const revised = await usageOf(late);
    assert.equal(revised.reason, 'awaiting_amendment');
    assert.deepEqual(revised.revisions.map(({ counts }) => counts), [false, true]);
    await closeNext(1);
    const billed = await usageOf(late);
    assert.equal(billed.reason, null);
    assert.deepEqual(billed.statement_lines.map(({ number }) => number), [1]);
    const told = await operator.notifications.explain({ message_id: 'r-5' });
    assert.deepEqual(told.understood[0]?.samples.map(({ usage }) => usage), [billed]);
    const before = await usageOf(requests('r-1', '01:10'));
    assert.deepEqual(before.statement_lines.map(({ number }) => number), [0, 1]);
  });

  test('statements.explainLine leads over windows to samples and what they came from', async () => {
    for (const number of [0, 1]) {
      const { statement } = await operator.statements.get({ ...NAME, number });
      for (
        const [line, { quantity, windows: summed, samples, type }] of statement.lines.entries()
      ) {
        const windows = [];
        let cursor: string | null = null;
        do {
          const page: Awaited<ReturnType<Caller['statements']['explainLine']>> = await operator
            .statements.explainLine({
              ...NAME,
              number,
              line,
              limit: 1,
              ...cursor === null ? {} : { cursor },
            });
          windows.push(...page.windows);
          cursor = page.next_cursor;
        } while (cursor !== null);
        assert.equal(windows.length, summed.count);
        const sum = windows.reduce(
          (total, one) => addQuantities(total, parseQuantity(one.quantity)),
          parseQuantity('0'),
        );
        if (type !== 'gauge') assert.equal(formatQuantity(sum), quantity);
        let found = 0;
        for (const { series, start, revision, entry, samples: count } of windows) {
          const explained = await operator.windows.explain({ series, start, revision });
          assert.deepEqual(
            [explained.window.entry.log_id, explained.window.entry.leaf_index],
            [entry?.log_id, entry?.leaf_index],
          );
          assert.equal(explained.samples.length, count);
          found += count;
          for (const { id, origin } of explained.samples) {
            const { usage } = await operator.samples.explain({ id });
            assert.ok(
              usage.statement_lines.some((one) => one.number === number && one.line === line),
            );
            const { understood } = await operator.notifications.explain({ message_id: origin.id });
            assert.equal(understood[0]?.event_type, origin.event_type);
            assert.equal(origin.kind, type === 'gauge' ? 'notification' : 'poll');
          }
        }
        assert.equal(found, samples);
      }
    }
  });

  test('windows.explain names the sample that a window without any goes on from', async () => {
    const { windows } = await operator.windows.list({ meter: 'memory' });
    const held = windows.find(({ count }) => count === 0);
    assert.ok(held !== undefined);
    const { carried, samples, archived } = await operator.windows.explain(nameOf(held));
    assert.deepEqual([samples, archived], [[], false]);
    assert.deepEqual(carried.map(({ origin }) => origin.id), ['g-1']);
  });

  test('what is another project’s is explained as what is not there', async () => {
    const beta = callerOf('beta');
    const { windows } = await operator.windows.list({ project_id: 'alpha', meter: 'requests' });
    const [foreign] = windows;
    assert.ok(foreign !== undefined);
    const refused: [string, () => Promise<unknown>][] = [
      ['sample', () => beta.samples.explain({ id: idOf(requests('r-1', '01:10')) })],
      ['window', () => beta.windows.explain(nameOf(foreign))],
      ['line', () => beta.statements.explainLine({ ...NAME, number: 0, line: 0 })],
      ['statement', () => beta.proofs.statement({ ...NAME, number: 0 })],
      ['notification', () => beta.notifications.explain({ message_id: 'r-1' })],
    ];
    for (const [what, call] of refused) {
      await assert.rejects(call(), /^TRPCError: Cannot find/, what);
    }
    const own = await usageOf(requests('b-1', '11:00', { project: 'beta' }), beta);
    assert.deepEqual([own.reason, own.statement_lines], ['no_statement', []]);
  });
});

function nameOf({ series, start }: { series: string; start: string }) {
  return { series, start };
}
