import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Pollster, Unit } from '../../collectors/polling/pollster.ts';
import { listCoverage, listGaps } from '../../db/coverage.ts';
import { listQuarantine } from '../../db/quarantine.ts';
import { databaseLog } from '../../db/log_tiles.ts';
import { verifyLog } from '../../ledger/verify_log.ts';
import { NephoError } from '../../meters/errors.ts';
import { joinPollMessage, type PollHead } from '../../meters/poll_message.ts';
import { ingestSkipReason, IngestWorld } from '../support/ingest_world.ts';
import { TEST_DEPLOYMENT } from '../support/ingest_setup.ts';
import { memoryCollector, pollOnce, readingOf } from '../support/poll_world.ts';
import { testSigner } from '../support/test_signer.ts';

const SIGNER = testSigner(0, TEST_DEPLOYMENT);
const NOW = Date.UTC(2026, 1, 1);
const HEAD: PollHead = {
  cloud: 'c',
  source: 's',
  group: 0,
  cycle: '2026-02-01T00:00:00.000000Z',
};
const at = (cycle: string): PollHead => ({ ...HEAD, cycle });
const units = (...ids: string[]): Unit[] => ids.map((id) => ({ id, data: null }));

/** Gives a counter and a gauge of each unit, but for those in `broken`. */
function meters(value: number, broken: readonly string[] = []): Omit<Pollster, 'discovery'> {
  return {
    name: 'memory.things',
    meters: [
      { name: 'count', type: 'cumulative', unit: 'thing' },
      { name: 'level', type: 'gauge', unit: 'thing' },
    ],
    async poll(unit, context) {
      await Promise.resolve();
      if (broken.includes(unit.id)) throw new NephoError('timeout', 'No answer in 1 ms');
      const shared = { resource_id: unit.id, timestamp: context.now(), metadata: { of: unit.id } };
      return [
        readingOf({ ...shared, meter: 'count', type: 'cumulative', volume: String(value) }),
        readingOf({ ...shared, meter: 'level', volume: '0.1' }),
      ];
    },
  };
}

describe('polled readings in the log', { skip: ingestSkipReason() }, () => {
  let world: IngestWorld;
  const publish = (message: Uint8Array): Promise<void> => world.publishPoll(message);
  const drain = () => world.drain({ signers: [SIGNER] });
  const coverage = async (source: string) =>
    (await listCoverage(world.pool, { source }, { limit: 100 })).rows.map((row) => [
      row.cycle.slice(11, 16),
      row.meter,
      row.expected,
      row.received,
      row.missing,
      row.reasons,
    ]);

  before(async () => {
    world = await IngestWorld.start(NOW);
  });
  after(() => world.stop());

  test('are there once, however often a cycle is polled, and what is missing is on record', async () => {
    const first = memoryCollector(() => units('a', 'b', 'c'), [meters(5, ['b'])]);
    const receipt = await pollOnce(HEAD, first, publish);
    assert.deepEqual([receipt.samples, receipt.missing, receipt.gaps], [4, 2, { timeout: 2 }]);
    // A second worker that reads other values, and fails elsewhere.
    await pollOnce(
      HEAD,
      memoryCollector(() => units('a', 'b', 'c'), [meters(9, ['a', 'b'])]),
      publish,
    );
    const leg = await drain();
    assert.deepEqual([leg.samples, leg.duplicates, leg.conflicts, leg.quarantined], [4, 1, 0, 0]);
    assert.deepEqual(await coverage('s'), [
      ['00:00', 'count', 3, 2, 1, { timeout: 1 }],
      ['00:00', 'level', 3, 2, 1, { timeout: 1 }],
    ]);
    const { rows } = await world.pool.query<{ volume: string }>(
      "SELECT volume::text AS volume FROM samples JOIN series USING (series_id) WHERE meter = 'count'",
    );
    assert.deepEqual(rows, [{ volume: '5' }, { volume: '5' }]);
  });

  test('close the gap when they come after all', async () => {
    await pollOnce(HEAD, memoryCollector(() => units('b'), [meters(7)]), publish);
    await drain();
    assert.deepEqual(await coverage('s'), [
      ['00:00', 'count', 3, 3, 0, {}],
      ['00:00', 'level', 3, 3, 0, {}],
    ]);
    const gaps = (await listGaps(world.pool, { source: 's' }, { limit: 10 })).rows;
    assert.deepEqual(gaps.map(({ unit, repairedAt }) => [unit, repairedAt !== null]), [[
      'b',
      true,
    ]]);
  });

  test('of a counter carry on what a gap before them left out', async () => {
    const source = 'carried';
    const cycles = ['2026-02-01T00:00:00.000000Z', '2026-02-01T00:01:00.000000Z'];
    const broken = memoryCollector(() => units('a'), [meters(1, ['a'])]);
    const whole = memoryCollector(() => units('a'), [meters(8)]);
    await pollOnce({ ...at(cycles[0] ?? ''), source }, broken, publish);
    await pollOnce({ ...at(cycles[1] ?? ''), source }, whole, publish);
    await drain();
    const [gap] = (await listGaps(world.pool, { source }, { limit: 10 })).rows;
    assert.deepEqual([gap?.repairedAt, gap?.carriedBy], [null, cycles[1]]);
  });

  test('that could not be listed are missing in the number that was there before', async () => {
    const source = 'unlisted';
    const failing = memoryCollector(() => {
      throw new NephoError('server_error', 'It answered 503');
    }, [meters(1)]);
    const options = { lastDiscovered: () => 40 };
    await pollOnce({ ...HEAD, source }, failing, publish, options);
    await drain();
    assert.deepEqual(await coverage(source), [
      ['00:00', 'count', 40, 0, 40, { server_error: 40 }],
      ['00:00', 'level', 40, 0, 40, { server_error: 40 }],
    ]);
    // The activity is tried again, and the endpoint is back.
    await pollOnce(
      { ...HEAD, source },
      memoryCollector(() => units('a', 'b'), [meters(1)]),
      publish,
    );
    await drain();
    assert.deepEqual((await coverage(source)).map((row) => row.slice(1, 5)), [
      ['count', 2, 2, 0],
      ['level', 2, 2, 0],
    ]);
  });

  test('that are no readings wait in quarantine one by one, and their retry closes the gap', async () => {
    const unit = (id: string, volume: string): string =>
      JSON.stringify({
        pollster: 'memory.things',
        unit: id,
        resource_id: id,
        project_id: null,
        user_id: null,
        timestamp: HEAD.cycle,
        metadata: [{}],
        samples: [{ meter: 'level', type: 'gauge', unit: 'thing', volume }],
      });
    const head = { ...HEAD, source: 'bad' };
    const message = joinPollMessage(head, {
      units: [unit('good', '1'), unit('bad', 'many')],
      gaps: [],
      end: null,
    });
    await publish(message);
    const leg = await drain();
    assert.deepEqual([leg.samples, leg.quarantined], [1, 1]);
    const [kept] = (await listQuarantine(world.pool, {}, { limit: 1 })).rows;
    assert.equal(kept?.reason, 'volume_invalid');
    assert.match(
      kept.origin ?? '',
      /^poll:c\/bad@2026-02-01T00:00:00\.000000Z\/memory\.things\/bad$/,
    );
    const [gap] = (await listGaps(world.pool, { source: 'bad' }, { limit: 10 })).rows;
    assert.deepEqual([gap?.unit, gap?.reason], ['bad', 'value_invalid']);
  });

  test('stand in a log that a stranger can verify', async () => {
    const log = await verifyLog(databaseLog(world.pool, 0), { vkeys: [SIGNER.vkey] });
    assert(log.ok, log.ok ? '' : log.message);
  });
});
