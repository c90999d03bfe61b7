/** Every way to change one bit, or the least there is, of every column of the tables that hold evidence. */
import type { Queryable } from '../../db/client.ts';

export interface Alteration {
  table: string;
  column: string;
  statement: string;
  /** The same with a higher bit, for where the first makes a row of an existing key. */
  otherwise: string;
}

/**
 * Columns that nothing vouches for, with the reason. They are no evidence: with another value every figure,
 * entry and proof is as before.
 */
export const UNVOUCHED: Readonly<Record<string, readonly string[]>> = {
  // Of the writer at work, and when the row was written.
  logs: ['epoch', 'holder', 'updated_at'],
  // When it was signed: an instant is resolved by it, and the checkpoint it leads to is named in the answer.
  checkpoints: ['signed_at'],
  // The writer's; the other columns stand in each entry.
  batches: ['epoch'],
  // What a redelivery is compared with, how often it came, and when.
  origins: ['content', 'redelivered', 'received_at'],
  definition_sets: ['first_seen'],
  usage_rule_sets: ['usage_rule_set_id', 'first_seen'],
  // How far late samples were looked for: a step too far leaves a window that is not what samples make.
  window_keepers: ['scanned_to'],
  billing_periods: ['opened_at', 'wanted'],
};

export const EVIDENCE = [
  'logs',
  'checkpoints',
  'tiles',
  'records',
  'batches',
  'samples',
  'origins',
  'series',
  'metadata',
  'definition_sets',
  'usage_rule_sets',
  'seals',
  'windows',
  'window_rollups',
  'window_keepers',
  'revisions',
  'statements',
  'statement_lines',
  'billing_periods',
  'workflow_histories',
  'archives',
] as const;

/** A change of the least kind, by the type of the column. `c` stands for it. */
const CHANGES: Readonly<Record<string, string>> = {
  boolean: 'NOT c',
  smallint: 'c # 1',
  integer: 'c # 1',
  bigint: 'c # 1',
  numeric: 'c + 0.000001',
  'timestamp with time zone': "c + interval '1 microsecond'",
  uuid:
    "overlay(c::text placing CASE right(c::text, 1) WHEN '0' THEN '1' ELSE '0' END from 36)::uuid",
  // The lowest bit of the byte in the middle.
  bytea: 'set_bit(c, 8 * (octet_length(c) / 2), 1 - get_bit(c, 8 * (octet_length(c) / 2)))',
  text: `CASE WHEN c = '' THEN 'x' ELSE overlay(c placing
    chr(CASE ascii(substr(c, 1 + length(c) / 2, 1)) WHEN 1 THEN 3
      ELSE ascii(substr(c, 1 + length(c) / 2, 1)) # 1 END) from 1 + length(c) / 2 for 1) END`,
  jsonb: `regexp_replace(c::text, '[0-9a-f](?=[^0-9a-f]*$)', '7')::jsonb`,
  ARRAY: "array_replace(c, c[1], c[1] || 'x')",
};

/** Of a column without a value. */
const NULLS: Readonly<Record<string, string>> = {
  boolean: 'true',
  smallint: '1',
  integer: '1',
  bigint: '1',
  numeric: '1',
  'timestamp with time zone': "'2026-10-31T22:00:00Z'",
  text: "'x'",
};

/**
 * One alteration of each column, of a row that has a value there if any has, chosen by `seed`; and one that
 * sets a value where there is none.
 */
export async function alterationsOf(db: Queryable, seed: number): Promise<Alteration[]> {
  const alterations: Alteration[] = [];
  for (const table of EVIDENCE) {
    const { rows } = await db.query<{ column: string; type: string }>(
      `SELECT column_name AS column, data_type AS type FROM information_schema.columns
       WHERE table_name = $1 AND table_schema = 'public' ORDER BY ordinal_position`,
      [table],
    );
    for (const { column, type } of rows) {
      if (UNVOUCHED[table]?.includes(column)) continue;
      for (const condition of ['IS NOT NULL', 'IS NULL'] as const) {
        const change = condition === 'IS NULL' ? NULLS[type] : CHANGES[type];
        const row = await chosenRow(db, { table, column, condition, seed });
        if (row === null || change === undefined) continue;
        const to = change.replace(/\bc\b/g, `"${column}"`);
        const update = (value: string) =>
          `UPDATE ${table} SET "${column}" = ${value} WHERE ctid = '${row.place}' AND tableoid = ${row.table}`;
        alterations.push({
          table,
          column,
          statement: update(to),
          otherwise: update(to.replace('# 1', '# 4096')),
        });
      }
    }
  }
  return alterations;
}

async function chosenRow(
  db: Queryable,
  { table, column, condition, seed }: {
    table: string;
    column: string;
    condition: 'IS NULL' | 'IS NOT NULL';
    seed: number;
  },
): Promise<{ place: string; table: number } | null> {
  const { rows } = await db.query<{ place: string; table: number }>(
    `SELECT ctid::text AS place, tableoid::int AS table FROM ${table} WHERE "${column}" ${condition}
     ORDER BY md5(ctid::text || $1::text) LIMIT 1`,
    [seed],
  );
  return rows[0] ?? null;
}
