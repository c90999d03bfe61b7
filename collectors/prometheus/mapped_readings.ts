import { isNephoError, NephoError } from '../../meters/errors.ts';
import { type ExpositionValue, isDecimalValue } from '../../meters/exposition_number.ts';
import type { JsonObject } from '../../meters/json.ts';
import {
  MAX_AGE_DAYS,
  MAX_AHEAD_DAYS,
  MAX_ID_LENGTH,
  MAX_NAME_LENGTH,
} from '../../meters/limits.ts';
import {
  addQuantities,
  formatQuantity,
  multiplyQuantities,
  parseQuantity,
} from '../../meters/quantity.ts';
import type { MeterType, Reading } from '../../meters/sample.ts';
import { checkStorableText } from '../../meters/storable_text.ts';
import { DAY_MICROS, formatMicros, toMicros } from '../../meters/timestamp.ts';
import type { PollContext } from '../polling/pollster.ts';
import { GapTally } from './gap_tally.ts';
import type { Mapping, MappingIndex } from './mapping.ts';

/** A series as an exporter or a query gives it. */
export interface Series {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  /** Null for a native histogram, which is no number. */
  readonly value: ExpositionValue | null;
  /** Microseconds since 1970; null for the time at which it was read. */
  readonly timestampMicros: bigint | null;
  /** By what the endpoint says, or by its name. */
  readonly type: MeterType;
}

export interface MappedUnit {
  readonly unitId: string;
  /** What `${__endpoint__}` stands for. */
  readonly endpoint: string;
  /** Labels that the settings put on every series. */
  readonly labels: Readonly<Record<string, string>>;
  /** When the answer came: canonical UTC timestamp. */
  readonly readAt: string;
}

/** Readings of one unit. */
const MAX_READINGS = 500_000;

interface Kept {
  reading: Reading;
  mapping: Mapping;
  /** To tell the same series said twice from another that makes the same reading. */
  series: Series;
  /** All that were added up, by their names and labels; null where none are. */
  addends: Set<string> | null;
  isAmbiguous: boolean;
}

/** Makes readings of the series of one unit, and says what became of those that gave none. */
export class MappedReadings {
  readonly #index: MappingIndex;
  readonly #unit: MappedUnit;
  readonly #context: PollContext;
  readonly #kept = new Map<string, Kept>();
  readonly #metadata = new Map<string, JsonObject>();
  readonly #wanted = new Map<string, boolean>();
  readonly #given = new Map<Mapping, number>();
  readonly #gaps = new GapTally();
  readonly #failed = new Set<Mapping>();
  /** Sums that lack an addend: half of one is worse than none. */
  readonly #spoiled = new Set<string>();
  readonly #earliest: bigint;
  readonly #latest: bigint;
  #repeated = 0;

  constructor(index: MappingIndex, unit: MappedUnit, context: PollContext) {
    this.#index = index;
    this.#unit = unit;
    this.#context = context;
    const now = toMicros(unit.readAt);
    this.#earliest = now - BigInt(MAX_AGE_DAYS) * DAY_MICROS;
    this.#latest = now + BigInt(MAX_AHEAD_DAYS) * DAY_MICROS;
  }

  /** @throws {NephoError} `too_large` for more readings than one unit may give */
  take(said: Series): void {
    const mappings = this.#index.of(said.name);
    if (mappings.length === 0) return;
    const series = this.#withOwnLabels(said);
    for (const mapping of mappings) {
      if (this.#failed.has(mapping) || !this.#takes(mapping, series)) continue;
      try {
        this.#map(mapping, series);
      } catch (error) {
        if (!isNephoError(error) || error.code === 'too_large') throw error;
        const reason = error.code === 'timestamp_invalid' ? error.code : 'value_invalid';
        this.#gaps.add(mapping.declared.name, reason, `${shown(series)}: ${error.message}`);
      }
    }
  }

  /** Ends the unit: what is missing is said. */
  finish(): Reading[] {
    const readings: Reading[] = [];
    for (const [key, { reading, mapping, isAmbiguous }] of this.#kept) {
      if (isAmbiguous || this.#spoiled.has(key)) continue;
      readings.push(reading);
      this.#given.set(mapping, (this.#given.get(mapping) ?? 0) + 1);
    }
    const { unitId } = this.#unit;
    for (const mapping of this.#index.all) {
      const given = this.#given.get(mapping) ?? 0;
      const { name } = mapping.declared;
      if (given >= mapping.atLeast || !this.#wants(name)) continue;
      const detail = `Got ${given} readings, at least ${mapping.atLeast} are expected`;
      this.#gaps.add(name, 'below_expectation', detail);
    }
    for (const { meter, reason, detail } of this.#gaps.list()) {
      this.#context.missing(unitId, meter, reason, detail);
    }
    if (this.#repeated > 0) {
      this.#context.remark('listed_twice', unitId, `${this.#repeated} series stand there twice`);
    }
    return readings;
  }

  #withOwnLabels(series: Series): Series {
    const own = Object.entries(this.#unit.labels);
    return own.length === 0 ? series : { ...series, labels: new Map([...series.labels, ...own]) };
  }

  #takes(mapping: Mapping, series: Series): boolean {
    if (mapping.selector === null) return true;
    try {
      return mapping.selector.matches(series.name, series.labels);
    } catch (error) {
      if (!isNephoError(error)) throw error;
      // Its next series would cost as much again.
      this.#failed.add(mapping);
      this.#gaps.add(mapping.declared.name, 'pollster_failed', error.message);
      return false;
    }
  }

  #map(mapping: Mapping, series: Series): void {
    const valueOf = (label: string): string | undefined => this.#valueOf(series, label);
    const meter = need(mapping.meter.fill(valueOf), 'a label of its meter is missing');
    if (!this.#wants(meter)) return;
    const resource = need(mapping.resourceId.fill(valueOf), 'a label of its resource is missing');
    const key = JSON.stringify([meter, resource]);
    try {
      const volume = volumeOf(mapping, series.value);
      if (volume === null) return;
      const reading: Reading = {
        meter,
        type: mapping.type ?? series.type,
        unit: mapping.unit,
        volume,
        resource_id: resource,
        project_id: mapping.projectId?.fill(valueOf) ?? null,
        user_id: mapping.userId?.fill(valueOf) ?? null,
        timestamp: this.#timestampOf(series),
        metadata: this.#metadataOf(mapping, series),
      };
      checkNames(reading);
      this.#keep(key, { reading, mapping, series, isAmbiguous: false, addends: null });
    } catch (error) {
      if (mapping.sum) this.#spoiled.add(key);
      throw error;
    }
  }

  #keep(key: string, made: Kept): void {
    const { reading, mapping, series } = made;
    const before = this.#kept.get(key);
    if (before === undefined) {
      if (this.#kept.size >= MAX_READINGS) {
        throw new NephoError('too_large', `Cannot keep more than ${MAX_READINGS} readings`);
      }
      if (mapping.sum) made.addends = new Set([keyOf(series)]);
      this.#kept.set(key, made);
      return;
    }
    if (before.addends?.has(keyOf(series)) ?? keyOf(before.series) === keyOf(series)) {
      this.#repeated += 1;
      return;
    }
    if (
      before.addends !== null && before.mapping === mapping &&
      isSameOwner(before.reading, reading)
    ) {
      before.addends.add(keyOf(series));
      before.reading = sumOf(before.reading, reading);
      return;
    }
    before.isAmbiguous = true;
    this.#gaps.add(
      mapping.declared.name,
      'value_invalid',
      `${shown(before.series)} and ${
        shown(made.series)
      } both give '${reading.meter}' of '${reading.resource_id}': name a label in resource_id, or sum`,
    );
  }

  #valueOf(series: Series, label: string): string | undefined {
    if (label === '__name__') return series.name;
    if (label === '__endpoint__') return this.#unit.endpoint;
    return series.labels.get(label);
  }

  #wants(meter: string): boolean {
    let wanted = this.#wanted.get(meter);
    if (wanted === undefined) this.#wanted.set(meter, wanted = this.#context.wants(meter));
    return wanted;
  }

  #timestampOf({ timestampMicros: micros }: Series): string {
    if (micros === null) return this.#unit.readAt;
    if (micros < this.#earliest || micros > this.#latest) {
      throw new NephoError('timestamp_invalid', `its time is ${micros} µs since 1970`);
    }
    return formatMicros(micros);
  }

  /** One object for all readings that share it: it is sent once then. */
  #metadataOf({ metadata }: Mapping, series: Series): JsonObject {
    const entries = metadata === 'all'
      ? [...series.labels]
      : metadata.flatMap(({ name, template }): [string, string][] => {
        const text = template.fill((label) => this.#valueOf(series, label));
        return text === null ? [] : [[name, text]];
      });
    const key = JSON.stringify(entries);
    let made = this.#metadata.get(key);
    if (made === undefined) this.#metadata.set(key, made = Object.fromEntries(entries));
    return made;
  }
}

/** @returns null for a value that the mapping passes over */
function volumeOf({ scale, skip }: Mapping, value: ExpositionValue | null): string | null {
  if (value === null) {
    throw new NephoError('value_invalid', 'it is a native histogram: query a figure of it');
  }
  if (!isDecimalValue(value)) {
    if (skip.has(value)) return null;
    throw new NephoError('value_invalid', `its value is ${value}`);
  }
  const quantity = parseQuantity(value);
  if (skip.size > 0 && skip.has(formatQuantity(quantity))) return null;
  if (scale === null) return formatQuantity(quantity);
  // Read again, for its length.
  return formatQuantity(parseQuantity(formatQuantity(multiplyQuantities(quantity, scale))));
}

function need(filled: string | null, problem: string): string {
  if (filled !== null) return filled;
  throw new NephoError('value_invalid', problem);
}

/** @throws {NephoError} `name_too_long`, `text_invalid` */
function checkNames({ meter, resource_id, project_id, user_id }: Reading): void {
  checkStorableText(meter, 'the meter', MAX_NAME_LENGTH);
  for (const id of [resource_id, project_id, user_id]) {
    if (id !== null) checkStorableText(id, 'an identifier', MAX_ID_LENGTH);
  }
}

/** The same for the same series, in whatever order its labels are written. */
function keyOf({ name, labels }: Series): string {
  return JSON.stringify([name, [...labels].sort(([left], [right]) => left < right ? -1 : 1)]);
}

function isSameOwner(left: Reading, right: Reading): boolean {
  return left.project_id === right.project_id && left.user_id === right.user_id &&
    left.type === right.type;
}

/** Both together: as late as the later, with the metadata that both have. */
function sumOf(left: Reading, right: Reading): Reading {
  const volume = addQuantities(parseQuantity(left.volume), parseQuantity(right.volume));
  return {
    ...left,
    volume: formatQuantity(volume),
    timestamp: left.timestamp > right.timestamp ? left.timestamp : right.timestamp,
    metadata: Object.fromEntries(
      Object.entries(left.metadata).filter(([key, value]) => right.metadata[key] === value),
    ),
  };
}

function shown({ name, labels }: Series): string {
  const pairs = [...labels].map(([label, value]) => `${label}="${value}"`).join(',');
  const text = `${name}{${pairs}}`;
  return `'${text.length > 100 ? `${text.slice(0, 100)}…` : text}'`;
}
