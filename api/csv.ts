/** What a spreadsheet takes for the beginning of a formula. */
const FORMULA = /^[=+\-@\t\r]/;
const QUOTED = /[",\r\n]/;

/**
 * A line of CSV (RFC 4180). Text that a spreadsheet would compute is given an apostrophe in front, since
 * names of resources are whatever tenants make them; numbers stay as they are.
 *
 * https://owasp.org/www-community/attacks/CSV_Injection
 */
export function csvLine(cells: readonly (string | { number: string })[]): string {
  const texts = cells.map((cell) => {
    if (typeof cell !== 'string') return cell.number;
    const safe = FORMULA.test(cell) ? `'${cell}` : cell;
    return QUOTED.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  });
  return `${texts.join(',')}\r\n`;
}
