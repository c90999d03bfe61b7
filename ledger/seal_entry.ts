import { HOUR_MICROS, toMicros } from '../meters/timestamp.ts';
import { sha256Hex } from './sha256.ts';
import type { StrictRecord } from './strict_record.ts';
import { readWorkflowRun, type WorkflowRun } from './workflow_run.ts';

/** What was expected of an hour and came; polls and their gaps. */
export interface SealCoverage {
  /** SHA-256 of the coverage in canonical JSON, as the database keeps it whole. */
  digest: string;
  /** Readings that were expected, that came, and that did not. */
  expected: number;
  received: number;
  missing: number;
  /** Gaps that may still be filled. */
  open_gaps: number;
  /**
   * Those of the projects that have a gap, as {@link gapKey} of each, ascending; the first
   * {@link MAX_GAP_KEYS}. Every project may read a seal, so that ids of others must not stand in it.
   */
  gap_keys: string[];
}

/** An hour of a log was closed: its windows are these and no others, until a `revision` says so. */
export interface SealEntry extends WorkflowRun {
  kind: 'seal';
  v: 1;
  /** The hour, `[start, end)`. */
  start: string;
  end: string;
  /** Windows in the hour. */
  rows: number;
  /** RFC 6962 root over their records, ordered by series key: 64 hexadecimal digits. */
  root: string;
  /** They were computed from the samples among the leaves before this one. */
  covers_to: number;
  /** Leaf index of the seal of the hour before, in the same log; null for the first. */
  previous: number | null;
  /** Digest of the usage rules that they were computed by: see the `usage_rules` entries. */
  rules: string;
  /** Digests of the definition sets that the hour's samples were made by, ascending. */
  definitions: string[];
  coverage: SealCoverage;
  /** Version of the program. */
  code: string;
  recorded_at: string;
}

export const MAX_GAP_KEYS = 100;

/**
 * How a seal names a project without telling others of it: 32 hexadecimal digits of SHA-256 over the hour
 * and the project.
 */
export function gapKey(start: string, projectId: string | null): string {
  return sha256Hex(JSON.stringify([start, projectId])).slice(0, 32);
}

export function readSealEntry(record: StrictRecord): SealEntry {
  const start = record.time('start');
  const end = record.time('end');
  if (!isHour(start, end)) throw record.wrong('end', 'is not an hour after a full hour');
  const coverage = record.record('coverage');
  return {
    kind: 'seal',
    v: 1,
    start,
    end,
    rows: record.count('rows'),
    root: record.hex('root', 64),
    covers_to: record.count('covers_to'),
    previous: record.countOrNull('previous'),
    rules: record.hex('rules', 64),
    definitions: hexes(record, 'definitions', 64),
    coverage: {
      digest: coverage.hex('digest', 64),
      expected: coverage.count('expected'),
      received: coverage.count('received'),
      missing: coverage.count('missing'),
      open_gaps: coverage.count('open_gaps'),
      gap_keys: gapKeys(coverage),
    },
    code: record.text('code'),
    ...readWorkflowRun(record),
    recorded_at: record.time('recorded_at'),
  };
}

function isHour(start: string, end: string): boolean {
  return start.slice(13) === ':00:00.000000Z' && toMicros(end) - toMicros(start) === HOUR_MICROS;
}

function gapKeys(coverage: StrictRecord): string[] {
  const keys = hexes(coverage, 'gap_keys', 32);
  if (keys.length > MAX_GAP_KEYS) throw coverage.wrong('gap_keys', 'is too long');
  return keys;
}

function hexes(record: StrictRecord, key: string, digits: number): string[] {
  const texts = record.ascendingTexts(key);
  const pattern = new RegExp(`^[0-9a-f]{${digits}}$`);
  if (!texts.every((text) => pattern.test(text))) {
    throw record.wrong(key, `has an item that is not ${digits} lower-case hexadecimal digits`);
  }
  return texts;
}
