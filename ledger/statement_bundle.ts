import { NephoError } from '../meters/errors.ts';
import { canonicalJson } from './canonical_json.ts';
import { MAX_STATEMENT_BYTES } from './statement_document.ts';
import { notCanonical, parseRecord, type RecordName, StrictRecord } from './strict_record.ts';

/**
 * A statement with its evidence. Needs nothing but the deployment's public key to be checked, see
 * `verify_statement.ts`.
 */
export interface StatementBundle {
  /** The document, see `statement_document.ts`. */
  document: string;
  /** The signed note over its digest. */
  signature: string;
  /** The receipt of its `statement` entry. */
  receipt: string;
}

/** UTF-16 units. Each quote of the document takes two here; beside it stand a note and a receipt. */
const MAX_LENGTH = 2 * MAX_STATEMENT_BYTES + 4_000_000;
const BUNDLE: RecordName = { code: 'statement_bundle', name: 'a statement bundle' };

export function formatStatementBundle(bundle: StatementBundle): string {
  const { document, signature, receipt } = bundle;
  return canonicalJson({ kind: 'statement_bundle', v: 1, document, signature, receipt });
}

/**
 * Reads a bundle strictly: formatting the result gives the same text. Believe nothing in it before it is
 * verified.
 *
 * @throws {NephoError} `statement_bundle_invalid`, `statement_bundle_not_canonical`
 */
export function parseStatementBundle(text: string): StatementBundle {
  if (text.length > MAX_LENGTH) {
    throw new NephoError(
      'statement_bundle_invalid',
      'Cannot read a statement bundle: it is too long',
    );
  }
  const record = new StrictRecord(parseRecord(text, BUNDLE), BUNDLE);
  if (record.text('kind') !== 'statement_bundle') {
    throw record.wrong('kind', "is not 'statement_bundle'");
  }
  if (record.count('v') !== 1) {
    throw record.wrong('v', 'is not 1: only a newer version can read it');
  }
  const bundle = {
    document: record.text('document'),
    signature: record.text('signature'),
    receipt: record.text('receipt'),
  };
  if (formatStatementBundle(bundle) !== text) throw notCanonical(BUNDLE, text);
  return bundle;
}
