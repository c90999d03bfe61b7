import { errorMessage, NephoError } from '../meters/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../meters/json.ts';
import { isCanonicalQuantity } from '../meters/quantity.ts';
import { METER_TYPES, type MeterType } from '../meters/sample.ts';
import { isCanonicalTimestamp } from '../meters/timestamp.ts';
import { decodeUtf8 } from './bytes.ts';
import { canonicalJson } from './canonical_json.ts';

/** What is being read, for the errors: `entry` gives `entry_invalid` and "Cannot read an entry: …". */
export interface RecordName {
  code: string;
  name: string;
}

/**
 * Reads the fields of a JSON object strictly. A field that is not what it must be is an error that names
 * it; fields that nobody asks for are found by writing what was read and comparing the texts.
 */
export class StrictRecord {
  readonly object: JsonObject;
  readonly #what: RecordName;
  /** Where the object stands in the whole, as `lines[3].`; empty for the whole. */
  readonly #place: string;

  constructor(object: JsonObject, what: RecordName, place = '') {
    this.object = object;
    this.#what = what;
    this.#place = place;
  }

  text(key: string): string {
    const value = this.object[key];
    if (typeof value !== 'string') throw this.wrong(key, 'is not text');
    return value;
  }

  textOrNull(key: string): string | null {
    return this.object[key] === null ? null : this.text(key);
  }

  /** Lower-case hexadecimal of so many digits. */
  hex(key: string, digits: number): string {
    const value = this.text(key);
    if (value.length !== digits || !/^[0-9a-f]+$/.test(value)) {
      throw this.wrong(key, `is not ${digits} lower-case hexadecimal digits`);
    }
    return value;
  }

  hexOrNull(key: string, digits: number): string | null {
    return this.object[key] === null ? null : this.hex(key, digits);
  }

  time(key: string): string {
    const value = this.text(key);
    if (!isCanonicalTimestamp(value)) {
      throw this.wrong(key, 'is not a time in UTC with microseconds');
    }
    return value;
  }

  timeOrNull(key: string): string | null {
    return this.object[key] === null ? null : this.time(key);
  }

  /** A whole number from 0. */
  count(key: string): number {
    const value = this.object[key];
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
      throw this.wrong(key, 'is not a whole number from 0');
    }
    return value;
  }

  countOrNull(key: string): number | null {
    return this.object[key] === null ? null : this.count(key);
  }

  flag(key: string): boolean {
    const value = this.object[key];
    if (typeof value !== 'boolean') throw this.wrong(key, 'is neither true nor false');
    return value;
  }

  quantity(key: string): string {
    const value = this.text(key);
    if (!isCanonicalQuantity(value)) throw this.wrong(key, 'is not a canonical decimal');
    return value;
  }

  quantityOrNull(key: string): string | null {
    return this.object[key] === null ? null : this.quantity(key);
  }

  meterType(key: string): MeterType {
    const value = this.object[key];
    const type = METER_TYPES.find((known) => known === value);
    if (type === undefined) throw this.wrong(key, `is none of ${METER_TYPES.join(', ')}`);
    return type;
  }

  /** An object within this one. */
  record(key: string): StrictRecord {
    return this.#inner(this.object[key], key);
  }

  recordOrNull(key: string): StrictRecord | null {
    return this.object[key] === null ? null : this.record(key);
  }

  /** A list of objects. */
  records<Item>(key: string, read: (item: StrictRecord) => Item): Item[] {
    return this.list(key).map((item, index) => read(this.#inner(item, `${key}[${index}]`)));
  }

  /** A list of texts that ascend: so that one set has one form. */
  ascendingTexts(key: string): string[] {
    const texts = this.list(key).map((item) => {
      if (typeof item !== 'string') throw this.wrong(key, 'has an item that is not text');
      return item;
    });
    checkAscending(texts, (a, b) => a < b, () => this.wrong(key, 'is not in ascending order'));
    return texts;
  }

  list(key: string): JsonValue[] {
    const value = this.object[key];
    if (!Array.isArray(value)) throw this.wrong(key, 'is not a list');
    return value;
  }

  /** The error for a field of this object. */
  wrong(key: string, fault: string): NephoError {
    return invalidRecord(this.#what, `'${this.#place}${key}' ${fault}`);
  }

  #inner(value: JsonValue | undefined, place: string): StrictRecord {
    if (value === undefined || !isJsonObject(value)) throw this.wrong(place, 'is not an object');
    return new StrictRecord(value, this.#what, `${this.#place}${place}.`);
  }
}

/** Holds each item to be less than the next. */
export function checkAscending<Item>(
  items: readonly Item[],
  isLess: (left: Item, right: Item) => boolean,
  fault: (index: number) => NephoError,
): void {
  let previous: Item | undefined;
  items.forEach((item, index) => {
    if (previous !== undefined && !isLess(previous, item)) throw fault(index);
    previous = item;
  });
}

/** The JSON object that a text is. @throws {NephoError} `<code>_invalid` */
export function parseRecord(text: string, what: RecordName): JsonObject {
  let value: JsonValue;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalidRecord(what, `it is not JSON: ${errorMessage(cause)}`);
  }
  if (!isJsonObject(value)) throw invalidRecord(what, 'it is not a JSON object');
  return value;
}

/** The text that bytes are. @throws {NephoError} `<code>_invalid` */
export function decodeRecord(bytes: Uint8Array, what: RecordName): string {
  try {
    return decodeUtf8(bytes);
  } catch (cause) {
    throw invalidRecord(what, 'it is not UTF-8', cause);
  }
}

/** An object of our own interfaces as canonical JSON. @throws {NephoError} `text_invalid` */
export function encodeRecord(record: object): string {
  return canonicalJson(Object.fromEntries(Object.entries(record)));
}

export function invalidRecord({ code, name }: RecordName, reason: string, cause?: unknown) {
  return new NephoError(`${code}_invalid`, `Cannot read ${name}: ${reason}`, { cause });
}

export function notCanonical({ code, name }: RecordName, text: string): NephoError {
  return new NephoError(
    `${code}_not_canonical`,
    `Cannot accept ${name} '${text.slice(0, 80)}…': it is not in canonical form`,
  );
}
