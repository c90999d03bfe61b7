import { ExactNumber, type JsonValue } from '../../meters/json.ts';
import { formatQuantity, parseQuantity } from '../../meters/quantity.ts';

export interface NumberRead {
  /** An exact decimal in canonical form. */
  volume: string;
  /** True if it came as text: worth the remark `number_as_text`. */
  wasText: boolean;
}

const MAX_TEXT = 80;

/** The decimal that stands in an answer as a number or as text; null for everything else. */
export function readNumber(value: JsonValue | undefined): NumberRead | null {
  if (typeof value === 'number' && Number.isSafeInteger(value)) {
    return { volume: value === 0 ? '0' : String(value), wasText: false };
  }
  const text = value instanceof ExactNumber
    ? value.text
    : typeof value === 'number' || typeof value === 'string'
    ? String(value)
    : null;
  if (text === null || text.length > MAX_TEXT) return null;
  try {
    return { volume: formatQuantity(parseQuantity(text)), wasText: typeof value === 'string' };
  } catch {
    return null;
  }
}
