import { isNephoError, NephoError } from '../meters/errors.ts';
import { followKeys } from './keyring.ts';
import { checkLineWindows, type LineRecords } from './line_windows.ts';
import { parseNote, verifyNote } from './note.ts';
import { parseStatementBundle } from './statement_bundle.ts';
import {
  checkAmends,
  checkDifferences,
  checkGaps,
  checkLines,
  checkTotals,
} from './statement_check.ts';
import {
  parseStatement,
  signatureText,
  statementDigest,
  type StatementDocument,
} from './statement_document.ts';
import type { StatementEntry } from './statement_entry.ts';
import {
  type ReceiptStep,
  type VerifiedReceipt,
  verifyReceipt,
  type VerifyReceiptOptions,
} from './verify_receipt.ts';
import type { VerifierKey } from './vkey.ts';

/** What a statement bundle is checked for, in this order. */
export type StatementStep =
  | 'format' // the text is a statement bundle
  | 'document' // it holds a statement in canonical form
  | 'signature' // a trusted key signed this document
  | `receipt.${ReceiptStep}` // the receipt is that of an entry of a log that a trusted key signed
  | 'entry' // the entry is that of a statement of this project, period and number
  | 'digest' // it names this document by its digest
  | 'lines' // the lines are in order, each once, and their quantities follow from their exact figures
  | 'totals' // the totals are the sums of the lines
  | 'gaps' // the gaps are in order
  | 'amends' // it amends the statement before it, and the differences are those from that one
  | 'windows'; // the windows that were given are those that their lines sum, and come to the same

export interface VerifiedStatement {
  ok: true;
  statement: StatementDocument;
  /** SHA-256 of the document, 64 hexadecimal digits. */
  digest: string;
  entry: StatementEntry;
  /** The entry's leaf index. */
  index: number;
  /** The log's name. */
  origin: string;
  /** The checkpoint's size and root, the latter as 64 hexadecimal digits. */
  size: number;
  root: string;
  /** The trusted keys that signed the document, and those that signed the checkpoint. */
  signedBy: string[];
  checkpointSignedBy: string[];
}

export interface RefusedStatement {
  ok: false;
  /** The step that broke. Those before it held, those after it were not reached. */
  step: StatementStep;
  code: string;
  message: string;
}

export interface VerifyStatementOptions extends VerifyReceiptOptions {
  /** The document of the statement that this one amends: the differences are checked against it. */
  former?: string;
  /** The windows of lines: that they are the ones that the line sums is checked. */
  windows?: readonly LineRecords[];
}

/**
 * Verifies a statement offline, with nothing but public keys: that the deployment signed it and logged
 * it, and that its figures fit each other. Runs on Node, Deno and in a browser.
 *
 * @throws {NephoError} `vkey_invalid` for a key that the caller gave; what is wrong with the bundle is
 * the result, not an error
 */
export async function verifyStatement(
  text: string,
  options: VerifyStatementOptions,
): Promise<VerifiedStatement | RefusedStatement> {
  const keyring = await followKeys(options.vkeys, options.keyEntries ?? []);
  const keys = keyring.keys.map(({ key }) => key);
  // Moves on as the steps do, so that a failure is named by where it happened.
  const at: { step: StatementStep } = { step: 'format' };
  try {
    const bundle = parseStatementBundle(text);
    at.step = 'document';
    const statement = parseStatement(bundle.document);
    const digest = statementDigest(bundle.document);
    at.step = 'signature';
    const signedBy = await openSignature(bundle.signature, { statement, digest }, keys);
    const receipt = await verifyReceipt(bundle.receipt, options);
    if (!receipt.ok) return { ...receipt, step: `receipt.${receipt.step}` };
    at.step = 'entry';
    const entry = entryOf(receipt, statement);
    at.step = 'digest';
    checkDigest(entry, digest);
    checkFigures(statement, options, at);
    const { index, origin, size, root, signedBy: checkpointSignedBy } = receipt;
    return {
      ok: true,
      statement,
      digest,
      entry,
      index,
      origin,
      size,
      root,
      signedBy: signedBy.map(({ vkey }) => vkey),
      checkpointSignedBy,
    };
  } catch (error) {
    if (!isNephoError(error)) throw error;
    return { ok: false, step: at.step, code: error.code, message: error.message };
  }
}

async function openSignature(
  signature: string,
  { statement, digest }: { statement: StatementDocument; digest: string },
  keys: readonly VerifierKey[],
): Promise<VerifierKey[]> {
  const note = parseNote(signature);
  const signedBy = await verifyNote(note, keys);
  if (note.text === signatureText(statement, digest)) return signedBy;
  throw new NephoError(
    'signature_foreign',
    `Cannot accept the signature: it is of another text than this statement, whose digest is ${digest}`,
  );
}

function entryOf({ entry }: VerifiedReceipt, statement: StatementDocument): StatementEntry {
  if (entry.kind !== 'statement') {
    throw new NephoError(
      'statement_entry_wrong',
      `Cannot accept the statement: the receipt is that of a '${entry.kind}' entry`,
    );
  }
  const differing = (['project_id', 'period', 'number', 'start', 'end'] as const)
    .find((key) => entry[key] !== statement[key]) ??
    (entry.lines === statement.lines.length ? undefined : 'lines') ??
    (sameCovers(entry, statement) ? undefined : 'covers');
  if (differing === undefined) return entry;
  throw new NephoError(
    'statement_entry_wrong',
    `Cannot accept the statement: '${differing}' is not what the log's entry says`,
  );
}

function sameCovers(entry: StatementEntry, statement: StatementDocument): boolean {
  return entry.covers.length === statement.covers.length &&
    entry.covers.every(({ origin, size }, index) => {
      const other = statement.covers[index];
      return other?.origin === origin && other.size === size;
    });
}

function checkDigest(entry: StatementEntry, digest: string): void {
  if (entry.digest === digest) return;
  throw new NephoError(
    'statement_digest_wrong',
    `Cannot accept the statement: its digest is ${digest}, the log's entry says ${entry.digest}`,
  );
}

function checkFigures(
  statement: StatementDocument,
  { former, windows }: VerifyStatementOptions,
  at: { step: StatementStep },
): void {
  at.step = 'lines';
  checkLines(statement);
  at.step = 'totals';
  checkTotals(statement);
  at.step = 'gaps';
  checkGaps(statement);
  at.step = 'amends';
  checkAmends(statement);
  if (former !== undefined) {
    checkFormer(statement, statementDigest(former));
    checkDifferences(statement, parseStatement(former));
  }
  at.step = 'windows';
  for (const given of windows ?? []) checkLineWindows(statement, given);
}

function checkFormer({ amends }: StatementDocument, digest: string): void {
  if (amends?.digest === digest) return;
  throw new NephoError(
    'statement_amends_wrong',
    `Cannot accept the statement: it amends ${
      amends?.digest ?? 'none'
    }, the former one that was given is ${digest}`,
  );
}
