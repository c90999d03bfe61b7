import { expressionFailure } from './expression_error.ts';

/** Python's texts are made of code points, so places and lengths are counted in those. */
export type Characters = string | readonly string[];

const SURROGATE = /[\ud800-\udfff]/;
/** What Python strips and splits at; JavaScript's own list differs. */
const SPACES =
  '\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008' +
  '\u2009\u200a\u2028\u2029\u202f\u205f\u3000';
const LINE_END = /\r\n|[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]/;
const CASED = /\p{Cased}/u;

/** A text by its code points; the text itself where no character takes two units. */
export function charactersOf(text: string): Characters {
  return SURROGATE.test(text) ? Array.from(text) : text;
}

export function characterAt(characters: Characters, index: number): string | undefined {
  return typeof characters === 'string' ? characters.charAt(index) || undefined : characters[index];
}

/** Where code unit `unit` of the text stands in code points. */
export function pointIndex(text: string, unit: number): number {
  return unit < 0 || !SURROGATE.test(text) ? unit : Array.from(text.slice(0, unit)).length;
}

/** Negative, zero or positive, by code points. */
export function compareTexts(left: string, right: string): number {
  if (left === right) return 0;
  if (!SURROGATE.test(left) && !SURROGATE.test(right)) return left < right ? -1 : 1;
  const [a, b] = [Array.from(left), Array.from(right)];
  for (let at = 0; at < Math.min(a.length, b.length); at += 1) {
    const difference = (a[at]?.codePointAt(0) ?? 0) - (b[at]?.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** @param characters what to take off; null for white space */
export function strip(text: string, characters: string | null, side: 'l' | 'r' | 'both'): string {
  const set = new Set(characters ?? SPACES);
  const points = charactersOf(text);
  let start = 0;
  let end = points.length;
  if (side !== 'r') { while (start < end && set.has(points[start] ?? '')) start += 1; }
  if (side !== 'l') { while (end > start && set.has(points[end - 1] ?? '')) end -= 1; }
  return typeof points === 'string' ? points.slice(start, end) : points.slice(start, end).join('');
}

/** @param separator null for runs of white space. @param most how many cuts; negative for all */
export function split(text: string, separator: string | null, most: number): string[] {
  if (separator === null) return splitAtSpace(text, most);
  const parts: string[] = [];
  let start = 0;
  while (most < 0 || parts.length < most) {
    const found = text.indexOf(separator, start);
    if (found < 0) break;
    parts.push(text.slice(start, found));
    start = found + separator.length;
  }
  parts.push(text.slice(start));
  return parts;
}

/** As {@link split}, from the right. */
export function splitFromRight(text: string, separator: string | null, most: number): string[] {
  if (most < 0) return split(text, separator, most);
  if (separator === null) {
    // White space is the same from either side, so turn the text round, and its parts back.
    const turn = (part: string) => Array.from(part).reverse().join('');
    return splitAtSpace(turn(text), most).map(turn).reverse();
  }
  const parts: string[] = [];
  let end = text.length;
  while (parts.length < most && end >= separator.length) {
    const found = text.lastIndexOf(separator, end - separator.length);
    if (found < 0) break;
    parts.push(text.slice(found + separator.length, end));
    end = found;
  }
  parts.push(text.slice(0, end));
  return parts.reverse();
}

function splitAtSpace(text: string, most: number): string[] {
  const parts: string[] = [];
  const isSpace = (at: number) => SPACES.includes(text.charAt(at));
  let at = 0;
  for (;;) {
    while (at < text.length && isSpace(at)) at += 1;
    if (at >= text.length) return parts;
    if (most >= 0 && parts.length >= most) {
      // The rest keeps what it has inside and after it, but from the right nothing.
      parts.push(text.slice(at));
      return parts;
    }
    const start = at;
    while (at < text.length && !isSpace(at)) at += 1;
    parts.push(text.slice(start, at));
  }
}

export function splitLines(text: string): string[] {
  const parts = text.split(LINE_END);
  if (parts.at(-1) === '') parts.pop();
  return parts;
}

/** Occurrences that do not overlap. */
export function countText(text: string, part: string): number {
  if (part === '') return charactersOf(text).length + 1;
  return split(text, part, -1).length - 1;
}

/** @param most how many; negative for all */
export function replaceText(
  text: string,
  { from, to, most }: { from: string; to: string; most: number },
): string {
  if (from !== '') return split(text, from, most).join(to);
  const points = Array.from(text);
  const places = most < 0 ? points.length + 1 : Math.min(most, points.length + 1);
  return points.map((point, at) => (at < places ? to + point : point)).join('') +
    (places > points.length ? to : '');
}

/**
 * Each word with one capital. Only for letters of Latin scripts: elsewhere the capital at the start of
 * a word differs from the capital, and Python knows which.
 */
export function titleText(text: string, at: number): string {
  let previous = false;
  return Array.from(latin(text, at), (point) => {
    const result = previous ? point.toLowerCase() : point.toUpperCase();
    previous = CASED.test(point);
    return result;
  }).join('');
}

export function capitalizeText(text: string, at: number): string {
  const [first = '', ...rest] = Array.from(latin(text, at));
  return first.toUpperCase() + rest.join('').toLowerCase();
}

function latin(text: string, at: number): string {
  if (/^[\0-\xde\xe0-\u0148\u014a-\u017f]*$/.test(text)) return text;
  throw expressionFailure('value', 'only letters of Latin scripts can be capitalized', at);
}

export function isDigits(text: string, at: number): boolean {
  if (/^[\0-\x7f]*$/.test(text)) return /^[0-9]+$/.test(text);
  throw expressionFailure('value', 'only ASCII can be tested for digits', at);
}
