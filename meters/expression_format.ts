import { expressionFailure } from './expression_error.ts';
import {
  type Numeric,
  numericOf,
  numericText,
  quantityOfNumeric,
  truncate,
} from './expression_number.ts';
import { charactersOf } from './expression_text.ts';
import {
  asObject,
  Decimal,
  entriesOf,
  entryOf,
  isList,
  lift,
  type Raw,
  type Site,
  spend,
  spendText,
  Tuple,
  typeName,
  type Value,
} from './expression_value.ts';
import { divideQuantities } from './quantity.ts';

/** Levels of lists and dictionaries that are written out. */
const MAX_DEPTH = 64;
/** Characters that a number or text is filled up to, and decimals that are written. */
const MAX_WIDTH = 1_000;
const UNPRINTABLE = /[\p{C}\p{Z}]/u;
const PERCENT = /%(?:\(([^)]*)\))?([-0+ ]*)(\d*)(?:\.(\d*))?(.)/gsu;
const BRACES = /\{\{|\}\}|\{([^{}:!]*)(?::([^{}]*))?\}|[{}]/g;
const SPEC = /^([<>]?)(0?)(\d*)(?:\.(\d+))?([sdf]?)$/;

/** Python's `str`. */
export function textOf(value: Value, site: Site): string {
  return typeof value === 'string' ? value : represent(value, site, 0);
}

/** Python's `repr`. */
export function represent(value: Value, site: Site, depth: number): string {
  spend(site.effort, 1, site.at);
  if (depth > MAX_DEPTH) throw expressionFailure('too_large', 'it is nested too deeply', site.at);
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'string') return quoted(value, site);
  if (typeof value === 'bigint' || value instanceof Decimal) return numericText(value);
  const parts = (items: readonly Raw[]) =>
    items.map((item) => represent(lift(item), site, depth + 1)).join(', ');
  const text = isList(value)
    ? `[${parts(value)}]`
    : value instanceof Tuple
    ? `(${parts(value.items)}${value.items.length === 1 ? ',' : ''})`
    : dictText(value, site, depth);
  spendText(site.effort, text.length, site.at);
  return text;
}

function dictText(value: Value, site: Site, depth: number): string {
  const object = asObject(value);
  if (object === null) {
    throw expressionFailure('type', `${typeName(value)} has no text`, site.at);
  }
  const entries = entriesOf(object).map(([key, item]) =>
    `${represent(lift(key), site, depth + 1)}: ${represent(lift(item), site, depth + 1)}`
  );
  return `{${entries.join(', ')}}`;
}

function quoted(text: string, site: Site): string {
  spendText(site.effort, text.length, site.at);
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const inside = Array.from(charactersOf(text), (point) => {
    if (point === '\\' || point === quote) return `\\${point}`;
    if (point === '\n') return '\\n';
    if (point === '\r') return '\\r';
    if (point === '\t') return '\\t';
    return point === ' ' || !UNPRINTABLE.test(point) ? point : escaped(point.codePointAt(0) ?? 0);
  });
  return `${quote}${inside.join('')}${quote}`;
}

function escaped(code: number): string {
  const [letter, digits] = code <= 0xff ? ['x', 2] : code <= 0xffff ? ['u', 4] : ['U', 8];
  return `\\${letter}${code.toString(16).padStart(digits, '0')}`;
}

/** `template % values`: of Python's conversions s, r, d, i and f, and %%. */
export function percentFormat(template: string, values: Value, site: Site): string {
  const list = values instanceof Tuple ? values.items : null;
  let next = 0;
  let named = false;
  const text = template.replace(PERCENT, (...found: (string | undefined)[]) => {
    const [, name, flags = '', width = '', precision, conversion = ''] = found;
    if (conversion === '%') return '%';
    named ||= name !== undefined;
    const value = name === undefined
      ? argument(list === null ? [values] : list, next, site)
      : namedArgument(values, name, site);
    next += name === undefined ? 1 : 0;
    if (!'srdif'.includes(conversion)) {
      throw expressionFailure('value', `'%${conversion}' is not known; use s, d or f`, site.at);
    }
    return filled(converted(value, conversion, precision, site), {
      width: widthOf(width, site),
      left: flags.includes('-'),
      zeros: flags.includes('0') && 'dif'.includes(conversion),
      sign: 'dif'.includes(conversion)
        ? flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : ''
        : '',
    });
  });
  // A lone value may be left over only if it is a dictionary or list, as in Python.
  const whole = asObject(values) !== null || isList(values);
  if (!named && next < (list === null ? (whole ? 0 : 1) : list.length)) {
    throw expressionFailure('type', 'not all values stand in the text', site.at);
  }
  if (/%/.test(template.replace(PERCENT, ''))) {
    throw expressionFailure('value', "a '%' stands alone; write %%", site.at);
  }
  spendText(site.effort, text.length, site.at);
  return text;
}

/** `template.format(…)`: `{}`, `{0}`, `{name}`, each with width, zeros, decimals and s, d or f. */
export function braceFormat(
  template: string,
  values: readonly Value[],
  named: ReadonlyMap<string, Value>,
  site: Site,
): string {
  let next = 0;
  let numbered: boolean | null = null;
  const text = template.replace(BRACES, (found: string, field?: string, spec = '') => {
    if (found === '{{' || found === '}}') return found.charAt(0);
    if (field === undefined) throw expressionFailure('value', 'a brace stands alone', site.at);
    if (field === '' || /^\d+$/.test(field)) {
      if (numbered === (field === '')) {
        throw expressionFailure('value', 'numbered and unnumbered fields are mixed', site.at);
      }
      numbered = field !== '';
      const index = field === '' ? next++ : Number(field);
      return formatted(argument(values, index, site), spec, site);
    }
    const value = named.get(field);
    if (value === undefined) {
      throw expressionFailure('key_missing', 'a field of the text has no value', site.at);
    }
    return formatted(value, spec, site);
  });
  spendText(site.effort, text.length, site.at);
  return text;
}

function formatted(value: Value, spec: string, site: Site): string {
  const match = SPEC.exec(spec);
  if (match === null) {
    throw expressionFailure('value', 'a format has more than width, decimals and type', site.at);
  }
  const [, align, zero, width = '', precision, type = ''] = match;
  if (spec === '') return textOf(value, site);
  const numeric = typeof value === 'boolean' && type === '' ? null : numericOf(value);
  const wrong = type === 's' || type === ''
    ? typeof value !== 'string' && (type === 's' || numeric === null || precision !== undefined)
    : numeric === null ||
      (type === 'd' && (typeof numeric !== 'bigint' || precision !== undefined));
  if (wrong || (zero === '0' && (numeric === null || align !== ''))) {
    throw expressionFailure('type', `${typeName(value)} cannot be written so`, site.at);
  }
  return filled(converted(value, type || 's', precision, site), {
    width: widthOf(width, site),
    left: align === '<' || (align === '' && numeric === null),
    zeros: zero === '0',
    sign: '',
  });
}

function converted(
  value: Value,
  conversion: string,
  precision: string | undefined,
  site: Site,
): string {
  const digits = precision === undefined ? null : widthOf(precision, site);
  if (conversion === 's' || conversion === 'r') {
    const text = conversion === 's' ? textOf(value, site) : represent(value, site, 0);
    return digits === null ? text : Array.from(text).slice(0, digits).join('');
  }
  const numeric = numericOf(value);
  if (numeric === null) {
    throw expressionFailure('type', `${typeName(value)} is no number`, site.at);
  }
  if (conversion === 'f') return fixed(numeric, digits ?? 6);
  if (digits !== null) throw expressionFailure('value', 'a whole number has no decimals', site.at);
  return truncate(numeric).toString();
}

/** With so many decimals, halves to the even neighbour. */
function fixed(value: Numeric, digits: number): string {
  const rounded = divideQuantities(quantityOfNumeric(value), { unscaled: 1n, scale: 0 }, digits);
  const unscaled = rounded.unscaled * 10n ** BigInt(digits - rounded.scale);
  const text = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(digits + 1, '0');
  const point = text.length - digits;
  const sign = unscaled < 0n ? '-' : '';
  return digits === 0 ? `${sign}${text}` : `${sign}${text.slice(0, point)}.${text.slice(point)}`;
}

function filled(
  text: string,
  { width, left, zeros, sign }: { width: number; left: boolean; zeros: boolean; sign: string },
): string {
  const signed = sign !== '' && !text.startsWith('-') ? sign + text : text;
  const missing = width - charactersOf(signed).length;
  if (missing <= 0) return signed;
  if (left) return signed + ' '.repeat(missing);
  if (!zeros) return ' '.repeat(missing) + signed;
  const start = /^[-+ ]/.test(signed) ? 1 : 0;
  return signed.slice(0, start) + '0'.repeat(missing) + signed.slice(start);
}

function widthOf(digits: string, site: Site): number {
  const width = Number(digits || '0');
  if (width > MAX_WIDTH) throw expressionFailure('too_large', 'a width is too large', site.at);
  return width;
}

function argument(values: readonly Raw[], index: number, site: Site): Value {
  const value = values[index];
  if (value !== undefined) return lift(value);
  throw expressionFailure('type', 'the text has more places than there are values', site.at);
}

function namedArgument(values: Value, name: string, site: Site): Value {
  const object = asObject(values);
  if (object === null) throw expressionFailure('type', 'a named place needs a dict', site.at);
  const found = entryOf(object, name, site.at);
  if (found === undefined) {
    throw expressionFailure('key_missing', 'a field of the text has no value', site.at);
  }
  return lift(found);
}
