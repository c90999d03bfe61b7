import { NephoError } from '../meters/errors.ts';
import type { MeterType } from '../meters/sample.ts';
import { encodeUtf8 } from './bytes.ts';
import { canonicalString } from './canonical_json.ts';
import { signNote } from './note.ts';
import { sha256Hex } from './sha256.ts';
import type { Signer } from './signer.ts';
import type { CoveredLog } from './statement_entry.ts';
import { readCovers } from './statement_entry.ts';
import {
  encodeRecord,
  invalidRecord,
  notCanonical,
  parseRecord,
  type RecordName,
  StrictRecord,
} from './strict_record.ts';

/** The windows that a line sums. */
export interface LineWindows {
  count: number;
  /**
   * RFC 6962 root over their records, ordered by series key and start: 64 hexadecimal digits. A part of
   * an hour, at the edge of a period whose zone cuts it, is a record of its own with revision 0.
   */
  root: string;
  /** Start of the earliest and end of the latest; null if there are none. */
  first: string | null;
  last: string | null;
}

/** What one resource, or a group of them, used of one meter. */
export interface StatementLine {
  meter: string;
  type: MeterType;
  unit: string;
  /** Null of a line that sums several resources. */
  resource_id: string | null;
  /** What the resources that it sums have in common, by name; null if they are not grouped by anything. */
  group: Record<string, string> | null;
  /** The unit of the quantity: `GiB·h` for a gauge in GiB. */
  usage_unit: string;
  /** Of a gauge: `unit_seconds` / 3,600 to 12 decimals, ties to even. */
  quantity: string;
  /** Exact, of a gauge; null of the others. */
  unit_seconds: string | null;
  /** Samples in the windows. */
  samples: number;
  /** Seconds in which a gauge held a value, summed over its series; null of the others. */
  covered: string | null;
  windows: LineWindows;
  /** What is to be known of the figures: stable words, ascending. */
  flags: string[];
  /** Of an amendment: the quantity less that of the statement it amends; null of a first statement. */
  difference: string | null;
}

export interface StatementTotal {
  meter: string;
  usage_unit: string;
  /** Sum of the lines' quantities. */
  quantity: string;
}

/** A span for which readings were expected and did not come. */
export interface StatementGap {
  meter: string;
  resource_id: string | null;
  /** `[from, to)`. */
  from: string;
  to: string;
  reason: string;
}

/** What a project used in a period. */
export interface StatementDocument {
  kind: 'statement';
  v: 1;
  project_id: string;
  /** The period's name, `2026-10`. */
  period: string;
  /** 0 is the statement, the others are its amendments. */
  number: number;
  /** The one before: its number and its digest; null of number 0. */
  amends: { number: number; digest: string } | null;
  /** `[start, end)`. */
  start: string;
  end: string;
  /** IANA zone of the period. */
  zone: string;
  closed_at: string;
  covers: CoveredLog[];
  lines: StatementLine[];
  totals: StatementTotal[];
  gaps: StatementGap[];
}

export const MAX_STATEMENT_LINES = 100_000;
export const MAX_STATEMENT_BYTES = 64 * 1024 * 1024;

const STATEMENT: RecordName = { code: 'statement', name: 'a statement' };

/** The digest of a document: SHA-256 of its text, 64 hexadecimal digits. */
export function statementDigest(text: string): string {
  return sha256Hex(text);
}

/**
 * What is signed of a statement. Five lines, of which the first is no log's name, so that no checkpoint
 * (three) and no endorsement of a key (two) can pass for it. Names stand as in canonical JSON without the
 * quotes, since a name may have a newline.
 */
export function signatureText(
  document: Pick<StatementDocument, 'project_id' | 'period' | 'number'>,
  digest: string,
): string {
  const [project, period] = [document.project_id, document.period]
    .map((name) => canonicalString(name).slice(1, -1));
  return `nepho statement v1\n${project}\n${period}\n${document.number}\n${digest}\n`;
}

/**
 * The signature of a statement as a signed note.
 *
 * @param text the document, canonical
 * @throws {NephoError} `signing_key_missing`
 */
export function signStatement(text: string, signers: readonly Signer[]): Promise<string> {
  return signNote(signatureText(parseStatement(text), statementDigest(text)), signers);
}

/** @throws {NephoError} `text_invalid`, `statement_too_large` */
export function encodeStatement(document: StatementDocument): string {
  checkLineCount(document.lines.length);
  return withinSize(encodeRecord(document));
}

/**
 * Reads a document strictly: whatever is accepted is what encoding the result gives, byte for byte. That
 * its figures fit each other is checked by statement_check.ts.
 *
 * @throws {NephoError} `statement_invalid`, `statement_not_canonical`, `statement_too_large`
 */
export function parseStatement(text: string): StatementDocument {
  withinSize(text);
  const record = new StrictRecord(parseRecord(text, STATEMENT), STATEMENT);
  if (record.text('kind') !== 'statement') throw record.wrong('kind', "is not 'statement'");
  if (record.count('v') !== 1) {
    throw record.wrong('v', 'is not 1: only a newer version can read it');
  }
  checkLineCount(record.list('lines').length);
  const amends = record.recordOrNull('amends');
  const document: StatementDocument = {
    kind: 'statement',
    v: 1,
    project_id: record.text('project_id'),
    period: record.text('period'),
    number: record.count('number'),
    amends: amends === null
      ? null
      : { number: amends.count('number'), digest: amends.hex('digest', 64) },
    start: record.time('start'),
    end: record.time('end'),
    zone: record.text('zone'),
    closed_at: record.time('closed_at'),
    covers: readCovers(record),
    lines: record.records('lines', readLine),
    totals: record.records('totals', readTotal),
    gaps: record.records('gaps', readGap),
  };
  if (document.start >= document.end) throw record.wrong('end', 'is not after the start');
  if (encodeRecord(document) !== text) throw notCanonical(STATEMENT, text);
  return document;
}

function readLine(record: StrictRecord): StatementLine {
  const windows = record.record('windows');
  return {
    meter: record.text('meter'),
    type: record.meterType('type'),
    unit: record.text('unit'),
    resource_id: record.textOrNull('resource_id'),
    group: readGroup(record),
    usage_unit: record.text('usage_unit'),
    quantity: record.quantity('quantity'),
    unit_seconds: record.quantityOrNull('unit_seconds'),
    samples: record.count('samples'),
    covered: record.quantityOrNull('covered'),
    windows: {
      count: windows.count('count'),
      root: windows.hex('root', 64),
      first: windows.timeOrNull('first'),
      last: windows.timeOrNull('last'),
    },
    flags: record.ascendingTexts('flags'),
    difference: record.quantityOrNull('difference'),
  };
}

function readGroup(record: StrictRecord): Record<string, string> | null {
  const group = record.recordOrNull('group');
  if (group === null) return null;
  return Object.fromEntries(Object.keys(group.object).map((name) => [name, group.text(name)]));
}

function readTotal(record: StrictRecord): StatementTotal {
  return {
    meter: record.text('meter'),
    usage_unit: record.text('usage_unit'),
    quantity: record.quantity('quantity'),
  };
}

function readGap(record: StrictRecord): StatementGap {
  return {
    meter: record.text('meter'),
    resource_id: record.textOrNull('resource_id'),
    from: record.time('from'),
    to: record.time('to'),
    reason: record.text('reason'),
  };
}

function checkLineCount(lines: number): void {
  if (lines > MAX_STATEMENT_LINES) throw tooLarge(`${lines} lines`);
}

function withinSize(text: string): string {
  // A UTF-16 unit takes 1 to 3 bytes of UTF-8, so only long text needs a count.
  const isLong = text.length > MAX_STATEMENT_BYTES / 3;
  if (
    text.length > MAX_STATEMENT_BYTES || (isLong && encodeUtf8(text).length > MAX_STATEMENT_BYTES)
  ) {
    throw tooLarge('so many bytes');
  }
  return text;
}

function tooLarge(what: string): NephoError {
  return new NephoError(
    'statement_too_large',
    `Cannot take a statement of ${what}: it may have ${MAX_STATEMENT_LINES} lines and ${MAX_STATEMENT_BYTES} bytes, group its resources`,
  );
}

/** The error for a document whose parts do not fit. */
export function statementInvalid(reason: string): NephoError {
  return invalidRecord(STATEMENT, reason);
}
