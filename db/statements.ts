/** Statements and their lines: written once, beside the entry that vouches for them. */
import type { PoolClient } from 'pg';
import { readKnownEntry } from '../ledger/entry.ts';
import type { CoveredLog } from '../ledger/statement_entry.ts';
import type { StatementLine } from '../ledger/statement_document.ts';
import { addKnownCondition, type LogSizes } from './as_of.ts';
import type { Queryable } from './client.ts';
import { Conditions } from './conditions.ts';
import {
  checkLimit,
  decodeCursor,
  encodeCursor,
  type Page,
  pageOf,
  type PageRequest,
} from './cursor.ts';
import { withDatabaseErrors } from './errors.ts';
import type { Scope } from './scope.ts';

export interface StatementName {
  projectId: string;
  period: string;
  /** 0 is the statement, the others are its amendments. */
  number: number;
}

export interface StatementHead extends StatementName {
  start: string;
  end: string;
  zone: string;
  /** SHA-256 of the document, 64 hexadecimal digits. */
  digest: string;
  lines: number;
  closedAt: string;
  /** Place of the `statement` entry. */
  position: number;
  workflowId: string;
  runId: string;
}

export interface StatementRow extends StatementHead {
  /** Canonical JSON. */
  document: string;
  /** The signed note over its digest. */
  signature: string;
}

const HEAD = `project_id AS "projectId", period, number, start, "end", zone,
  encode(digest, 'hex') AS digest, lines, closed_at AS "closedAt", position,
  workflow_id AS "workflowId", run_id AS "runId"`;

type Stored<Row extends StatementHead> = Omit<Row, 'position'> & { position: bigint };

export async function insertStatement(
  tx: PoolClient,
  statement: StatementRow,
  lines: readonly StatementLine[],
): Promise<void> {
  await tx.query(
    `INSERT INTO statements (project_id, period, number, start, "end", zone, document, digest, position,
       lines, closed_at, workflow_id, run_id, signature)
     VALUES ($1, $2, $3, $4, $5, $6, $7, decode($8, 'hex'), $9, $10, $11, $12, $13, $14)`,
    [
      statement.projectId,
      statement.period,
      statement.number,
      statement.start,
      statement.end,
      statement.zone,
      statement.document,
      statement.digest,
      statement.position,
      statement.lines,
      statement.closedAt,
      statement.workflowId,
      statement.runId,
      statement.signature,
    ],
  );
  await tx.query(
    `INSERT INTO statement_lines (project_id, period, number, line, meter, type, unit, resource_id)
     SELECT $1, $2, $3, n - 1, meter, type, unit, resource_id
     FROM unnest($4::text[], $5::text[], $6::text[], $7::text[])
       WITH ORDINALITY AS t(meter, type, unit, resource_id, n)`,
    [
      statement.projectId,
      statement.period,
      statement.number,
      lines.map(({ meter }) => meter),
      lines.map(({ type }) => type),
      lines.map(({ unit }) => unit),
      lines.map(({ resource_id }) => resource_id),
    ],
  );
}

/** Null also for what is not in the scope. */
export async function getStatement(
  db: Queryable,
  scope: Scope,
  { projectId, period, number }: StatementName,
): Promise<StatementRow | null> {
  const where = statementConditions(scope, { projectId, period });
  where.add(`number = ${where.bind(number)}`);
  return await oneOf(db, where);
}

/** The statement of a period as it was amended last; null before there is one. */
export async function latestStatement(
  db: Queryable,
  scope: Scope,
  name: { projectId: string; period: string },
): Promise<StatementRow | null> {
  return await oneOf(db, statementConditions(scope, name));
}

async function oneOf(db: Queryable, where: Conditions): Promise<StatementRow | null> {
  return await withDatabaseErrors('read a statement', async () => {
    const { rows } = await db.query<Stored<StatementRow>>(
      `SELECT ${HEAD}, document, signature FROM statements WHERE ${where.sql} ORDER BY number DESC LIMIT 1`,
      where.values,
    );
    return rows[0] === undefined ? null : { ...rows[0], position: Number(rows[0].position) };
  });
}

export interface StatementFilters {
  projectId?: string | undefined;
  period?: string | undefined;
  /** Of periods that end after this time, and begin before that one; canonical timestamps. */
  from?: string | undefined;
  to?: string | undefined;
  /** Only statements that were closed then; all unless given. */
  known?: LogSizes | undefined;
}

/** The period that ended last first, its amendments from the last. @throws as `listGaps` */
export async function listStatements(
  db: Queryable,
  scope: Scope,
  filters: StatementFilters,
  { limit, cursor }: PageRequest,
): Promise<Page<StatementHead>> {
  checkLimit(limit);
  const after = decodeCursor('statements', cursor, ['string', 'string', 'string', 'number']);
  const where = statementConditions(scope, filters);
  if (filters.from !== undefined) where.add(`"end" > ${where.bind(filters.from)}`);
  if (filters.to !== undefined) where.add(`start < ${where.bind(filters.to)}`);
  if (filters.known !== undefined) addKnownCondition(where, 'position', filters.known);
  if (after !== null) {
    const [end, project, period, number] = after.map((part) => where.bind(part));
    where.add(
      `("end" < ${end} OR "end" = ${end} AND (project_id > ${project} OR project_id = ${project}
      AND (period > ${period} OR period = ${period} AND number < ${number})))`,
    );
  }
  return await withDatabaseErrors('list statements', async () => {
    const { rows } = await db.query<Stored<StatementHead>>(
      `SELECT ${HEAD} FROM statements WHERE ${where.sql}
       ORDER BY "end" DESC, project_id, period, number DESC LIMIT ${where.bind(limit + 1)}`,
      where.values,
    );
    return pageOf(
      rows.map((row) => ({ ...row, position: Number(row.position) })),
      limit,
      (row) => encodeCursor('statements', [row.end, row.projectId, row.period, row.number]),
    );
  });
}

/** How much of each log the newest statements of some periods were made from; those without one are left out. */
export async function coversOfLatest(
  db: Queryable,
  names: readonly { projectId: string; period: string }[],
): Promise<{ projectId: string; period: string; covers: CoveredLog[] }[]> {
  if (names.length === 0) return [];
  const { rows } = await db.query<{ projectId: string; period: string; entry: string }>(
    `SELECT DISTINCT ON (s.project_id, s.period) s.project_id AS "projectId", s.period, r.entry
     FROM unnest($1::text[], $2::text[]) AS t(project_id, period)
     JOIN statements s USING (project_id, period) JOIN records r USING (position)
     ORDER BY s.project_id, s.period, s.number DESC`,
    [names.map(({ projectId }) => projectId), names.map(({ period }) => period)],
  );
  return rows.map(({ projectId, period, entry }) => {
    const read = readKnownEntry(entry);
    return { projectId, period, covers: read?.kind === 'statement' ? read.covers : [] };
  });
}

function statementConditions(
  scope: Scope,
  { projectId, period }: { projectId?: string | undefined; period?: string | undefined },
): Conditions {
  const where = new Conditions();
  if (scope !== 'all') where.equal('project_id', scope.projectId);
  where.equal('project_id', projectId);
  where.equal('period', period);
  return where;
}

/** The number of the last statement of a period; null before there is one. */
export async function latestStatementNumber(
  db: Queryable,
  projectId: string,
  period: string,
): Promise<number | null> {
  return await withDatabaseErrors('read the number of a statement', async () => {
    const { rows } = await db.query<{ number: number | null }>(
      'SELECT max(number) AS number FROM statements WHERE project_id = $1 AND period = $2',
      [projectId, period],
    );
    return rows[0]?.number ?? null;
  });
}

/** Days after which the history of a run is given up: Temporal has long forgotten it. */
const HISTORY_DAYS = 7;

/** The last runs that closed a statement and of which no history is kept. */
export async function runsWithoutHistory(
  db: Queryable,
  { limit }: { limit: number },
): Promise<{ workflowId: string; runId: string }[]> {
  return await withDatabaseErrors('look for runs without a history', async () => {
    const { rows } = await db.query<{ workflowId: string; runId: string }>(
      `SELECT s.workflow_id AS "workflowId", s.run_id AS "runId" FROM statements s
       WHERE s.closed_at > clock_timestamp() - make_interval(days => $1) AND NOT EXISTS (
         SELECT FROM workflow_histories h WHERE h.run_id = s.run_id)
       GROUP BY 1, 2 ORDER BY max(s.closed_at) DESC LIMIT $2`,
      [HISTORY_DAYS, limit],
    );
    return rows;
  });
}
