import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';

/** What samples cost on disk. Bytes are of whole pages, TOAST, free space and visibility maps included. */
export interface StorageReport {
  samples: number;
  notifications: number;
  /** Bytes a sample. */
  perSample: {
    rows: number;
    /** By index, its name without the partition's. */
    indexes: Record<string, number>;
    /** The share of `series` and of `metadata`, their indexes included. */
    series: number;
    metadata: number;
    /** The sum of the above: the figure that the design bounds by 130. */
    total: number;
    /** The rest, for completeness: log, checkpoints, batches and the like. */
    log: number;
  };
  /** Bytes a notification of `origins` with its indexes, by which redeliveries are known. */
  perNotification: number;
}

interface SizeRow {
  table: string;
  index: string | null;
  bytes: bigint;
}

const LOG_TABLES = ['tiles', 'checkpoints', 'records', 'batches', 'event_counts', 'logs'];

/** Counts all samples: for reports and benchmarks. Figures of an empty database are 0. */
export async function storageReport(db: Queryable): Promise<StorageReport> {
  return await withDatabaseErrors('measure the storage', async () => {
    const { rows: [counts] } = await db.query<{ samples: bigint; notifications: bigint }>(
      'SELECT (SELECT count(*) FROM samples) AS samples, (SELECT count(*) FROM origins) AS notifications',
    );
    const samples = Number(counts?.samples ?? 0n);
    const notifications = Number(counts?.notifications ?? 0n);
    const sizes = await sizesOf(db);
    const share = (bytes: number, of: number) => of === 0 ? 0 : Math.round(bytes / of * 100) / 100;
    const bytesOf = (tables: readonly string[]) =>
      sizes.filter((size) => tables.includes(size.table)).reduce(sumBytes, 0);
    const indexes = Object.fromEntries(
      sizes.filter((size) => size.table === 'samples' && size.index !== null)
        .map((size) => [size.index, share(Number(size.bytes), samples)]),
    );
    const hot = bytesOf(['samples', 'series', 'metadata']);
    return {
      samples,
      notifications,
      perSample: {
        rows: share(
          sizes.filter((size) => size.table === 'samples' && size.index === null)
            .reduce(sumBytes, 0),
          samples,
        ),
        indexes,
        series: share(bytesOf(['series']), samples),
        metadata: share(bytesOf(['metadata']), samples),
        total: share(hot, samples),
        log: share(bytesOf(LOG_TABLES), samples),
      },
      perNotification: share(bytesOf(['origins']), notifications),
    };
  });
}

/** Sizes of tables (their TOAST with them) and indexes, those of partitions under their parents' names. */
async function sizesOf(db: Queryable): Promise<SizeRow[]> {
  const { rows } = await db.query<SizeRow>(`
    WITH tables AS (
      SELECT c.oid, coalesce(p.relname, c.relname)::text AS name
      FROM pg_class c
      LEFT JOIN pg_inherits h ON h.inhrelid = c.oid
      LEFT JOIN pg_class p ON p.oid = h.inhparent
      WHERE c.relkind = 'r'
        AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'samples'::regclass)
    )
    SELECT t.name AS "table", NULL AS index, sum(pg_table_size(t.oid))::bigint AS bytes
    FROM tables t GROUP BY t.name
    UNION ALL
    SELECT t.name, coalesce(p.relname, c.relname)::text, sum(pg_relation_size(c.oid))::bigint
    FROM tables t
    JOIN pg_index i ON i.indrelid = t.oid JOIN pg_class c ON c.oid = i.indexrelid
    LEFT JOIN pg_inherits h ON h.inhrelid = c.oid
    LEFT JOIN pg_class p ON p.oid = h.inhparent
    GROUP BY 1, 2`);
  return rows;
}

function sumBytes(sum: number, size: SizeRow): number {
  return sum + Number(size.bytes);
}
