/** Several attempts at one cycle, by workers that know nothing of each other: one account. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { Discovery, Pollster, Unit } from '../../collectors/polling/pollster.ts';
import { listCoverage, listGaps } from '../../db/coverage.ts';
import { lastOutcomes } from '../../db/poll_cycles.ts';
import { NephoError } from '../../meters/errors.ts';
import { encodePollMessage, joinPollMessage, type PollHead } from '../../meters/poll_message.ts';
import { type ReadPollMessage, readPollMessage } from '../../meters/poll_message_reader.ts';
import { ingestSkipReason, IngestWorld } from '../support/ingest_world.ts';
import { TEST_DEPLOYMENT } from '../support/ingest_setup.ts';
import { pollOnce, type PollOptions, readingOf } from '../support/poll_world.ts';
import { testSigner } from '../support/test_signer.ts';

const SIGNER = testSigner(0, TEST_DEPLOYMENT);
const NOW = Date.UTC(2026, 2, 1);
const CYCLES = ['2026-03-01T00:00:00.000000Z', '2026-03-01T00:01:00.000000Z'] as const;
const ALL = ['a', 'b', 'c', 'd', 'e'];
const failure = (code: string) => new NephoError(code, `It answered ${code}`);

/** What an attempt finds: units, and where it goes wrong. */
interface Finds {
  listed: readonly string[];
  /** The listing fails behind them. */
  breaksOff?: boolean;
  failing?: readonly string[];
  /** Units whose gauge is missing, while their counter is not. */
  partly?: readonly string[];
}

function collectorOf({ listed, breaksOff = false, failing = [], partly = [] }: Finds) {
  const units: Unit[] = listed.map((id) => ({ id, data: null }));
  const discovery: Discovery = {
    name: 'things',
    async *discover() {
      yield await Promise.resolve(units);
      if (breaksOff) throw failure('server_error');
    },
  };
  const pollster: Pollster = {
    name: 'memory.things',
    discovery: 'things',
    meters: [
      { name: 'count', type: 'cumulative', unit: 'thing' },
      { name: 'level', type: 'gauge', unit: 'thing' },
    ],
    poll({ id }, context) {
      if (failing.includes(id)) throw failure('timeout');
      const shared = { resource_id: id, timestamp: context.now() };
      const count = readingOf({ ...shared, meter: 'count', type: 'cumulative', volume: '7' });
      if (!partly.includes(id)) return [count, readingOf({ ...shared, meter: 'level' })];
      context.missing(id, 'level', 'value_invalid', 'It is no number');
      return [count];
    },
  };
  return {
    name: 'memory',
    discoveries: [discovery],
    pollsters: [pollster],
    close: () => Promise.resolve(),
  };
}

describe('attempts at one cycle', { skip: ingestSkipReason() }, () => {
  let world: IngestWorld;
  let source = '';
  let tests = 0;

  before(async () => {
    world = await IngestWorld.start(NOW);
  });
  beforeEach(() => {
    source = `source-${tests += 1}`;
  });
  after(() => world?.stop());

  const head = (cycle: string = CYCLES[0]): PollHead => ({ cloud: 'c', source, group: 0, cycle });

  async function attempt(finds: Finds, options: PollOptions & { cycle?: string } = {}) {
    const { cycle, ...rest } = { lastDiscovered: () => ALL.length, ...options };
    return await pollOnce(
      head(cycle),
      collectorOf(finds),
      (bytes) => world.publishPoll(bytes),
      rest,
    );
  }

  /** One whose worker dies before it has told of its end. */
  async function dying(finds: Finds): Promise<void> {
    await pollOnce(head(), collectorOf(finds), async (bytes) => {
      const message = readPollMessage(new TextDecoder().decode(bytes));
      if (message.end === null) await world.publishPoll(bytes);
    });
  }

  /** As who looks after cycles that nobody has ended. */
  async function missed(units = ALL.length): Promise<void> {
    const meters = [{ name: 'count', type: 'cumulative' }, {
      name: 'level',
      type: 'gauge',
    }] as const;
    const gap = {
      pollster: 'memory.things',
      unit: null,
      units,
      meters,
      partial: false,
      reason: 'worker_away',
      detail: 'Nobody was there',
    } as const;
    await world.publishPoll(joinPollMessage(head(), { units: [], gaps: [gap], end: null }));
  }

  /** `expected = received + missing` of the counter and the gauge, and the reasons. */
  async function account(cycle: string = CYCLES[0]): Promise<string[]> {
    await world.drain({ signers: [SIGNER] });
    const { rows } = await listCoverage(world.pool, { source }, { limit: 100 });
    return rows.filter((row) => row.cycle === cycle).map((row) =>
      `${row.meter}: ${row.expected} = ${row.received} + ${row.missing} ${
        Object.keys(row.reasons).sort().join()
      }`.trim()
    );
  }

  const open = async () =>
    (await listGaps(world.pool, { source, open: true }, { limit: 100 })).rows
      .map(({ unit, units, meters }) => `${unit ?? `×${units}`} ${meters.join('+')}`).sort();

  test('what the first has stored is not missing, although the second could list nothing', async () => {
    await dying({ listed: ['a', 'b', 'c'] });
    await attempt({ listed: [], breaksOff: true });
    assert.deepEqual(await account(), [
      'count: 5 = 3 + 2 server_error',
      'level: 5 = 3 + 2 server_error',
    ]);
  });

  test('what the first could not read counts once, by its name', async () => {
    await dying({ listed: ['a', 'b', 'c'], failing: ['b', 'c'] });
    await missed();
    const both = ['count: 5 = 1 + 4 timeout,worker_away', 'level: 5 = 1 + 4 timeout,worker_away'];
    assert.deepEqual(await account(), both);
    assert.deepEqual(await open(), ['b count+level', 'c count+level', '×2 count+level']);
  });

  test('what a second stores after all is taken off what was missing', async () => {
    await attempt({ listed: [], breaksOff: true });
    assert.deepEqual((await account())[0], 'count: 5 = 0 + 5 server_error');
    await dying({ listed: ['a', 'b'] });
    assert.deepEqual((await account())[0], 'count: 5 = 2 + 3 server_error');
    await dying({ listed: ['c', 'd', 'e'] });
    assert.deepEqual(await account(), ['count: 5 = 5 + 0', 'level: 5 = 5 + 0']);
  });

  test('who could list them all is believed, whoever fails before or after', async () => {
    const fewer = ['a', 'b', 'c'];
    await attempt({ listed: [], breaksOff: true });
    await attempt({ listed: fewer });
    await attempt({ listed: ['a'], breaksOff: true });
    // One that was long on its way.
    await missed();
    assert.deepEqual(await account(), ['count: 3 = 3 + 0', 'level: 3 = 3 + 0']);
    const [outcome] = await lastOutcomes(world.pool, head(), CYCLES[1]);
    assert.deepEqual([outcome?.listed, outcome?.discovered], [true, 3]);
  });

  test('what is gone when the second lists stays as the first has told of it', async () => {
    await dying({ listed: ['a', 'b', 'c'], failing: ['c'] });
    await attempt({ listed: ['a', 'd'] });
    assert.deepEqual(await account(), ['count: 4 = 3 + 1 timeout', 'level: 4 = 3 + 1 timeout']);
  });

  test('a meter is missing where the samples that are stored lack it, and nowhere else', async () => {
    await attempt({ listed: ['a', 'b', 'c'], partly: ['a'], failing: ['c'] });
    await attempt({ listed: ['a', 'b', 'c'], partly: ['b', 'c'] });
    assert.deepEqual(await account(), [
      'count: 3 = 3 + 0',
      'level: 3 = 1 + 2 value_invalid',
    ]);
    assert.deepEqual(await open(), ['a level', 'c level']);
  });

  test('fewer than expected are missing until another has them', async () => {
    const expecting = { source: { expect: [{ meter: 'level', atLeast: 4 }] } };
    await attempt({ listed: ['a', 'b'], failing: ['b'] }, expecting);
    assert.deepEqual(await account(), [
      'count: 2 = 1 + 1 timeout',
      'level: 4 = 1 + 3 below_expectation,timeout',
    ]);
    await attempt({ listed: ['a', 'b', 'c'] }, expecting);
    assert.deepEqual(await account(), ['count: 3 = 3 + 0', 'level: 4 = 3 + 1 below_expectation']);
    await attempt({ listed: ['a', 'b', 'c', 'd'] }, expecting);
    assert.deepEqual(await account(), ['count: 4 = 4 + 0', 'level: 4 = 4 + 0']);
  });

  test('a cycle that nobody polled is carried on by one that reads as many', async () => {
    await missed();
    await attempt({ listed: ALL, failing: ['e'] }, { cycle: CYCLES[1] });
    await world.drain({ signers: [SIGNER] });
    const carriedBy = async () =>
      (await listGaps(world.pool, { source, reason: 'worker_away' }, { limit: 10 })).rows
        .map((gap) => [gap.repairedAt, gap.carriedBy]);
    assert.deepEqual(await carriedBy(), [[null, null]], 'of one the total is not known');
    const later = '2026-03-01T00:02:00.000000Z';
    await attempt({ listed: ALL }, { cycle: later });
    await world.drain({ signers: [SIGNER] });
    assert.deepEqual(await carriedBy(), [[null, later]]);
  });

  test('a unit that the store cannot take is missing, with its meters, until its retry', async () => {
    const messages: ReadPollMessage[] = [];
    await pollOnce(head(), collectorOf({ listed: ['a', 'b'], partly: ['b'] }), (bytes) => {
      messages.push(readPollMessage(new TextDecoder().decode(bytes)));
      return Promise.resolve();
    });
    const tooEarly = '1999-01-01T00:00:00.000000Z';
    for (const message of messages) {
      const units = message.units.map((unit) => ({
        ...unit,
        readings: unit.readings.map((reading) => ({ ...reading, timestamp: tooEarly })),
      }));
      await world.publishPoll(encodePollMessage({ ...message, units }));
    }
    const missing = ['count: 2 = 0 + 2 timestamp_invalid', 'level: 2 = 0 + 2 timestamp_invalid'];
    assert.deepEqual(await account(), missing);
    assert.deepEqual(await open(), ['a count+level', 'b count+level']);
    await attempt({ listed: ['a', 'b'] });
    assert.deepEqual(await account(), ['count: 2 = 2 + 0', 'level: 2 = 2 + 0']);
  });
});
