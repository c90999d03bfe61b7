/** A column of a table for people. */
export interface Column<Row> {
  title: string;
  value: (row: Row) => string | number | null | undefined;
  /** Numbers stand to the right. */
  align?: 'left' | 'right';
}

const GAP = '  ';
/** Control characters of all kinds, line breaks and marks that change the direction of writing. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Surrogate}]/gu;

/**
 * Rows under their titles, in columns as wide as they must be. What is absent is a hyphen.
 *
 * @returns lines with a newline each
 */
export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = rows.map((row) => columns.map((column) => printable(column.value(row))));
  const titles = columns.map((column) => column.title.toUpperCase());
  const widths = titles.map((title, i) =>
    Math.max(title.length, ...cells.map((line) => line[i]?.length ?? 0))
  );
  const lines = [titles, ...cells].map((line) =>
    line.map((cell, i) =>
      columns[i]?.align === 'right' ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)
    ).join(GAP).trimEnd()
  );
  return lines.map((line) => `${line}\n`).join('');
}

/** Names and their values below each other. */
export function formatFields(fields: readonly (readonly [string, unknown])[]): string {
  const width = Math.max(0, ...fields.map(([name]) => name.length));
  return fields.map(([name, value]) => `${name.padEnd(width)}${GAP}${printable(value)}\n`).join('');
}

/**
 * Text as a terminal may show it: what a notification says must not move the cursor or retitle the
 * window.
 */
export function printable(value: unknown): string {
  if (value === null || value === undefined || value === '') return '-';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.replace(
    UNPRINTABLE,
    (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
