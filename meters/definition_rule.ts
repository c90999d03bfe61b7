import type { DefinitionNode, MapNode, TextNode } from './definition_document.ts';
import type { FaultList, Place } from './definition_fault.ts';
import { type Plugin, readPlugin } from './definition_plugin.ts';
import { isNephoError } from './errors.ts';
import type { JsonValue } from './json.ts';
import { compileUnion, wayOf } from './path.ts';
import type { Datum, Effort } from './path_compile.ts';
import { parsePath } from './path_parser.ts';
import type { Path } from './path_syntax.ts';

/** How one attribute of a sample is read: a constant, a path, or paths through a plugin. */
export interface Rule {
  readonly place: Place;
  /** As written: Ceilometer keeps it as the value of a name, type or unit that finds nothing. */
  readonly text: string;
  /** A number or a word, the same for every notification. */
  readonly isConstant: boolean;
  /** Equal for rules that read the same. */
  readonly signature: string;
  /** The first value that is not null; null if there is none. */
  first(from: Datum, effort: Effort): JsonValue;
  /** All values, null among them, at most `limit`. */
  all(from: Datum, effort: Effort, limit: number): JsonValue[];
  /** All data found; a rule with a plugin has none. */
  data(from: Datum, effort: Effort, limit: number): Datum[];
}

export interface RuleOptions {
  /** The definition has `lookup`: the rule is asked for all values. */
  many: boolean;
  /** A name, type or unit: a word that is no path stands for itself. */
  word: boolean;
}

/** The fields of a notification; any other bare word finds nothing in it. */
const NOTIFICATION_FIELDS = new Set(['ctxt', 'publisher_id', 'event_type', 'payload', 'metadata']);

/** Compiles the value of an attribute. Null after a fault. */
export function compileRule(
  node: DefinitionNode,
  faults: FaultList,
  options: RuleOptions,
): Rule | null {
  switch (node.kind) {
    case 'number':
      return constantRule(node.place, node.text, node.value);
    case 'text':
      return compileTexts([node], node.place, { faults, options, plugin: null });
    case 'list':
      return compileFields(node, { faults, options, plugin: null });
    case 'map':
      return compileObject(node, faults, options);
    case 'bool':
    case 'null':
      faults.fault(
        'value_invalid',
        node.place,
        'This is neither a path nor a number',
        'Write a path such as $.payload.size, or a number',
      );
      return null;
  }
}

interface Compiling {
  faults: FaultList;
  options: RuleOptions;
  plugin: { run: Plugin; signature: string } | null;
}

/** `{fields: path or [paths], plugin: name or {name, parameters}}` */
function compileObject(node: MapNode, faults: FaultList, options: RuleOptions): Rule | null {
  for (const [key, { keyPlace }] of node.entries) {
    if (key !== 'fields' && key !== 'plugin') {
      faults.warn(
        'key_unknown',
        keyPlace,
        `The key '${key}' has no meaning here`,
        'Use fields and plugin',
      );
    }
  }
  const fields = node.entries.get('fields')?.value;
  const plugin = node.entries.get('plugin')?.value;
  const run = plugin === undefined ? null : readPlugin(plugin, faults, options.many);
  if (fields === undefined) {
    faults.fault(
      'key_missing',
      node.place,
      "The key 'fields' is missing",
      'Add fields: with a path or a list of paths',
    );
    return null;
  }
  if (plugin !== undefined && run === null) return null;
  if (fields.kind === 'number' && run === null) {
    return constantRule(fields.place, fields.text, fields.value);
  }
  const signature = plugin === undefined ? '' : signatureOf(plugin);
  return compileFields(fields, {
    faults,
    options: { ...options, word: false },
    plugin: run === null ? null : { run, signature },
  });
}

function compileFields(node: DefinitionNode, compiling: Compiling): Rule | null {
  const items = node.kind === 'list' ? node.items : [node];
  const texts = items.filter((item): item is TextNode => item.kind === 'text');
  if (texts.length === items.length && texts.length > 0) {
    return compileTexts(texts, node.place, compiling);
  }
  const wrong = items.find((item) => item.kind !== 'text') ?? node;
  compiling.faults.fault(
    'value_invalid',
    wrong.place,
    'The fields are not a path or a list of paths',
    'Write paths such as $.payload.size',
  );
  return null;
}

function compileTexts(texts: readonly TextNode[], place: Place, compiling: Compiling): Rule | null {
  const [only] = texts;
  const { faults, options, plugin } = compiling;
  if (options.word && only !== undefined && texts.length === 1 && isWord(only.text)) {
    return constantRule(place, only.text, only.text);
  }
  const paths = texts.flatMap((text) => readPath(text, faults) ?? []);
  if (paths.length < texts.length) return null;
  const written = texts.map(({ text }) => text);
  const path = compileUnion(paths);
  const signature = JSON.stringify([...written, plugin?.signature ?? null]);
  const text = written.join('|');
  if (plugin === null) {
    return {
      place,
      text,
      isConstant: false,
      signature,
      first: (from, effort) => path.first(from, effort),
      all: (from, effort, limit) => path.all(from, effort, limit).map(({ value }) => value),
      data: (from, effort, limit) => path.all(from, effort, limit),
    };
  }
  const run = (from: Datum, effort: Effort, limit: number, keepNulls: boolean): JsonValue[] => {
    const found = path.all(from, effort, limit).filter(({ value }) => keepNulls || value !== null);
    const values = plugin.run(found.map((datum) => ({ way: wayOf(datum), value: datum.value })));
    return values.filter((value) => value !== null);
  };
  return {
    place,
    text,
    isConstant: false,
    signature,
    first: (from, effort) => run(from, effort, MAX_PLUGIN_VALUES, false)[0] ?? null,
    all: (from, effort, limit) => run(from, effort, limit, true),
    data: () => [],
  };
}

/** Values that a plugin is given when one result is wanted. */
const MAX_PLUGIN_VALUES = 10_000;

function constantRule(place: Place, text: string, value: JsonValue): Rule {
  return {
    place,
    text,
    isConstant: true,
    signature: JSON.stringify([null, text]),
    first: () => value,
    all: () => [value],
    data: () => [],
  };
}

/** True if a text can find nothing in a notification, so that it stands for itself. */
function isWord(text: string): boolean {
  try {
    const path = parsePath(text);
    return isBare(path) && !NOTIFICATION_FIELDS.has(firstName(path));
  } catch {
    // `%` and `°C` are units, though no paths.
    return !/[$@`'"[\]]/.test(text);
  }
}

function isBare(path: Path): boolean {
  if (path.kind === 'fields') return path.names.length === 1 && path.names[0] !== '*';
  return path.kind === 'child' && isBare(path.left) && isBare(path.right);
}

function firstName(path: Path): string {
  if (path.kind === 'fields') return path.names[0] ?? '';
  return path.kind === 'child' ? firstName(path.left) : '';
}

function readPath(node: TextNode, faults: FaultList): Path | null {
  try {
    return parsePath(node.text);
  } catch (error) {
    if (!isNephoError(error)) throw error;
    const offset = Number(error.context['offset'] ?? 0);
    const remedy = String(error.context['remedy'] ?? 'Correct the path');
    faults.fault('path_invalid', node.placeAt(offset), error.message, remedy);
    return null;
  }
}

function signatureOf(node: DefinitionNode): string {
  if (node.kind === 'map') {
    return JSON.stringify([...node.entries].map(([key, { value }]) => [key, signatureOf(value)]));
  }
  if (node.kind === 'list') return JSON.stringify(node.items.map(signatureOf));
  return node.kind === 'text' || node.kind === 'number' ? node.text : node.kind;
}
