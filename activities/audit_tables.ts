/** The tables that entries refer to, row by row: each must be what its own hash says. */
import type { Pool } from 'pg';
import { unpairedPlaces } from '../db/audit_rows.ts';
import { listArchives } from '../db/archives.ts';
import { readRecord } from '../db/records.ts';
import { strayLines } from '../db/audit_statements.ts';
import {
  definitionSets,
  keeperGaps,
  missingSets,
  type NamedSet,
  originPages,
  seriesPages,
  strayRows,
  usageRuleSets,
} from '../db/audit_tables.ts';
import type { DefinitionSetFile } from '../db/schema/definition_sets.ts';
import { brokenInvariants } from '../db/invariants.ts';
import { canonicalJson } from '../ledger/canonical_json.ts';
import { readKnownEntry } from '../ledger/entry.ts';
import { definitionsDigest, originKey, seriesKey } from '../ledger/identity.ts';
import { leafOfPosition, logOfPosition } from '../ledger/position.ts';
import { sha256Hex } from '../ledger/sha256.ts';
import { digestOfUsageRules } from '../ledger/usage_rules_entry.ts';
import type { JsonObject } from '../meters/json.ts';
import type { AuditReport } from './audit_report.ts';

/** Rows that stand beside an entry of the log, by the entry's kind. */
const PAIRS = [
  ['seals', 'seal'],
  ['revisions', 'revision'],
  ['statements', 'statement'],
  ['workflow_histories', 'history'],
  ['archives', 'archive'],
] as const;

/** Audits what is not about an hour, a statement or a history alone. */
export async function auditTables(pool: Pool, report: AuditReport): Promise<void> {
  await report.step('rows beside entries', 'records: of all logs', () => checkPairs(pool, report));
  await report.step('series', 'series', () => checkSeries(pool, report));
  await report.step('origins', 'origins', () => checkOrigins(pool, report));
  await report.step('definition sets', 'definition_sets', () => checkDefinitions(pool, report));
  await report.step('usage rules', 'usage_rule_sets', () => checkUsageRules(pool, report));
  await report.step('keepers', 'window_keepers', () => checkKeepers(pool, report));
  await report.step('invariants', 'samples, origins, batches', () => checkInvariants(pool, report));
}

async function checkPairs(pool: Pool, report: AuditReport): Promise<string> {
  for (const [table, kind] of PAIRS) {
    for (const { entry, row } of await unpairedPlaces(pool, table, kind)) {
      const place = entry ?? row ?? 0;
      // An archive that was made anew has a later entry.
      if (kind === 'archive' && entry !== null && await isRemade(pool, entry)) continue;
      report.find(
        'unpaired',
        `${table}: entry ${leafOfPosition(place)} of log ${logOfPosition(place)}`,
        row === null ? `the '${kind}' entry has no row` : `the row has no '${kind}' entry`,
      );
    }
  }
  for (const { row, detail } of await strayRows(pool)) report.find('stray_row', row, detail);
  for (const { projectId, period, number } of await strayLines(pool)) {
    report.find(
      'unpaired',
      `statement_lines: ${period} of ${projectId}, number ${number}`,
      'there is no such statement',
    );
  }
  return `each row of ${
    PAIRS.map(([table]) => table).join(', ')
  } has its entry, and the other way round`;
}

async function isRemade(pool: Pool, position: number): Promise<boolean> {
  const names = new Set((await listArchives(pool)).map(({ name }) => name));
  const text = await readRecord(pool, position);
  const entry = text === null ? null : readKnownEntry(text);
  return entry?.kind === 'archive' && names.has(entry.name);
}

async function checkSeries(pool: Pool, report: AuditReport): Promise<string> {
  let count = 0;
  for await (const page of seriesPages(pool)) {
    for (const { series_id, key, log_id, ...fields } of page) {
      const expected = seriesKey(log_id, fields);
      if (key !== expected) {
        report.find(
          'series_wrong',
          `series: ${series_id}`,
          `its fields give the key ${expected}, 'key' is ${key}`,
        );
      }
    }
    count += page.length;
  }
  report.count('series', count);
  return `${count} series have the keys of their fields`;
}

async function checkOrigins(pool: Pool, report: AuditReport): Promise<string> {
  let count = 0;
  for await (const page of originPages(pool)) {
    for (const { origin_id, key, source, origin } of page) {
      const expected = originKey(source, origin).replaceAll('-', '');
      if (key !== expected) {
        report.find(
          'origin_wrong',
          `origins: ${origin_id}`,
          `its source and origin give the key ${expected}, 'key' is ${key}`,
        );
      }
    }
    count += page.length;
  }
  report.count('origins', count);
  return `${count} origins have the keys of their ids`;
}

async function checkDefinitions(pool: Pool, report: AuditReport): Promise<string> {
  const sets = await definitionSets(pool);
  for (const set of sets) {
    const files = JSON.parse(set.text) as DefinitionSetFile[];
    const isWhole = definitionsDigest(files) === set.digest &&
      files.every(({ text, sha256 }) => sha256Hex(text) === sha256);
    checkSet(report, 'definition_sets', set, isWhole);
  }
  for (const digest of await missingSets(pool, 'definition_sets')) {
    report.find('set_missing', `definition_sets: ${digest}`, 'an entry names it, it is not there');
  }
  return `${sets.length} sets have the digests of their files, and entries name them`;
}

async function checkUsageRules(pool: Pool, report: AuditReport): Promise<string> {
  const sets = await usageRuleSets(pool);
  for (const set of sets) {
    const rules = JSON.parse(set.text) as JsonObject;
    checkSet(
      report,
      'usage_rule_sets',
      set,
      digestOfUsageRules(rules) === set.digest && canonicalJson(rules) === set.text,
    );
  }
  for (const digest of await missingSets(pool, 'usage_rule_sets')) {
    report.find('set_missing', `usage_rule_sets: ${digest}`, 'an entry names it, it is not there');
  }
  return `${sets.length} sets have the digests of their rules, and entries name them`;
}

function checkSet(
  report: AuditReport,
  table: string,
  { digest, isNamed }: NamedSet,
  isWhole: boolean,
): void {
  if (!isWhole) report.find('set_wrong', `${table}: ${digest}`, 'it is not what its digest says');
  // A worker may have stored a set, and not begun to use it yet.
  else if (!isNamed && table === 'usage_rule_sets') {
    report.find('set_wrong', `${table}: ${digest}`, 'no entry of a log names it');
  }
}

async function checkKeepers(pool: Pool, report: AuditReport): Promise<string> {
  for (const { logId, detail } of await keeperGaps(pool)) {
    report.find('keeper_wrong', `window_keepers: log ${logId}`, detail);
  }
  return 'the hours that keepers call sealed have a seal each';
}

async function checkInvariants(pool: Pool, report: AuditReport): Promise<string> {
  for (const { name, rows } of await brokenInvariants(pool)) {
    const shown = rows.map((row) =>
      Object.entries(row).map(([key, value]) => `${key} ${String(value)}`).join(', ')
    );
    report.find(
      'invariant_broken',
      INVARIANT_TABLES.get(name) ?? 'samples, origins, batches',
      `${name}: ${shown.join('; ')}`,
    );
  }
  return 'samples, origins, batches, counts and tiles fit each other';
}

/** Of the invariants that are about other tables. */
const INVARIANT_TABLES: ReadonlyMap<string, string> = new Map([
  ['metadata and quarantine are what their digests say', 'metadata, quarantine'],
  ['a log has as many origins as it says', 'logs, origins'],
  ['a log is as long as it says', 'logs, samples, records'],
  ['event counts add up to the origins and samples', 'event_counts, origins'],
  ['the last checkpoint signs the head', 'logs, checkpoints'],
  ['tiles hold the hashes of complete subtrees', 'tiles, logs'],
  ['a row refers to rows that exist', 'samples, series, metadata, batches, definition_sets'],
]);
