import { isNephoError, NephoError } from '../meters/errors.ts';
import type { JsonObject } from '../meters/json.ts';
import { canonicalJson } from './canonical_json.ts';
import { type ArchiveEntry, readArchiveEntry } from './archive_entry.ts';
import { type DefinitionsEntry, readDefinitionsEntry } from './definitions_entry.ts';
import { withinEntrySize } from './entry_size.ts';
import { type HistoryEntry, readHistoryEntry } from './history_entry.ts';
import { type KeyEntry, readKeyEntry } from './key_entry.ts';
import { readRevisionEntry, type RevisionEntry } from './revision_entry.ts';
import { encodeSampleEntry, readSampleEntry, type SampleEntry } from './sample_entry.ts';
import { readSealEntry, type SealEntry } from './seal_entry.ts';
import { readStatementEntry, type StatementEntry } from './statement_entry.ts';
import {
  decodeRecord,
  encodeRecord,
  invalidRecord,
  notCanonical,
  parseRecord,
  type RecordName,
  StrictRecord,
} from './strict_record.ts';
import { readUsageRulesEntry, type UsageRulesEntry } from './usage_rules_entry.ts';

/** What a log holds: one file for each kind says what it is about. */
export type LogEntry =
  | SampleEntry
  | DefinitionsEntry
  | KeyEntry
  | UsageRulesEntry
  | SealEntry
  | RevisionEntry
  | StatementEntry
  | HistoryEntry
  | ArchiveEntry;

const ENTRY: RecordName = { code: 'entry', name: 'an entry' };

/** A `Map`, since a kind comes from outside and may be called `constructor`. */
const READERS: ReadonlyMap<string, (record: StrictRecord) => LogEntry> = new Map<
  LogEntry['kind'],
  (record: StrictRecord) => LogEntry
>([
  ['sample', readSampleEntry],
  ['definitions', readDefinitionsEntry],
  ['key', readKeyEntry],
  ['usage_rules', readUsageRulesEntry],
  ['seal', readSealEntry],
  ['revision', readRevisionEntry],
  ['statement', readStatementEntry],
  ['history', readHistoryEntry],
  ['archive', readArchiveEntry],
]);

/**
 * The bytes, as text, that the log holds for a record of any kind.
 *
 * @throws {NephoError} `text_invalid` for half a surrogate pair, `entry_too_large`
 */
export function encodeEntry(entry: LogEntry): string {
  if (entry.kind === 'sample') return encodeSampleEntry(entry);
  return withinEntrySize(encodeRecord(entry));
}

/**
 * Reads an entry strictly: whatever is accepted is what encoding the result gives, byte for byte.
 *
 * @throws {NephoError} `entry_invalid` for bytes that are no entry, `entry_not_canonical` for another
 * way of writing one, `entry_kind_unknown` for a canonical record of a kind or version that this
 * program does not know, as a newer one may write
 */
export function parseEntry(bytes: Uint8Array | string): LogEntry {
  const text = typeof bytes === 'string' ? bytes : decodeRecord(bytes, ENTRY);
  const record = parseRecord(text, ENTRY);
  const entry = readEntry(record);
  if (entry === null) {
    if (canonicalOrNull(record) !== text) throw notCanonical(ENTRY, text);
    throw new NephoError(
      'entry_kind_unknown',
      `Cannot read an entry of kind ${JSON.stringify(record['kind'])}, version ${
        JSON.stringify(record['v'])
      }: only a newer version can`,
    );
  }
  if (encodeEntry(entry) !== text) throw notCanonical(ENTRY, text);
  return entry;
}

/** As {@link parseEntry}, but null for a kind or version that only a newer program knows. */
export function readKnownEntry(bytes: Uint8Array | string): LogEntry | null {
  try {
    return parseEntry(bytes);
  } catch (error) {
    if (isNephoError(error) && error.code === 'entry_kind_unknown') return null;
    throw error;
  }
}

function readEntry(record: JsonObject): LogEntry | null {
  const { kind, v } = record;
  if (typeof kind !== 'string') throw invalidRecord(ENTRY, "it has no text 'kind'");
  if (v !== 1) return null;
  return READERS.get(kind)?.(new StrictRecord(record, ENTRY)) ?? null;
}

function canonicalOrNull(record: JsonObject): string | null {
  try {
    return canonicalJson(record);
  } catch {
    return null;
  }
}
