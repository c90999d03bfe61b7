/** What the same rows cost without decoding, signing, log or acknowledgement. */
import type { Pool } from 'pg';
import { INSERT_SAMPLES } from '../db/insert_batch.ts';
import { listPartitions } from '../db/partitions.ts';

/** Rows of one insert: about those of a batch of 1,000 notifications. */
const ROWS = 4_000;

interface Row {
  position: bigint;
  ts: string;
  origin_id: bigint;
  id: string;
  series_id: number;
  metadata_id: number;
  ordinal: number | null;
  volume: string;
}

/** Samples a second of a bare `unnest` insert, a transaction for each 4,000 rows, in log order. */
export async function timeBareInsert(pool: Pool): Promise<number> {
  await copyTable(pool);
  const { rows } = await pool.query<Row>(
    `SELECT position, ts, origin_id, id, series_id, metadata_id, ordinal, volume
     FROM samples ORDER BY position`,
  );
  const statement = INSERT_SAMPLES.replace('INTO samples', 'INTO bare_samples');
  const started = performance.now();
  for (let start = 0; start < rows.length; start += ROWS) {
    const part = rows.slice(start, start + ROWS);
    await pool.query({
      name: 'bare_insert',
      text: statement,
      values: [
        part[0]?.position,
        literal(part.map((row) => row.ts)),
        literal(part.map((row) => row.origin_id)),
        literal(part.map((row) => row.id)),
        literal(part.map((row) => row.series_id)),
        literal(part.map((row) => row.metadata_id)),
        literal(part.map((row) => row.ordinal ?? 'NULL')),
        literal(part.map((row) => row.volume)),
      ],
    });
  }
  return rows.length / (performance.now() - started) * 1_000;
}

async function copyTable(pool: Pool): Promise<void> {
  await pool.query(
    'CREATE TABLE bare_samples (LIKE samples INCLUDING ALL) PARTITION BY RANGE (ts)',
  );
  for (const { name, from, to } of await listPartitions(pool)) {
    await pool.query(
      `CREATE TABLE bare_${name} PARTITION OF bare_samples FOR VALUES FROM ('${from}') TO ('${to}')`,
    );
  }
}

function literal(items: readonly (string | number | bigint)[]): string {
  return `{${items.join(',')}}`;
}
