import { METER_TYPES } from '../../meters/sample.ts';
import type { Collector, Discovery, Pollster, StandalonePollster } from '../polling/pollster.ts';

/** What a module gave, sorted by what it is. */
export interface ModuleParts {
  readonly pollsters: Pollster[];
  readonly discoveries: Discovery[];
  readonly closers: (() => Promise<void>)[];
}

/** Told what is wrong with an export, and what to do. */
export type OnFault = (message: string, remedy: string) => void;

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$/;
const MAX_METER_NAME = 255;
/** Lists within lists of exports. */
const MAX_DEPTH = 8;
const NAME_REMEDY = 'Write letters, digits, dots, - and _, as room.climate';

type Fields = Readonly<Record<string, unknown>>;

/** Sorts what a module exports into its parts; what is none is a fault. */
export class ExportSorter {
  readonly #parts: ModuleParts;
  readonly #onFault: OnFault;

  constructor(parts: ModuleParts, onFault: OnFault) {
    this.#parts = parts;
    this.#onFault = onFault;
  }

  /** @param label where it stands, for faults: `Export 'climate'` */
  sort(value: unknown, label: string, depth = 0): void {
    if (Array.isArray(value) && depth < MAX_DEPTH) {
      for (const [at, each] of value.entries()) this.sort(each, `${label}[${at}]`, depth + 1);
      return;
    }
    const fields = fieldsOf(value);
    if (fields === null) {
      const remedy = 'Export pollsters, discoveries and collectors only';
      this.#onFault(`${label} is ${shown(value)}`, remedy);
    } else if ('poll' in fields) this.#sortPollster(fields, label);
    else if ('pollsters' in fields) this.#sortCollector(fields, label, depth);
    else if ('discover' in fields) {
      if (isDiscovery(fields, label, this.#onFault)) this.#parts.discoveries.push(fields);
    } else {
      this.#onFault(
        `${label} has neither 'poll', 'discover' nor 'pollsters'`,
        'Export what definePollster or defineDiscovery gives, or keep it to the module',
      );
    }
  }

  #sortPollster(fields: Fields, label: string): void {
    if (!isPollster(fields, label, this.#onFault)) return;
    if (!isStandalone(fields)) {
      this.#parts.pollsters.push(fields);
      return;
    }
    const { name, meters } = fields;
    const pollAt = fields.pollAt?.bind(fields);
    this.#parts.discoveries.push({
      name,
      discover: (context, parameter) => fields.discover(context, parameter),
    });
    this.#parts.pollsters.push({
      name,
      meters,
      discovery: name,
      poll: (unit, context) => fields.poll(unit, context),
      ...(pollAt === undefined ? {} : { pollAt }),
    });
  }

  #sortCollector(fields: Fields, label: string, depth: number): void {
    const collector = fields as Partial<Collector>;
    for (const key of ['pollsters', 'discoveries'] as const) {
      const list: unknown = collector[key] ?? [];
      if (Array.isArray(list)) this.sort(list, `${label}.${key}`, depth + 1);
      else this.#onFault(`${label}.${key} is ${shown(list)}`, 'Write a list');
    }
    const { close } = collector;
    if (close === undefined) return;
    if (typeof close === 'function') this.#parts.closers.push(async () => collector.close?.());
    else this.#onFault(`${label}.close is ${shown(close)}`, 'Write a function, or leave it out');
  }
}

function isStandalone(pollster: Pollster | StandalonePollster): pollster is StandalonePollster {
  return 'discover' in pollster;
}

function isPollster(
  fields: Fields,
  label: string,
  onFault: OnFault,
): fields is Fields & (Pollster | StandalonePollster) {
  let sound = checkName(fields, label, onFault);
  const fault = (message: string, remedy: string) => {
    sound = false;
    onFault(message, remedy);
  };
  checkMeters(fields['meters'], label, fault);
  checkFunction(fields, 'poll', label, fault);
  if (fields['pollAt'] !== undefined) checkFunction(fields, 'pollAt', label, fault);
  const { discovery, discover } = fields;
  if (discover !== undefined) checkFunction(fields, 'discover', label, fault);
  if (discover !== undefined && discovery !== undefined) {
    fault(`${label} has both 'discover' and 'discovery'`, 'Keep one of them');
  } else if (discover === undefined && (typeof discovery !== 'string' || discovery === '')) {
    fault(
      `${label} does not say what brings its units`,
      "Write discovery: 'name', the name of a discovery, or a function discover",
    );
  }
  return sound;
}

function isDiscovery(
  fields: Fields,
  label: string,
  onFault: OnFault,
): fields is Fields & Discovery {
  let sound = checkName(fields, label, onFault);
  const fault = (message: string, remedy: string) => {
    sound = false;
    onFault(message, remedy);
  };
  checkFunction(fields, 'discover', label, fault);
  if (fields['resource'] !== undefined) checkFunction(fields, 'resource', label, fault);
  return sound;
}

function checkName({ name }: Fields, label: string, onFault: OnFault): boolean {
  if (typeof name === 'string' && NAME.test(name)) return true;
  onFault(`${label} has the name ${shown(name)}`, NAME_REMEDY);
  return false;
}

function checkFunction(fields: Fields, key: string, label: string, onFault: OnFault): void {
  if (typeof fields[key] === 'function') return;
  onFault(`${label}.${key} is ${shown(fields[key])}`, 'Write a function');
}

function checkMeters(meters: unknown, label: string, onFault: OnFault): void {
  if (!Array.isArray(meters) || meters.length === 0) {
    onFault(
      `${label}.meters is ${shown(meters)}`,
      "Write [{ name: 'room.temperature', type: 'gauge', unit: '°C' }] and so on",
    );
    return;
  }
  for (const [at, meter] of meters.entries()) {
    const { name, type, unit } = fieldsOf(meter) ?? {};
    const where = `${label}.meters[${at}]`;
    if (typeof name !== 'string' || name === '' || name.length > MAX_METER_NAME) {
      onFault(`${where}.name is ${shown(name)}`, `Write 1 to ${MAX_METER_NAME} characters`);
    }
    if (!METER_TYPES.some((each) => each === type)) {
      onFault(`${where}.type is ${shown(type)}`, `Write ${METER_TYPES.join(', ')}`);
    }
    if (typeof unit !== 'string' || unit === '' || unit.length > MAX_METER_NAME) {
      onFault(`${where}.unit is ${shown(unit)}`, `Write 1 to ${MAX_METER_NAME} characters`);
    }
  }
}

/** What a value has by its keys; null if it is no object. */
export function fieldsOf(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? value as Fields
    : null;
}

/** A value in a message: short texts and constants as they are, of the rest the kind. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return value === '' ? 'an empty text' : `'${value.slice(0, 60)}'`;
  if (value === null || value === undefined || typeof value === 'boolean') return String(value);
  if (typeof value === 'number' || typeof value === 'bigint') return `the number ${value}`;
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
