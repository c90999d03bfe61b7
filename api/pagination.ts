import { Buffer } from 'node:buffer';
import { canonicalJson } from '../ledger/canonical_json.ts';
import { sha256Hex } from '../ledger/sha256.ts';
import type { JsonValue } from '../meters/json.ts';
import { apiError } from './errors.ts';

/** Rows of a page unless the caller says otherwise, and at most. */
export const DEFAULT_PAGE_ROWS = 100;
export const MAX_PAGE_ROWS = 1_000;
/** Characters of a cursor: two identifiers of the greatest length and what surrounds them. */
export const MAX_CURSOR_LENGTH = 16_384;

/**
 * What a page answers: the procedure, its filters and who asks. A cursor belongs to one query: applied
 * to other filters it would silently skip rows.
 */
export interface PagedQuery {
  procedure: string;
  filters: Readonly<Record<string, JsonValue | undefined>>;
}

const VERSION = 1;
/** Hexadecimal digits of the query's digest in a cursor: a mark against mistakes, not a signature. */
const MARK_LENGTH = 16;

/** The cursor that callers get for a cursor of the store; null stays null. */
export function bindCursor(query: PagedQuery, storeCursor: string | null): string | null {
  if (storeCursor === null) return null;
  const text = JSON.stringify([VERSION, markOf(query), storeCursor]);
  return Buffer.from(text, 'utf8').toString('base64url');
}

/**
 * The cursor of the store in a caller's cursor. Tenancy does not hang on it: a forged one moves the
 * page's beginning within what the caller may see anyway.
 *
 * @throws {NephoError} `cursor_invalid`, `cursor_of_another_query`
 */
export function openCursor(query: PagedQuery, cursor: string | undefined): string | null {
  if (cursor === undefined) return null;
  const [version, mark, storeCursor, ...rest] = readCursor(cursor);
  if (version !== VERSION || typeof storeCursor !== 'string' || rest.length > 0) throw invalid();
  if (mark === markOf(query)) return storeCursor;
  throw apiError(
    'cursor_of_another_query',
    'Cannot go on from this cursor: it was made for another query or another key',
  );
}

function readCursor(cursor: string): unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (Array.isArray(value)) return value;
  } catch {
    // Not ours: told below.
  }
  throw invalid();
}

function markOf({ procedure, filters }: PagedQuery): string {
  const given = Object.entries(filters).filter(([, value]) => value !== undefined);
  const text = canonicalJson([procedure, Object.fromEntries(given) as Record<string, JsonValue>]);
  return sha256Hex(text).slice(0, MARK_LENGTH);
}

function invalid(): Error {
  return apiError('cursor_invalid', 'Cannot read the cursor: it is not one of this API');
}
