import { Buffer } from 'node:buffer';
import { NephoError } from '../meters/errors.ts';

/** The most rows that one page of a list may have. */
export const MAX_PAGE = 1_000;

/** How a list is read: from its beginning, or from where the last page ended. */
export interface PageRequest {
  /** 1 to {@link MAX_PAGE} rows. */
  limit: number;
  /** `nextCursor` of the page before, of the same list with the same filters. */
  cursor?: string | null | undefined;
}

export interface Page<Row> {
  rows: Row[];
  /** Null after the last page. */
  nextCursor: string | null;
}

/**
 * A cursor is the sort key of the last row given, after the name of its list, so that a cursor of
 * another list is refused. Opaque to clients.
 */
export function encodeCursor(list: string, key: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify([list, ...key])).toString('base64url');
}

/**
 * The key of a cursor, null without one. `shape` says of each part what it must be.
 *
 * @throws {NephoError} `cursor_invalid`
 */
export function decodeCursor(
  list: string,
  cursor: string | null | undefined,
  shape: readonly ('string' | 'number')[],
): (string | number)[] | null {
  if (cursor === null || cursor === undefined) return null;
  const parts = parse(cursor);
  const [name, ...key] = Array.isArray(parts) ? parts as unknown[] : [];
  const isOfShape = key.length === shape.length &&
    key.every((part, index) =>
      typeof part === shape[index] && (typeof part === 'string' || Number.isSafeInteger(part))
    );
  if (name !== list || !isOfShape) {
    throw new NephoError(
      'cursor_invalid',
      `Cannot continue from cursor '${
        cursor.slice(0, 80)
      }': it is not one of '${list}', begin anew`,
    );
  }
  return key as (string | number)[];
}

/** @throws {NephoError} `limit_invalid` */
export function checkLimit(limit: number): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_PAGE) return;
  throw new NephoError('limit_invalid', `Cannot give ${limit} rows: ask for 1 to ${MAX_PAGE}`);
}

/** Cuts the row beyond the limit off, whose presence says that there is another page. */
export function pageOf<Row>(
  rows: Row[],
  limit: number,
  cursorOf: (row: Row) => string,
): Page<Row> {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return {
    rows: page,
    nextCursor: rows.length > limit && last !== undefined ? cursorOf(last) : null,
  };
}

function parse(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    return null;
  }
}
