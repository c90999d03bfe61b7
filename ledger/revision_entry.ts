import { checkAscending, type StrictRecord } from './strict_record.ts';
import { readWorkflowRun, type WorkflowRun } from './workflow_run.ts';

/** Why sealed windows changed: samples of sealed hours came at these leaves. */
export interface RevisionCause {
  reason: 'late_samples';
  /** How many, of all projects, in the leaves that the revision looked through. */
  samples: number;
  first_leaf: number;
  last_leaf: number;
}

/** One window before and after. */
export interface WindowChange {
  /** The series' key: see {@link seriesKey}. */
  series: string;
  /** First instant of the hour. */
  start: string;
  /** Number of the new version, from 1: 0 was sealed. */
  revision: number;
  /** Leaf hash of the record that was in force; null if the hour had none of this series. */
  before: string | null;
  /** Leaf hash of the record that is in force now. */
  after: string;
  /** What the two came to, in `unit`. */
  quantity_before: string | null;
  quantity_after: string;
  /** Of usage: `GiB·h` for a gauge in GiB. */
  unit: string;
}

/** Windows that were sealed have new versions. The old ones stay. */
export interface RevisionEntry extends WorkflowRun {
  kind: 'revision';
  v: 1;
  /** Whose windows they are: one entry holds those of one project, so that it may read it. */
  project_id: string | null;
  /** The leaves `[covers_from, covers_to)` were looked through for late samples. */
  covers_from: number;
  covers_to: number;
  cause: RevisionCause;
  /** By series and start, ascending. 1 to {@link MAX_CHANGES}. */
  changes: WindowChange[];
  /** Digest of the usage rules: see the `usage_rules` entries. */
  rules: string;
  /** Version of the program. */
  code: string;
  recorded_at: string;
}

/** So many fit into an entry if units and quantities have no more than 40 characters. */
export const MAX_CHANGES = 150;

export function readRevisionEntry(record: StrictRecord): RevisionEntry {
  const changes = record.records('changes', readChange);
  checkAscending(changes, isBefore, () => record.wrong('changes', 'are not in ascending order'));
  if (changes.length === 0 || changes.length > MAX_CHANGES) {
    throw record.wrong('changes', `are not 1 to ${MAX_CHANGES}`);
  }
  return {
    kind: 'revision',
    v: 1,
    project_id: record.textOrNull('project_id'),
    covers_from: record.count('covers_from'),
    covers_to: record.count('covers_to'),
    cause: readCause(record.record('cause')),
    changes,
    rules: record.hex('rules', 64),
    code: record.text('code'),
    ...readWorkflowRun(record),
    recorded_at: record.time('recorded_at'),
  };
}

function readCause(record: StrictRecord): RevisionCause {
  if (record.text('reason') !== 'late_samples') throw record.wrong('reason', 'is unknown');
  return {
    reason: 'late_samples',
    samples: record.count('samples'),
    first_leaf: record.count('first_leaf'),
    last_leaf: record.count('last_leaf'),
  };
}

function readChange(record: StrictRecord): WindowChange {
  const revision = record.count('revision');
  if (revision === 0) throw record.wrong('revision', 'is 0, which is the sealed one');
  return {
    series: record.hex('series', 32),
    start: record.time('start'),
    revision,
    before: record.hexOrNull('before', 64),
    after: record.hex('after', 64),
    quantity_before: record.quantityOrNull('quantity_before'),
    quantity_after: record.quantity('quantity_after'),
    unit: record.text('unit'),
  };
}

function isBefore(left: WindowChange, right: WindowChange): boolean {
  return left.series === right.series ? left.start < right.start : left.series < right.series;
}
