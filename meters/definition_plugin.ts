import type { DefinitionNode } from './definition_document.ts';
import type { FaultList, Place } from './definition_fault.ts';
import { ExactNumber, type JsonValue } from './json.ts';
import type { Match } from './path.ts';
import { equal } from './path_compare.ts';
import { splitText } from './path_compile.ts';
import { jsonNumber } from './path_number.ts';
import { parseTimestamp, toMicros } from './timestamp.ts';

/** What a trait plugin makes of the values found; null where it has none. */
export type Plugin = (matches: readonly Match[]) => JsonValue[];

interface Parameters {
  readonly place: Place;
  readonly entries: ReadonlyMap<string, { keyPlace: Place; value: DefinitionNode }>;
  readonly faults: FaultList;
}

interface PluginMaker {
  make: (parameters: Parameters) => Plugin;
  names: readonly string[];
  /** Whether it can give several values, as a definition with `lookup` wants. */
  many: boolean;
}

const MICROS_PER_SECOND_DECIMALS = 6;
const MAX_BIT = 1_000;

/** The trait plugins of Ceilometer, with its parameters and defaults. */
const PLUGINS: Readonly<Record<string, PluginMaker>> = {
  timedelta: { make: () => timedelta, names: [], many: false },
  split: { make: makeSplit, names: ['separator', 'segment', 'max_split'], many: true },
  bitfield: { make: makeBitfield, names: ['initial_bitfield', 'flags'], many: false },
  map: { make: makeMap, names: ['values', 'default', 'case_sensitive'], many: true },
};

/** Reads `plugin: name` or `plugin: {name, parameters}`. Null after a fault. */
export function readPlugin(node: DefinitionNode, faults: FaultList, many: boolean): Plugin | null {
  const nameNode = node.kind === 'map' ? node.entries.get('name')?.value : node;
  const name = nameNode?.kind === 'text' ? nameNode.text : '';
  const maker = Object.hasOwn(PLUGINS, name) ? PLUGINS[name] : undefined;
  if (maker === undefined) {
    faults.fault(
      'plugin_invalid',
      nameNode?.place ?? node.place,
      `There is no plugin '${name}'`,
      `Use one of ${Object.keys(PLUGINS).join(', ')}`,
    );
    return null;
  }
  if (many && !maker.many) {
    faults.fault(
      'plugin_invalid',
      node.place,
      `The plugin '${name}' gives one value, a definition with 'lookup' wants several`,
      "Remove 'lookup' or the plugin",
    );
  }
  const given = node.kind === 'map' ? node.entries.get('parameters')?.value : undefined;
  const entries = given?.kind === 'map' ? given.entries : new Map<string, never>();
  if (given !== undefined && given.kind !== 'map' && given.kind !== 'null') {
    faults.fault(
      'plugin_invalid',
      given.place,
      "The plugin's parameters are no mapping",
      'Write name: value pairs',
    );
  }
  for (const [key, { keyPlace }] of entries) {
    if (!maker.names.includes(key)) {
      faults.warn(
        'key_unknown',
        keyPlace,
        `The plugin '${name}' has no parameter '${key}'`,
        `It has ${maker.names.join(', ') || 'none'}`,
      );
    }
  }
  return maker.make({ place: given?.place ?? node.place, entries, faults });
}

/** Seconds between exactly two times, never negative, exact to the microsecond. */
function timedelta(matches: readonly Match[]): JsonValue[] {
  const [start, end, ...more] = matches;
  if (start === undefined || end === undefined || more.length > 0) return [null];
  if (typeof start.value !== 'string' || typeof end.value !== 'string') return [null];
  try {
    const micros = toMicros(parseTimestamp(end.value)) - toMicros(parseTimestamp(start.value));
    const unscaled = micros < 0n ? -micros : micros;
    return [jsonNumber(reduced(unscaled, MICROS_PER_SECOND_DECIMALS))];
  } catch {
    // Unreadable times are no volume, as in the ancestor: an instance that never launched has none.
    return [null];
  }
}

function reduced(unscaled: bigint, scale: number): { unscaled: bigint; scale: number } {
  if (scale === 0 || unscaled % 10n !== 0n) return { unscaled, scale: unscaled === 0n ? 0 : scale };
  return reduced(unscaled / 10n, scale - 1);
}

function makeSplit(parameters: Parameters): Plugin {
  const separator = readText(parameters, 'separator', '.');
  const segment = readInteger(parameters, 'segment', 0);
  const maxSplit = readInteger(parameters, 'max_split', -1);
  if (separator === '') {
    parameters.faults.fault(
      'plugin_invalid',
      parameters.place,
      "The parameter 'separator' is empty",
      'Give the text to split at',
    );
  }
  return (matches) =>
    matches.map(({ value }) => {
      const text = pythonText(value);
      return text === null ? null : splitText(text, separator, maxSplit).at(segment) ?? null;
    });
}

function makeBitfield(parameters: Parameters): Plugin {
  const initial = readInteger(parameters, 'initial_bitfield', 0);
  const given = parameters.entries.get('flags')?.value;
  const flags = (given?.kind === 'list' ? given.items : []).flatMap((item) =>
    readFlag(item, parameters) ?? []
  );
  return (matches) => {
    const found = new Map(matches.map(({ way, value }) => [way, value]));
    let bits = BigInt(initial);
    for (const { path, bit, value } of flags) {
      const actual = found.get(path);
      if (actual !== undefined && (value === undefined || equal(actual, value))) {
        bits |= 1n << BigInt(bit);
      }
    }
    return [jsonNumber({ unscaled: bits, scale: 0 })];
  };
}

function readFlag(node: DefinitionNode, parameters: Parameters) {
  const path = node.kind === 'map' ? node.entries.get('path')?.value : undefined;
  const bit = node.kind === 'map' ? node.entries.get('bit')?.value : undefined;
  const number = bit?.kind === 'number' ? Number(bit.text) : -1;
  if (path?.kind !== 'text' || !Number.isInteger(number) || number < 0 || number > MAX_BIT) {
    parameters.faults.fault(
      'plugin_invalid',
      node.place,
      'A flag has no path or no bit',
      "Write {path: payload.field, bit: 0, value: 'x'}",
    );
    return null;
  }
  const value = node.kind === 'map' ? node.entries.get('value')?.value : undefined;
  return {
    path: path.text,
    bit: number,
    value: value === undefined ? undefined : constantOf(value),
  };
}

function makeMap(parameters: Parameters): Plugin {
  const { entries, faults, place } = parameters;
  const given = entries.get('values')?.value;
  if (given?.kind !== 'map' || given.entries.size === 0) {
    faults.fault(
      'plugin_invalid',
      given?.place ?? place,
      "The plugin 'map' has no values",
      'Write values: {from: to}',
    );
  }
  const sensitive = entries.get('case_sensitive')?.value;
  const fold = sensitive?.kind === 'bool' && !sensitive.value;
  const keyOf = (text: string) => fold ? text.toLowerCase() : text;
  const values = new Map(
    given?.kind === 'map'
      ? [...given.entries].map(([key, { value }]) => [keyOf(key), constantOf(value)] as const)
      : [],
  );
  const otherwise = entries.get('default')?.value;
  const fallback = otherwise === undefined ? null : constantOf(otherwise);
  return (matches) =>
    matches.map(({ value }) => {
      const text = pythonText(value);
      return text === null ? fallback : values.get(keyOf(text)) ?? fallback;
    });
}

function readText({ entries, faults }: Parameters, key: string, fallback: string): string {
  const node = entries.get(key)?.value;
  if (node === undefined || node.kind === 'null') return fallback;
  if (node.kind === 'text') return node.text;
  if (node.kind === 'number') return node.text;
  faults.fault('plugin_invalid', node.place, `The parameter '${key}' is no text`, 'Quote it');
  return fallback;
}

function readInteger({ entries, faults }: Parameters, key: string, fallback: number): number {
  const node = entries.get(key)?.value;
  if (node === undefined || node.kind === 'null') return fallback;
  if (
    node.kind === 'number' && typeof node.value === 'number' && Number.isSafeInteger(node.value)
  ) {
    return node.value;
  }
  faults.fault(
    'plugin_invalid',
    node.place,
    `The parameter '${key}' is no whole number`,
    'Write a whole number',
  );
  return fallback;
}

function constantOf(node: DefinitionNode): JsonValue {
  if (node.kind === 'text') return node.text;
  return node.kind === 'number' || node.kind === 'bool' ? node.value : null;
}

/** A scalar as Python's `str` writes it; null for lists, objects and null. */
export function pythonText(value: JsonValue): string | null {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return String(value);
  return value instanceof ExactNumber ? value.text : null;
}
