import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
} from 'yaml';
import type { FaultList, Place } from './definition_fault.ts';
import type { ExactNumber } from './json.ts';
import { jsonNumber } from './path_number.ts';
import { parseQuantity } from './quantity.ts';

/** A YAML value with its place. Aliases are followed and merge keys (`<<`) applied. */
export type DefinitionNode =
  | MapNode
  | ListNode
  | TextNode
  | {
    kind: 'number';
    value: number | ExactNumber;
    text: string;
    place: Place;
  }
  | { kind: 'bool'; value: boolean; place: Place }
  | { kind: 'null'; place: Place };

export interface MapNode {
  kind: 'map';
  entries: ReadonlyMap<string, { keyPlace: Place; value: DefinitionNode }>;
  place: Place;
}
export interface ListNode {
  kind: 'list';
  items: readonly DefinitionNode[];
  place: Place;
}
export interface TextNode {
  kind: 'text';
  text: string;
  place: Place;
  /** The place of a character of the text; that of the text itself where escapes or folding hide it. */
  placeAt(offset: number): Place;
}

/** UTF-16 units of one file. Ceilometer's own has 14,000. */
const MAX_FILE_LENGTH = 1_048_576;
const MAX_DEPTH = 32;
/** What PyYAML calls booleans; the `yaml` package also takes `y` and `n` for such. */
const BOOLEAN = /^(?:yes|Yes|YES|true|True|TRUE|on|On|ON|no|No|NO|false|False|FALSE|off|Off|OFF)$/;
const NUMBER = /^[-+]?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d{1,3})?$/;

interface Reader {
  readonly file: string;
  readonly text: string;
  readonly lines: LineCounter;
  readonly faults: FaultList;
  readonly resolve: (node: Node) => unknown;
  /** Made once for each node, so that a nest of aliases cannot multiply. */
  readonly made: Map<unknown, DefinitionNode>;
}

/** Reads a file as YAML 1.1, the version of Ceilometer's PyYAML. Null after a fault. */
export function readDocument(file: string, text: string, faults: FaultList): DefinitionNode | null {
  const start = { file, line: 1, column: 1 };
  if (text.length > MAX_FILE_LENGTH) {
    faults.fault(
      'file_too_large',
      start,
      `The file has ${text.length} characters`,
      `Split it: at most ${MAX_FILE_LENGTH} are read`,
    );
    return null;
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: '1.1',
    merge: true,
    uniqueKeys: false,
    lineCounter: lines,
  });
  const reader: Reader = {
    file,
    text,
    lines,
    faults,
    resolve: (node) => isAlias(node) ? node.resolve(document) : node,
    made: new Map(),
  };
  for (const error of document.errors) {
    const message = error.message.split(/:?\n| at line /, 1)[0] ?? '';
    faults.fault(
      'yaml_invalid',
      placeOf(reader, error.pos[0]),
      `The YAML cannot be read: ${message.replace(/\.$/, '')}`,
      'Correct the YAML',
    );
  }
  if (document.errors.length > 0) return null;
  return convert(reader, document.contents, 0);
}

function convert(reader: Reader, source: unknown, depth: number): DefinitionNode | null {
  const node = reader.resolve(source as Node);
  const place = placeOf(reader, startOf(source) ?? startOf(node) ?? 0);
  if (node === null || node === undefined) return { kind: 'null', place };
  const made = reader.made.get(node);
  if (made !== undefined) return made;
  if (depth > MAX_DEPTH) {
    reader.faults.fault(
      'yaml_invalid',
      place,
      'The YAML is nested too deeply',
      `Nest at most ${MAX_DEPTH} levels, and no alias inside of its own anchor`,
    );
    return null;
  }
  const result = isMap(node) ? convertMap(reader, node.items, place, depth) : isSeq(node)
    ? {
      kind: 'list' as const,
      items: node.items.flatMap((item) => convert(reader, item, depth + 1) ?? []),
      place,
    }
    : convertScalar(reader, node, place);
  reader.made.set(node, result);
  return result;
}

function convertMap(reader: Reader, pairs: Pair[], place: Place, depth: number): MapNode {
  const own = new Map<string, { keyPlace: Place; value: DefinitionNode }>();
  const merged: MapNode[] = [];
  for (const pair of pairs) {
    const key = isScalar(pair.key) ? pair.key.source ?? String(pair.key.value) : '';
    const keyPlace = placeOf(reader, startOf(pair.key) ?? 0);
    const value = convert(reader, pair.value, depth + 1);
    if (value === null) continue;
    if (key === '<<') {
      merged.push(
        ...[value.kind === 'list' ? value.items : [value]].flat().filter((node) =>
          node.kind === 'map'
        ),
      );
      continue;
    }
    if (own.has(key)) {
      reader.faults.warn(
        'key_duplicate',
        keyPlace,
        `The key '${key}' stands twice, the last one counts`,
        'Remove one',
      );
    }
    own.set(key, { keyPlace, value });
  }
  const entries = new Map(own);
  // What is written here goes before what is merged in, and an earlier merge before a later one.
  for (const from of merged) {
    for (const [key, entry] of from.entries) if (!entries.has(key)) entries.set(key, entry);
  }
  return { kind: 'map', entries, place };
}

function convertScalar(reader: Reader, node: unknown, place: Place): DefinitionNode {
  if (!isScalar(node)) return { kind: 'null', place };
  const text = node.source ?? String(node.value);
  const plain = node.type === 'PLAIN';
  if (plain && node.value === null) return { kind: 'null', place };
  if (plain && BOOLEAN.test(text)) return { kind: 'bool', value: node.value === true, place };
  const digits = plain ? text.replaceAll('_', '') : '';
  if (NUMBER.test(digits)) {
    return { kind: 'number', value: jsonNumber(parseQuantity(digits)), text, place };
  }
  if (plain && typeof node.value === 'number' && Number.isSafeInteger(node.value)) {
    return { kind: 'number', value: node.value, text, place };
  }
  const start = startOf(node) ?? 0;
  const opening = plain ? 0 : 1;
  const verbatim = reader.text.startsWith(text, start + opening);
  return {
    kind: 'text',
    text,
    place,
    placeAt: (offset) => verbatim ? placeOf(reader, start + opening + offset) : place,
  };
}

function startOf(node: unknown): number | undefined {
  return typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range)
    ? Number(node.range[0])
    : undefined;
}

function placeOf(reader: Reader, offset: number): Place {
  const { line, col } = reader.lines.linePos(offset);
  return { file: reader.file, line: Math.max(line, 1), column: Math.max(col, 1) };
}
