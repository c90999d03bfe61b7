/** Evidence in files: receipts, windows and statements, checked offline and told as fields. */
import { readFile } from 'node:fs/promises';
import process from 'node:process';
import { usageOfRecord } from '../ledger/line_windows.ts';
import { parseStatementBundle } from '../ledger/statement_bundle.ts';
import { type VerifiedReceipt, verifyReceipt } from '../ledger/verify_receipt.ts';
import {
  type VerifiedStatement,
  verifyStatement,
  type VerifyStatementOptions,
} from '../ledger/verify_statement.ts';
import { type VerifiedWindow, verifyWindow } from '../ledger/verify_window.ts';
import { errorMessage, NephoError } from '../meters/errors.ts';
import { formatQuantity } from '../meters/quantity.ts';
import { usageUnit } from '../meters/usage_quantity.ts';
import { type JsonOption, printResult } from './output.ts';
import { formatFields } from './table.ts';
import { keyFileOf, savedRotations, trustedKeys } from './trusted_keys.ts';

export const EVIDENCE_KINDS = ['receipt', 'window', 'statement'] as const;
export type EvidenceKind = (typeof EVIDENCE_KINDS)[number];

export interface VerifyFileOptions extends JsonOption {
  vkey: string[];
  /** File of the bundle that a statement amends. */
  former?: string;
  /** Files of the windows that lines of a statement sum, one a line of the file. */
  windows?: { line: number; file: string }[];
  /** What the file has to hold; anything, unless given. */
  kind?: EvidenceKind;
}

type Field = readonly [string, unknown];
type Outcome =
  | { ok: true; value: object; fields: readonly Field[] }
  | { ok: false; value: { step: string; message: string } };

/**
 * Verifies the evidence in a file by the keys that are believed, prints what it says, and sets the status of
 * the process if it is refused.
 *
 * @throws {NephoError} `file_unreadable`, `vkey_missing`, `vkey_invalid`, `evidence_other`
 */
export async function verifyFile(file: string, options: VerifyFileOptions): Promise<void> {
  const text = await readEvidence(file);
  const kind = kindOf(text);
  if (options.kind !== undefined && options.kind !== kind) {
    throw new NephoError(
      'evidence_other',
      `Cannot verify '${file}' as a ${options.kind}: it is a ${kind}, use \`nepho verify\``,
    );
  }
  const keys = {
    vkeys: await trustedKeys(options.vkey, keyFileOf(file)),
    keyEntries: await savedRotations(file),
  };
  const outcome = await verifyEvidence(text, kind, { ...keys, ...await besidesOf(options) });
  printResult(
    outcome.value,
    options,
    () =>
      outcome.ok
        ? formatFields(outcome.fields)
        : `REFUSED at step '${outcome.value.step}': ${outcome.value.message}\n`,
  );
  if (!outcome.ok) process.exitCode = 1;
}

/** What else a statement is held against. */
async function besidesOf(
  { former, windows = [] }: VerifyFileOptions,
): Promise<Pick<VerifyStatementOptions, 'former' | 'windows'>> {
  const records = windows.map(async ({ line, file }) => ({
    line,
    records: (await readEvidence(file)).split('\n').filter((text) => text !== ''),
  }));
  return {
    windows: await Promise.all(records),
    ...former === undefined
      ? {}
      : { former: parseStatementBundle(await readEvidence(former)).document },
  };
}

async function readEvidence(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new NephoError('file_unreadable', `Cannot read '${file}': ${errorMessage(cause)}`, {
      cause,
    });
  }
}

/** Bundles are canonical JSON, whose keys are in order; receipts begin with a line of their own. */
function kindOf(text: string): EvidenceKind {
  if (!text.startsWith('{')) return 'receipt';
  return text.startsWith('{"kind":"window_bundle"') ? 'window' : 'statement';
}

async function verifyEvidence(
  text: string,
  kind: EvidenceKind,
  options: VerifyStatementOptions,
): Promise<Outcome> {
  switch (kind) {
    case 'receipt': {
      const value = await verifyReceipt(text, options);
      return value.ok ? { ok: true, value, fields: receiptFields(value) } : { ok: false, value };
    }
    case 'window': {
      const value = await verifyWindow(text, options);
      return value.ok ? { ok: true, value, fields: windowFields(value) } : { ok: false, value };
    }
    case 'statement': {
      const value = await verifyStatement(text, options);
      return value.ok ? { ok: true, value, fields: statementFields(value) } : { ok: false, value };
    }
  }
}

function placeFields(
  { origin, index, size, root }: Pick<VerifiedReceipt, 'origin' | 'index' | 'size' | 'root'>,
  signedBy: readonly string[],
): Field[] {
  return [
    ['verified', 'yes'],
    ['log', origin],
    ['entry', `${index} of ${size}`],
    ['root', root],
    ...signedBy.map((vkey): Field => ['signed by', vkey]),
  ];
}

function receiptFields(receipt: VerifiedReceipt): Field[] {
  const { entry } = receipt;
  const fields: Field[] = [
    ...placeFields(receipt, receipt.signedBy),
    ['kind', entry.kind],
    ['recorded', entry.recorded_at],
  ];
  if (entry.kind !== 'sample') return fields;
  const { meter, volume, unit, resource_id, project_id, timestamp, id } = entry;
  return [
    ...fields,
    ['sample', id],
    ['meter', meter],
    ['volume', `${volume} ${unit}`],
    ['resource', resource_id],
    ['project', project_id],
    ['timestamp', timestamp],
  ];
}

function windowFields(verified: VerifiedWindow): Field[] {
  const { window, entry } = verified;
  const { quantity } = usageOfRecord(window);
  return [
    ...placeFields(verified, verified.signedBy),
    ['kind', entry.kind],
    ['recorded', entry.recorded_at],
    ['window', `${window.start} to ${window.end}, revision ${window.revision}`],
    ['meter', `${window.meter} (${window.type})`],
    ['resource', window.resource_id],
    ['project', window.project_id],
    ['samples', window.count],
    ['quantity', `${formatQuantity(quantity)} ${usageUnit(window.type, window.unit)}`],
  ];
}

function statementFields(verified: VerifiedStatement): Field[] {
  const { statement, digest, entry } = verified;
  const signedBy = [...new Set([...verified.signedBy, ...verified.checkpointSignedBy])];
  return [
    ...placeFields(verified, signedBy),
    ['digest', digest],
    ['recorded', entry.recorded_at],
    ['project', statement.project_id],
    ['period', `${statement.period}: ${statement.start} to ${statement.end}, ${statement.zone}`],
    ['number', statement.number],
    ['amends', statement.amends?.digest],
    ['lines', statement.lines.length],
    ...statement.totals.map(({ meter, quantity, usage_unit }): Field => [
      meter,
      `${quantity} ${usage_unit}`,
    ]),
    ['open gaps', statement.gaps.length],
  ];
}
