/** Statements and their lines as they are stored, for the audit. */
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';
import type { StatementName } from './statements.ts';

export interface StoredLine {
  line: number;
  meter: string;
  type: string;
  unit: string;
  resource_id: string | null;
}

/** The statements that were written up to a time, by project, period and number. */
export async function statementNames(db: Queryable, until: string): Promise<StatementName[]> {
  return await withDatabaseErrors('list the statements', async () => {
    const { rows } = await db.query<StatementName>(
      `SELECT project_id AS "projectId", period, number FROM statements
       WHERE closed_at <= $1 ORDER BY 1, 2, 3`,
      [until],
    );
    return rows;
  });
}

/** The rows of a statement's lines, by their number. */
export async function readStatementLines(
  db: Queryable,
  { projectId, period, number }: StatementName,
): Promise<StoredLine[]> {
  return await withDatabaseErrors('read the lines of a statement', async () => {
    const { rows } = await db.query<StoredLine>(
      `SELECT line, meter, type, unit, resource_id FROM statement_lines
       WHERE project_id = $1 AND period = $2 AND number = $3 ORDER BY line`,
      [projectId, period, number],
    );
    return rows;
  });
}

/** Lines that no statement has. */
export async function strayLines(db: Queryable): Promise<StatementName[]> {
  return await withDatabaseErrors('look for stray lines', async () => {
    const { rows } = await db.query<StatementName>(
      `SELECT DISTINCT l.project_id AS "projectId", l.period, l.number FROM statement_lines l
       LEFT JOIN statements s USING (project_id, period, number)
       WHERE s.project_id IS NULL LIMIT 100`,
    );
    return rows;
  });
}

/** The digest of the usage rules that the last hour before a place of a log was sealed by. */
export async function rulesAt(db: Queryable, position: number): Promise<string | null> {
  return await withDatabaseErrors('read the rules in force', async () => {
    const { rows } = await db.query<{ rules: string }>(
      `SELECT entry::json ->> 'rules' AS rules FROM records
       WHERE kind IN ('seal', 'revision') AND position < $1 AND position >= ($1::bigint >> 40) << 40
       ORDER BY position DESC LIMIT 1`,
      [position],
    );
    return rows[0]?.rules ?? null;
  });
}
