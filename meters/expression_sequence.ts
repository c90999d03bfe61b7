import { expressionFailure } from './expression_error.ts';
import { characterAt, charactersOf } from './expression_text.ts';
import {
  asObject,
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

/** `value[index]`: a place from either end, or a dictionary's key. @throws `expression_failed` */
export function indexed(value: Value, index: Value, site: Site): Value {
  const object = asObject(value);
  if (object !== null) {
    const found = entryOf(object, index, site.at);
    if (found !== undefined) return lift(found);
    const named = typeof index === 'string' ? ` '${index.slice(0, 80)}'` : '';
    throw expressionFailure('key_missing', `there is no key${named}`, site.at);
  }
  const sequence = sequenceOf(value, site);
  const place = wholeOf(index, site.at);
  const at = place < 0 ? place + sequence.length : place;
  const found = typeof sequence === 'string' ? characterAt(sequence, at) : sequence[at];
  if (found === undefined || at < 0) {
    throw expressionFailure('index_missing', `there is no place ${place}`, site.at);
  }
  return lift(found);
}

/** `value[start:stop:step]`, with Python's rules for what lies outside. */
export function sliced(
  value: Value,
  bounds: { start: Value; stop: Value; step: Value },
  site: Site,
): Value {
  const sequence = sequenceOf(value, site);
  const step = bounds.step === null ? 1 : wholeOf(bounds.step, site.at);
  if (step === 0) throw expressionFailure('value', 'a slice cannot step by 0', site.at);
  const { length } = sequence;
  const [lowest, highest] = step > 0 ? [0, length] : [-1, length - 1];
  const place = (bound: Value, absent: number) => {
    if (bound === null) return absent;
    const at = wholeOf(bound, site.at);
    return Math.min(Math.max(at < 0 ? at + length : at, lowest), highest);
  };
  const start = place(bounds.start, step > 0 ? 0 : length - 1);
  const stop = place(bounds.stop, step > 0 ? length : -1);
  const items: Raw[] = [];
  for (let at = start; step > 0 ? at < stop : at > stop; at += step) {
    const item = sequence[at];
    if (item !== undefined) items.push(item);
  }
  spend(site.effort, items.length, site.at);
  if (typeof value === 'string') return items.filter((item) => typeof item === 'string').join('');
  return value instanceof Tuple ? new Tuple(items) : items;
}

function sequenceOf(value: Value, site: Site): string | readonly Raw[] {
  if (typeof value === 'string') {
    spendText(site.effort, value.length, site.at);
    const characters = charactersOf(value);
    return characters;
  }
  if (isList(value)) return value;
  if (value instanceof Tuple) return value.items;
  throw expressionFailure('type', `${typeName(value)} has no places`, site.at);
}

function wholeOf(value: Value, at: number): number {
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'bigint') {
    const whole = Number(value);
    return Math.min(Math.max(whole, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
  }
  throw expressionFailure('type', `${typeName(value)} is no place`, at);
}
