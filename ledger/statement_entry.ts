import { checkAscending, type StrictRecord } from './strict_record.ts';
import { readWorkflowRun, type WorkflowRun } from './workflow_run.ts';

/** How much of a log a statement was made from: its first `size` leaves. */
export interface CoveredLog {
  /** The log's name. */
  origin: string;
  size: number;
}

/** A project's period was closed: a statement, or an amendment of one. */
export interface StatementEntry extends WorkflowRun {
  kind: 'statement';
  v: 1;
  project_id: string;
  /** The period's name, `2026-10`. */
  period: string;
  /** 0 is the statement, the others are its amendments. */
  number: number;
  start: string;
  end: string;
  /** SHA-256 of the document, 64 hexadecimal digits. */
  digest: string;
  /** Lines of the document. */
  lines: number;
  /** By name, ascending. */
  covers: CoveredLog[];
  recorded_at: string;
}

export function readStatementEntry(record: StrictRecord): StatementEntry {
  return {
    kind: 'statement',
    v: 1,
    project_id: record.text('project_id'),
    period: record.text('period'),
    number: record.count('number'),
    start: record.time('start'),
    end: record.time('end'),
    digest: record.hex('digest', 64),
    lines: record.count('lines'),
    covers: readCovers(record),
    ...readWorkflowRun(record),
    recorded_at: record.time('recorded_at'),
  };
}

/** The logs in `covers`, in order and each once. */
export function readCovers(record: StrictRecord): CoveredLog[] {
  const covers = record.records('covers', (log) => ({
    origin: log.text('origin'),
    size: log.count('size'),
  }));
  checkAscending(
    covers,
    (left, right) => left.origin < right.origin,
    () => record.wrong('covers', 'are not in ascending order'),
  );
  return covers;
}
