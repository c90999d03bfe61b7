/**
 * An hour of polling, by seed: whatever befalls the cloud, its answers and the workers, at the end samples
 * and recorded gaps are what there was to read, exactly, and nothing is there twice.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { PoolClient } from 'pg';
import { makeTemplate } from '../support/fault_world.ts';
import { natsSkipReason } from '../support/nats_server.ts';
import { type PollHour, withHour } from '../support/poll_hour.ts';
import { type PostgresServer, postgresSkipReason, startPostgres } from '../support/postgres.ts';

/** The last one is split between two groups. */
const SEEDS = 'Deno' in globalThis ? [6] : [1, 2, 3, 6];
const CYCLES = 60;
const SPLIT = 6;

describe('an hour of polling a faulty cloud', {
  skip: postgresSkipReason() || natsSkipReason(),
  // They wait for time to pass most of the time.
  concurrency: SEEDS.length,
}, () => {
  let postgres: PostgresServer;
  let template: string;

  before(async () => {
    postgres = await startPostgres({ fsync: false });
    template = await makeTemplate(postgres);
  });
  after(() => postgres?.stop());

  for (const seed of SEEDS) {
    const name = `leaves a sample or a gap for all there was, and nothing twice: seed ${seed}`;
    test(name, async (context) => {
      const databaseUrl = await postgres.createDatabase({ template });
      const groups = seed === SPLIT ? 2 : 1;
      await withHour({ seed, databaseUrl, cycles: CYCLES, groups }, async (hour) => {
        const faults = await hour.findFaults();
        assert.deepEqual(faults.slice(0, 20), [], `${faults.length} faults with seed ${seed}`);
        if (seed !== SEEDS[0]) return;
        await context.test('and what is tampered with is found out', () => tamperWith(hour));
      });
    });
  }
});

const OPEN = 'repaired_at IS NULL AND NOT partial';
const UNNAMED = `(SELECT gap_key FROM poll_gaps WHERE unit IS NULL AND ${OPEN} LIMIT 1)`;
const NAMED = `(SELECT gap_key FROM poll_gaps WHERE unit IS NOT NULL AND ${OPEN} LIMIT 1)`;
const READ = '(SELECT max(position) FROM samples JOIN origins USING (origin_id))';

/** What must not happen, and what the comparison says of it. */
const TAMPERING: readonly (readonly [statement: string, complaint: RegExp])[] = [
  [`DELETE FROM samples WHERE position = ${READ}`, /has 0 samples and 0 gaps/],
  [
    `INSERT INTO samples SELECT * FROM samples WHERE position = ${READ}`,
    /is there twice[^]* has 2 samples and 0 gaps/,
  ],
  [
    `UPDATE poll_coverage SET received = received + 1
     WHERE (cycle_id, meter) = (SELECT cycle_id, meter FROM poll_coverage LIMIT 1)`,
    /the coverage of .* is/,
  ],
  [`DELETE FROM poll_gaps WHERE gap_key = ${UNNAMED}`, /0 unnamed are missing, not/],
  [`UPDATE poll_gaps SET units = units + 1 WHERE gap_key = ${UNNAMED}`, /unnamed are missing, not/],
  [`DELETE FROM poll_gaps WHERE gap_key = ${NAMED}`, /has 0 samples and 0 gaps/],
  [`UPDATE poll_gaps SET units = 2 WHERE gap_key = ${NAMED}`, /has 0 samples and 2 gaps/],
];

async function tamperWith(hour: PollHour): Promise<void> {
  for (const [statement, complaint] of TAMPERING) {
    await rolledBack(hour, async (tx) => {
      const { rowCount } = await tx.query(statement);
      assert.equal(rowCount, 1, statement);
      assert.match((await hour.model.findFaults(tx)).join('\n'), complaint);
    });
  }
  assert.deepEqual(await hour.model.findFaults(hour.world.db.pool), []);
}

async function rolledBack<Result>(
  { world }: PollHour,
  work: (tx: PoolClient) => Promise<Result>,
): Promise<Result> {
  const tx = await world.db.pool.connect();
  try {
    await tx.query('BEGIN');
    return await work(tx);
  } finally {
    await tx.query('ROLLBACK');
    tx.release();
  }
}
