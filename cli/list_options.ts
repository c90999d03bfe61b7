import { type Command, InvalidArgumentError } from 'commander';
import { withJson } from './output.ts';

export interface ListOptions {
  json?: boolean;
  limit: number;
  cursor?: string;
}

/** Rows that a list shows unless told otherwise. */
const DEFAULT_ROWS = 50;
/** Rows of one call. */
const PAGE_ROWS = 1_000;

/** Adds `--limit`, `--cursor` and `--json`. */
export function withPaging(command: Command): Command {
  return withJson(command)
    .option('--limit <rows>', 'rows at most', wholeNumber, DEFAULT_ROWS)
    .option('--cursor <cursor>', 'go on where a former list ended');
}

export function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('Give a whole number above 0.');
  return Number(text);
}

export function wholeNumberFrom0(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Give a whole number.');
  return Number(text);
}

export interface Collected<Row> {
  rows: Row[];
  next_cursor: string | null;
}

/** Reads page after page until there are `limit` rows or no more. */
export async function collectRows<Row>(
  options: ListOptions,
  page: (request: { limit: number; cursor?: string }) => Promise<Collected<Row>>,
): Promise<Collected<Row>> {
  const rows: Row[] = [];
  let cursor = options.cursor;
  for (;;) {
    const limit = Math.min(PAGE_ROWS, options.limit - rows.length);
    const { rows: more, next_cursor } = await page(
      cursor === undefined ? { limit } : { limit, cursor },
    );
    rows.push(...more);
    if (next_cursor === null || rows.length >= options.limit) return { rows, next_cursor };
    cursor = next_cursor;
  }
}

/** The line below a table that is not the whole. */
export function moreLine(next: string | null): string {
  return next === null ? '' : `There is more: --cursor ${next}\n`;
}
