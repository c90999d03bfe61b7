/** A month of readings of one gauge, sealed: what `npm run bench -- query` asks about. */
import type { Pool } from 'pg';
import { inTransaction } from '../db/client.ts';
import { extendLog } from '../db/extend_log.ts';
import { openLog } from '../db/open_log.ts';
import { insertWindowKeeper, moveWindowKeeper } from '../db/window_keepers.ts';
import { formatMicros, toMicros } from '../meters/timestamp.ts';
import { testSigner } from '../test/support/test_signer.ts';
import { WindowWorld } from '../test/support/window_world.ts';

export interface UsageMonthOptions {
  resources: number;
  projects: number;
  days: number;
  readingsAnHour: number;
}

/** A month of 30 days, so that its readings are as many as the goal says. */
export const MONTH_START = '2026-06-01T00:00:00.000000Z';
export const METER = 'memory.usage';

const HOUR = 3_600_000_000n;
const DAY = 24n * HOUR;
/** Leaves that the tree grows by at once. */
const LEAVES_AT_ONCE = 50_000;

/** Fills a database and seals all of it. */
export async function makeUsageMonth(
  databaseUrl: string,
  options: UsageMonthOptions,
  say: (line: string) => void,
): Promise<void> {
  const end = toMicros(MONTH_START) + BigInt(options.days) * DAY;
  const world = await WindowWorld.on(databaseUrl, Number((end + HOUR) / 1_000n), {
    span: { from: '2026-05-01T00:00:00.000000Z', to: '2026-09-01T00:00:00.000000Z' },
  });
  try {
    const { pool } = world;
    const samples = options.resources * options.days * 24 * options.readingsAnHour;
    say(`making ${samples} samples of ${options.resources} resources`);
    const first = await growLog(pool, samples);
    await insertSamples(pool, first, options);
    await pool.query('VACUUM ANALYZE');
    await insertWindowKeeper(pool, 0, MONTH_START);
    const size = first + samples;
    await inTransaction(pool, (tx) => moveWindowKeeper(tx, 0, { scannedTo: size }));
    const started = performance.now();
    for (let from = toMicros(MONTH_START); from < end; from += DAY) {
      await world.seal({ from: formatMicros(from), to: formatMicros(from + DAY), size });
      say(`sealed ${formatMicros(from).slice(0, 10)}`);
    }
    const seconds = (performance.now() - started) / 1_000;
    say(`sealed ${options.days * 24} hours in ${seconds.toFixed(1)} s`);
    await pool.query('VACUUM ANALYZE');
  } finally {
    await world.stop();
  }
}

/**
 * Makes the log as long as its samples are many. Their leaves are no hashes of entries: nothing that is
 * measured looks into them.
 *
 * @returns the first leaf that is a sample's
 */
async function growLog(pool: Pool, samples: number): Promise<number> {
  const options = { signers: [testSigner()], now: () => MONTH_START };
  let head = await openLog(pool, { logId: 0, origin: 'nepho.example/log/0', holder: 'bench' });
  const first = head.tree.size;
  for (let made = 0; made < samples; made += LEAVES_AT_ONCE) {
    const leaves = Array.from({ length: Math.min(LEAVES_AT_ONCE, samples - made) }, (_, n) => {
      const leaf = new Uint8Array(32);
      new DataView(leaf.buffer).setUint32(0, made + n);
      return leaf;
    });
    head = await inTransaction(pool, (tx) => extendLog(tx, head, leaves, options));
  }
  return first;
}

/** In the order of their times, as polls bring them: all resources, then all of them again. */
async function insertSamples(
  pool: Pool,
  first: number,
  { resources, projects, days, readingsAnHour }: UsageMonthOptions,
): Promise<void> {
  await pool.query(
    `INSERT INTO series (key, log_id, meter, type, unit, project_id, user_id, resource_id, source)
     SELECT md5(n::text)::uuid, 0, $3, 'gauge', 'MiB',
       'project-' || lpad((n % $2)::text, 24, '0'), null, 'resource-' || lpad(n::text, 24, '0'),
       'openstack'
     FROM generate_series(0, $1 - 1) AS n`,
    [resources, projects, METER],
  );
  await pool.query("INSERT INTO metadata (digest, body) VALUES (sha256('{}'), '{}')");
  await pool.query(
    "INSERT INTO definition_sets (digest, files, first_seen) VALUES (sha256(''), '[]', now())",
  );
  const readings = days * 24 * readingsAnHour;
  const at = `$1::timestamptz + n * interval '1 hour' / $2::int`;
  await pool.query(
    `INSERT INTO origins (origin_id, key, source, origin, content, outcome, samples, received_at)
     SELECT n, md5('origin' || n)::uuid, 'openstack', 'poll-' || n, 0, 1, $4, ${at}
     FROM generate_series(0, $3::int - 1) AS n`,
    [MONTH_START, readingsAnHour, readings, resources],
  );
  await pool.query(
    `INSERT INTO batches (position, samples, recorded_at, definition_set_id, epoch, min_ts, max_ts)
     SELECT $5::bigint + n * $4::bigint, $4::int, ${at}, 1, 1, ${at},
       ${at} + $4::int * interval '100 milliseconds'
     FROM generate_series(0, $3::int - 1) AS n`,
    [MONTH_START, readingsAnHour, readings, resources, first],
  );
  await pool.query(
    `INSERT INTO samples (position, ts, origin_id, id, series_id, metadata_id, volume)
     SELECT $5::bigint + n * $4::bigint + r.nth, ${at} + r.nth * interval '100 milliseconds', n,
       md5(n || ' ' || r.nth)::uuid, r.series_id, 1, 512 + (r.nth * 7 + n) % 1024
     FROM generate_series(0, $3::int - 1) AS n,
       (SELECT series_id, row_number() OVER (ORDER BY series_id) - 1 AS nth FROM series
        WHERE meter = $6) r
     ORDER BY n, r.nth`,
    [MONTH_START, readingsAnHour, readings, resources, first, METER],
  );
}
