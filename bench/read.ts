/**
 * `npm run bench -- read`: statistics over a million samples, grouped by project, and pages of samples,
 * on PostgreSQL as the API asks for them.
 */
import type { Pool } from 'pg';
import { createDatabase } from '../db/client.ts';
import { migrate } from '../db/migrate.ts';
import { ensurePartitions, partitionSpan } from '../db/partitions.ts';
import { listSamples } from '../db/sample_list.ts';
import { statistics } from '../db/statistics.ts';
import { formatMillis } from '../meters/timestamp.ts';
import { startPostgres } from '../test/support/postgres.ts';

export interface ReadBenchOptions {
  samples: number;
}

export interface ReadFigures {
  samples: number;
  statistics_by_project_p95_ms: number;
  statistics_of_project_p95_ms: number;
  sample_page_p95_ms: number;
  resource_page_p95_ms: number;
}

const SERIES = 1_000;
const PROJECTS = 50;
const PAGE = 100;
const ROUNDS = 21;

export async function benchRead(
  options: ReadBenchOptions,
  say: (line: string) => void,
): Promise<ReadFigures> {
  const postgres = await startPostgres({ isPrivate: true, settings: ['shared_buffers=512MB'] });
  const db = createDatabase(postgres.url);
  try {
    await migrate(db.pool);
    await ensurePartitions(db.pool, partitionSpan(formatMillis(Date.now())));
    say(`making ${options.samples} samples`);
    await fill(db.pool, options.samples);
    const all = { meter: 'volume.size' };
    return {
      samples: options.samples,
      statistics_by_project_p95_ms: await p95(() =>
        statistics(db.pool, 'all', all, { groupBy: ['project_id'] })
      ),
      statistics_of_project_p95_ms: await p95(() =>
        statistics(db.pool, { projectId: 'project-7' }, all)
      ),
      sample_page_p95_ms: await p95(() => listSamples(db.pool, 'all', all, { limit: PAGE })),
      resource_page_p95_ms: await p95(() =>
        listSamples(db.pool, 'all', { resourceId: 'resource-77' }, { limit: PAGE })
      ),
    };
  } finally {
    await db.close();
    await postgres.stop();
  }
}

/** A million readings of one gauge: 1,000 resources of 50 projects, over the last 30 days. */
async function fill(pool: Pool, samples: number): Promise<void> {
  await pool.query(
    `INSERT INTO series (key, log_id, meter, type, unit, project_id, user_id, resource_id, source)
     SELECT md5(n::text)::uuid, 0, 'volume.size', 'gauge', 'GiB', 'project-' || n % $2, null,
       'resource-' || n, 'openstack'
     FROM generate_series(1, $1) AS n`,
    [SERIES, PROJECTS],
  );
  await pool.query("INSERT INTO metadata (digest, body) VALUES (sha256('{}'), '{}')");
  await pool.query(
    "INSERT INTO definition_sets (digest, files, first_seen) VALUES (sha256(''), '[]', now())",
  );
  await pool.query(
    `INSERT INTO origins (origin_id, key, source, origin, content, outcome, samples, received_at)
     VALUES (0, md5('')::uuid, 'openstack', 'bench', 0, 1, $1, now())`,
    [samples],
  );
  await pool.query(
    `INSERT INTO batches (position, samples, recorded_at, definition_set_id, epoch, min_ts, max_ts)
     SELECT 0, $1, now(), 1, 1, now() - interval '31 days', now()`,
    [samples],
  );
  await pool.query(
    `INSERT INTO samples (position, ts, origin_id, id, series_id, metadata_id, volume)
     SELECT n, now() - interval '30 days' * (1 - n::float8 / $1), 0, md5(n::text)::uuid,
       1 + n % $2, 1, 1 + n % 97
     FROM generate_series(0, $1 - 1) AS n`,
    [samples, SERIES],
  );
  await pool.query('VACUUM ANALYZE');
}

async function p95(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const started = performance.now();
    await work();
    times.push(performance.now() - started);
  }
  times.sort((a, b) => a - b);
  return Number((times[Math.ceil(0.95 * times.length) - 1] ?? 0).toFixed(1));
}
