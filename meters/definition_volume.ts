import { isNephoError, NephoError } from './errors.ts';
import { ExactNumber, type JsonValue } from './json.ts';
import { formatQuantity, parseQuantity } from './quantity.ts';

/** Underscores between digits, which Python's `float` passes over. */
const UNDERSCORE = /(?<=\d)_(?=\d)/g;

/**
 * The canonical decimal of a volume. Numeric text counts, and booleans are 1 and 0, as in Ceilometer;
 * `nan` and `inf`, which its `float` takes, do not.
 *
 * @throws {NephoError} `volume_invalid`
 */
export function readVolume(value: JsonValue): string {
  if (typeof value === 'number') {
    const text = String(value);
    // A whole number below 1e21 and a short fraction are canonical as JavaScript writes them.
    if (!text.includes('e') && Number.isFinite(value)) return text;
  }
  if (typeof value === 'boolean') return value ? '1' : '0';
  const text = typeof value === 'string'
    ? value.trim().replace(UNDERSCORE, '')
    : typeof value === 'number'
    ? String(value)
    : value instanceof ExactNumber
    ? value.text
    : null;
  if (text === null) throw invalid(Array.isArray(value) ? 'a list' : 'an object');
  try {
    return formatQuantity(parseQuantity(text));
  } catch (error) {
    throw invalid(
      isNephoError(error) && error.code === 'quantity_too_long'
        ? 'too long'
        : `'${text.slice(0, 80)}'`,
    );
  }
}

function invalid(what: string): NephoError {
  return new NephoError(
    'volume_invalid',
    `Cannot read a volume: it is ${what}, want a decimal number`,
  );
}
