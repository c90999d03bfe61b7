import {
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  parseDocument,
} from 'yaml';
import type { FaultList, Place } from './definition_fault.ts';
import { tooMuchYaml } from './definition_tokens.ts';
import { isNephoError } from './errors.ts';
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
/** Entries that merge keys (`<<`) may bring into the mappings of one file. */
const MAX_MERGED_ENTRIES = 100_000;
/** The tags that say what a plain text says by itself, or that it is a text. */
const TAGS: ReadonlySet<string> = new Set(
  ['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map((name) => `tag:yaml.org,2002:${name}`),
);
const TEXT_TAG = 'tag:yaml.org,2002:str';
/** What PyYAML calls booleans; the `yaml` package also takes `y` and `n` for such. */
const BOOLEAN = /^(?:yes|Yes|YES|true|True|TRUE|on|On|ON|no|No|NO|false|False|FALSE|off|Off|OFF)$/;
const NUMBER = /^[-+]?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d{1,3})?$/;

interface Reader {
  readonly file: string;
  readonly text: string;
  readonly lines: LineCounter;
  readonly faults: FaultList;
  /** What an alias stands for: the last node before it that has its name as anchor. */
  readonly anchors: Map<string, unknown>;
  /** Made once for each node, so that a nest of aliases cannot multiply. */
  readonly made: Map<unknown, DefinitionNode>;
  mergedEntries: number;
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
  const reader: Reader = {
    file,
    text,
    lines: linesOf(text),
    faults,
    anchors: new Map(),
    made: new Map(),
    mergedEntries: 0,
  };
  const document = parseText(reader);
  return document === null ? null : convert(reader, document.contents, 0);
}

function parseText(reader: Reader) {
  const excess = tooMuchYaml(reader.text);
  if (excess !== null) {
    reader.faults.fault(
      'yaml_invalid',
      placeOf(reader, excess.offset),
      `The YAML is not read: ${excess.message}`,
      'Split the file, or correct the YAML',
    );
    return null;
  }
  const document = parseDocument(reader.text, {
    version: '1.1',
    merge: true,
    uniqueKeys: false,
    // It would quote the line, which may hold a secret, and be slow where lines are long.
    prettyErrors: false,
  });
  for (const error of document.errors) {
    reader.faults.fault(
      'yaml_invalid',
      placeOf(reader, error.pos[0]),
      `The YAML cannot be read: ${sentenceOf(error.message)}`,
      'Correct the YAML',
    );
  }
  return document.errors.length > 0 ? null : document;
}

/** Without what the parser cites of the text. */
function sentenceOf(message: string): string {
  const cited = /:?\n|: "|(?<=YAML token|extra characters|escape sequence):? /;
  return (message.split(cited, 1)[0] ?? '').replace(/\.$/, '');
}

/** All of them, while the parser passes over those within what it does not understand. */
function linesOf(text: string): LineCounter {
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) {
    lines.addNewLine(at + 1);
  }
  return lines;
}

function convert(reader: Reader, source: unknown, depth: number): DefinitionNode | null {
  const node = isAlias(source) ? reader.anchors.get(source.source) : source;
  const place = placeOf(reader, startOf(source) ?? startOf(node) ?? 0);
  if (isAlias(source) && node === undefined) {
    reader.faults.fault(
      'yaml_invalid',
      place,
      `There is no anchor '${source.source}' before this alias`,
      'Quote a text that begins with *, or set the anchor',
    );
    return null;
  }
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
  if (!hasKnownTag(reader, node, place)) return null;
  setAnchor(reader, node);
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

/** PyYAML's safe loader knows no other tags either. */
function hasKnownTag(reader: Reader, node: unknown, place: Place): boolean {
  if (!isNode(node) || node.tag === undefined || TAGS.has(node.tag)) return true;
  reader.faults.fault(
    'yaml_invalid',
    place,
    'The YAML has a tag that is not known here',
    'Quote a text that begins with !, or remove the tag',
  );
  return false;
}

/** Nodes are met in the order of the text, so the last one of a name is the one in force. */
function setAnchor(reader: Reader, node: unknown): void {
  if ((isCollection(node) || isScalar(node)) && node.anchor !== undefined) {
    reader.anchors.set(node.anchor, node);
  }
}

function convertMap(reader: Reader, pairs: Pair[], place: Place, depth: number): MapNode {
  const own = new Map<string, { keyPlace: Place; value: DefinitionNode }>();
  const merged: MapNode[] = [];
  for (const pair of pairs) {
    const key = keyText(reader, pair.key);
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
    reader.mergedEntries += from.entries.size;
    if (reader.mergedEntries > MAX_MERGED_ENTRIES) {
      reader.faults.fault(
        'yaml_invalid',
        place,
        `The merge keys bring more than ${MAX_MERGED_ENTRIES} entries`,
        'Merge less',
      );
      break;
    }
    for (const [key, entry] of from.entries) if (!entries.has(key)) entries.set(key, entry);
  }
  return { kind: 'map', entries, place };
}

function keyText(reader: Reader, source: unknown): string {
  const node = isAlias(source) ? reader.anchors.get(source.source) : source;
  if (!isScalar(node)) return '';
  setAnchor(reader, node);
  return node.source ?? String(node.value);
}

function convertScalar(reader: Reader, node: unknown, place: Place): DefinitionNode {
  if (!isScalar(node)) return { kind: 'null', place };
  const text = node.source ?? String(node.value);
  const plain = node.type === 'PLAIN' && node.tag !== TEXT_TAG;
  if (plain && node.value === null) return { kind: 'null', place };
  if (plain && BOOLEAN.test(text)) return { kind: 'bool', value: node.value === true, place };
  const digits = plain ? text.replaceAll('_', '') : '';
  const value = NUMBER.test(digits) ? exactNumber(digits) : null;
  if (value !== null) return { kind: 'number', value, text, place };
  if (plain && typeof node.value === 'number' && Number.isSafeInteger(node.value)) {
    return { kind: 'number', value: node.value, text, place };
  }
  const start = startOf(node) ?? 0;
  const opening = node.type === 'PLAIN' ? 0 : 1;
  const verbatim = reader.text.startsWith(text, start + opening);
  return {
    kind: 'text',
    text,
    place,
    placeAt: (offset) => verbatim ? placeOf(reader, start + opening + offset) : place,
  };
}

/** Null for what has more digits than any quantity: it stays a text. */
function exactNumber(digits: string): number | ExactNumber | null {
  try {
    return jsonNumber(parseQuantity(digits));
  } catch (error) {
    if (isNephoError(error)) return null;
    throw error;
  }
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
