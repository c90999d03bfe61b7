import { pathFault } from './path_token.ts';
import { classEscape, type SetTest } from './path_regex_class.ts';

/** A pattern of Python's `re`, as far as definitions use it, ready for `path_regex.ts`. */
export type RegexNode =
  | { kind: 'set'; test: SetTest }
  | { kind: 'sequence'; nodes: readonly RegexNode[] }
  | { kind: 'choice'; nodes: readonly RegexNode[] }
  | { kind: 'repeat'; node: RegexNode; min: number; max: number; greedy: boolean }
  /** Keeps the first way it matches: a possessive repeat, or `(?>…)`, of Python 3.11. */
  | { kind: 'atomic'; node: RegexNode }
  | { kind: 'group'; node: RegexNode; index: number }
  | { kind: 'backreference'; index: number }
  | { kind: 'look'; node: RegexNode; behind: number; negative: boolean }
  | {
    kind: 'anchor';
    at: 'start' | 'line_start' | 'end' | 'line_end' | 'text_end' | 'word' | 'not_word';
  };

export interface ParsedRegex {
  node: RegexNode;
  groups: number;
  names: ReadonlyMap<string, number>;
}

interface Reader {
  readonly text: string;
  at: number;
  groups: number;
  depth: number;
  readonly names: Map<string, number>;
  ignoreCase: boolean;
  dotAll: boolean;
  multiline: boolean;
}

/** UTF-16 units of one pattern, and levels of its groups. */
const MAX_PATTERN_LENGTH = 1_000;
const MAX_PATTERN_DEPTH = 50;
const NEWLINE = 10;
const ESCAPED: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
};

/**
 * Reads a pattern with Python's rules: characters are code points, `$` also stands before a last line
 * end, `]` first in a class is itself.
 *
 * @throws {NephoError} `path_invalid`, with the offset in the pattern
 */
export function parseRegex(text: string): ParsedRegex {
  if (text.length > MAX_PATTERN_LENGTH) {
    throw pathFault(
      `the pattern has ${text.length} characters`,
      0,
      `Write at most ${MAX_PATTERN_LENGTH}`,
    );
  }
  const reader: Reader = {
    text,
    at: 0,
    groups: 0,
    depth: 0,
    names: new Map(),
    ignoreCase: false,
    dotAll: false,
    multiline: false,
  };
  readFlags(reader);
  const node = readChoice(reader);
  if (reader.at < text.length) {
    throw fault(reader, "a ')' has no '('", 'Escape it, or open the group');
  }
  return { node, groups: reader.groups, names: reader.names };
}

function readFlags(reader: Reader): void {
  const match = /^\(\?([aimsu]+)\)/.exec(reader.text);
  if (match === null) return;
  const flags = match[1] ?? '';
  reader.ignoreCase = flags.includes('i');
  reader.dotAll = flags.includes('s');
  reader.multiline = flags.includes('m');
  reader.at = match[0].length;
}

function readChoice(reader: Reader): RegexNode {
  const nodes = [readSequence(reader)];
  while (peek(reader) === '|') {
    reader.at += 1;
    nodes.push(readSequence(reader));
  }
  return nodes.length === 1 ? nodes[0] as RegexNode : { kind: 'choice', nodes };
}

function readSequence(reader: Reader): RegexNode {
  const nodes: RegexNode[] = [];
  for (let char = peek(reader); char !== '' && char !== '|' && char !== ')'; char = peek(reader)) {
    const atom = readAtom(reader, char);
    if (atom !== null) nodes.push(readRepeat(reader, atom));
  }
  return nodes.length === 1 ? nodes[0] as RegexNode : { kind: 'sequence', nodes };
}

function readAtom(reader: Reader, char: string): RegexNode | null {
  switch (char) {
    case '(':
      return readGroup(reader);
    case '[':
      return { kind: 'set', test: readClass(reader) };
    case '\\':
      return readEscape(reader);
    case '.':
      reader.at += 1;
      return { kind: 'set', test: reader.dotAll ? () => true : (code) => code !== NEWLINE };
    case '^':
      reader.at += 1;
      return { kind: 'anchor', at: reader.multiline ? 'line_start' : 'start' };
    case '$':
      reader.at += 1;
      return { kind: 'anchor', at: reader.multiline ? 'line_end' : 'end' };
    case '*':
    case '+':
    case '?':
      throw fault(reader, `'${char}' repeats nothing`, `Write \\${char} for the character itself`);
    default:
      if (char === '{' && matchRepeat(reader) !== null) {
        throw fault(reader, "'{' repeats nothing", 'Write \\{ for the character itself');
      }
      return literal(reader, readCodePoint(reader));
  }
}

function readRepeat(reader: Reader, node: RegexNode): RegexNode {
  const match = matchRepeat(reader);
  if (match === null) return node;
  const [all, sign, least, comma, most, suffix] = match;
  if (node.kind === 'anchor') throw fault(reader, `'${all}' repeats a place`, 'Remove the repeat');
  reader.at += all.length;
  const again = matchRepeat(reader);
  if (again !== null) {
    throw fault(reader, `'${again[0]}' repeats a repeat`, 'Put a group around the first');
  }
  const min = sign === undefined ? Number(least || 0) : sign === '+' ? 1 : 0;
  const max = sign === undefined
    ? comma === undefined ? min : most === '' || most === undefined ? Infinity : Number(most)
    : sign === '?'
    ? 1
    : Infinity;
  if (max < min) {
    throw fault(reader, `the repeat '${all}' has its bounds swapped`, 'Swap them');
  }
  const repeat: RegexNode = { kind: 'repeat', node, min, max, greedy: suffix !== '?' };
  return suffix === '+' ? { kind: 'atomic', node: repeat } : repeat;
}

/** Sign, least, comma, most, suffix; null where braces are no repeat but stand for themselves. */
function matchRepeat(reader: Reader): RegExpExecArray | null {
  const rest = reader.text.slice(reader.at, reader.at + 24);
  const match = /^(?:([*+?])|\{(\d{0,6})(?:(,)(\d{0,6}))?\})([?+]?)/.exec(rest);
  const braces = match?.[1] === undefined;
  return braces && match?.[2] === '' && match[3] === undefined ? null : match;
}

function readGroup(reader: Reader): RegexNode | null {
  const rest = reader.text.slice(reader.at);
  const comment = /^\(\?#[^)]*\)/.exec(rest);
  if (comment !== null) {
    reader.at += comment[0].length;
    return null;
  }
  const named = /^\(\?P=(\w+)\)/.exec(rest);
  if (named !== null) {
    reader.at += named[0].length;
    return { kind: 'backreference', index: groupNamed(reader, named[1] ?? '') };
  }
  const opening = /^\((?:\?(?::|>|P<(\w+)>|(<?)([=!])))?/.exec(rest);
  const opened = opening?.[0] ?? '(';
  if (opened === '(' && rest.startsWith('(?')) {
    throw fault(
      reader,
      `the group '${rest.slice(0, 4)}' is not supported`,
      'Use (…), (?:…), (?P<name>…), (?=…), (?!…), (?<=…) or (?<!…)',
    );
  }
  const captures = opened === '(' || opening?.[1] !== undefined;
  const index = captures ? (reader.groups += 1) : 0;
  if (opening?.[1] !== undefined) reader.names.set(opening[1], index);
  const start = reader.at;
  reader.at += opened.length;
  reader.depth += 1;
  if (reader.depth > MAX_PATTERN_DEPTH) {
    throw fault(reader, 'groups are nested too deeply', `Nest at most ${MAX_PATTERN_DEPTH}`);
  }
  const node = readChoice(reader);
  reader.depth -= 1;
  if (peek(reader) !== ')') {
    throw pathFault("a '(' of the pattern is not closed", start, "Add the ')'");
  }
  reader.at += 1;
  if (opened === '(?>') return { kind: 'atomic', node };
  if (opening?.[3] === undefined) return captures ? { kind: 'group', node, index } : node;
  const behind = opening[2] === '<' ? widthOf(node) : 0;
  if (behind === null) {
    throw pathFault('a look-behind has no fixed width', start, 'Give it a fixed width');
  }
  return {
    kind: 'look',
    node,
    behind: opening[2] === '<' ? behind : -1,
    negative: opening[3] === '!',
  };
}

/** Code points that a node takes when it always takes the same number, else null. */
function widthOf(node: RegexNode): number | null {
  switch (node.kind) {
    case 'set':
      return 1;
    case 'anchor':
    case 'look':
      return 0;
    case 'group':
    case 'atomic':
      return widthOf(node.node);
    case 'backreference':
      return null;
    case 'repeat': {
      const width = widthOf(node.node);
      return width === null || node.min !== node.max ? null : width * node.min;
    }
    case 'sequence':
      return node.nodes.reduce<number | null>((sum, part) => {
        const width = widthOf(part);
        return sum === null || width === null ? null : sum + width;
      }, 0);
    case 'choice': {
      const widths = new Set(node.nodes.map(widthOf));
      return widths.size === 1 ? [...widths][0] ?? null : null;
    }
  }
}

function readEscape(reader: Reader): RegexNode {
  const next = reader.text.charAt(reader.at + 1);
  const anchor = { A: 'start', Z: 'text_end', b: 'word', B: 'not_word' } as const;
  if (next === 'A' || next === 'Z' || next === 'b' || next === 'B') {
    reader.at += 2;
    return { kind: 'anchor', at: anchor[next] };
  }
  if (/[1-9]/.test(next)) {
    const digits = /^\d{1,2}/.exec(reader.text.slice(reader.at + 1))?.[0] ?? next;
    if (Number(digits) > reader.groups) {
      throw fault(reader, `there is no group ${digits} yet`, 'Refer to an earlier group');
    }
    reader.at += 1 + digits.length;
    return { kind: 'backreference', index: Number(digits) };
  }
  const set = classEscape(next);
  if (set !== null) {
    reader.at += 2;
    return { kind: 'set', test: set };
  }
  return literal(reader, readEscapedChar(reader));
}

function readClass(reader: Reader): SetTest {
  const start = reader.at;
  reader.at += 1;
  const negative = peek(reader) === '^';
  if (negative) reader.at += 1;
  const tests: SetTest[] = [];
  for (let first = true; first || peek(reader) !== ']'; first = false) {
    if (peek(reader) === '') {
      throw pathFault("a '[' of the pattern is not closed", start, "Add the ']'");
    }
    tests.push(readClassItem(reader));
  }
  reader.at += 1;
  const any = withCase(reader, (code) => tests.some((test) => test(code)));
  return negative ? (code) => !any(code) : any;
}

function readClassItem(reader: Reader): SetTest {
  const set = peek(reader) === '\\' ? classEscape(reader.text.charAt(reader.at + 1)) : null;
  if (set !== null) {
    reader.at += 2;
    return set;
  }
  const low = readClassChar(reader);
  const next = reader.text.charAt(reader.at + 1);
  if (peek(reader) !== '-' || next === ']' || next === '') return (code) => code === low;
  reader.at += 1;
  const high = readClassChar(reader);
  if (high < low) throw fault(reader, 'a range of the pattern runs backwards', 'Swap its ends');
  return (code) => code >= low && code <= high;
}

function readClassChar(reader: Reader): number {
  return peek(reader) === '\\' ? readEscapedChar(reader) : readCodePoint(reader);
}

function readEscapedChar(reader: Reader): number {
  const rest = reader.text.slice(reader.at + 1);
  const hex = /^(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(0[0-7]{0,2}))/.exec(rest);
  if (hex !== null) {
    reader.at += 1 + hex[0].length;
    return hex[4] === undefined
      ? parseInt(hex[1] ?? hex[2] ?? hex[3] ?? '', 16)
      : parseInt(hex[4], 8);
  }
  const char = rest.charAt(0);
  const escaped = Object.hasOwn(ESCAPED, char) ? ESCAPED[char] : undefined;
  if (escaped !== undefined) {
    reader.at += 2;
    return escaped;
  }
  if (char === '' || /[a-zA-Z0-9]/.test(char)) {
    throw fault(reader, `'\\${char}' has no meaning in a pattern`, 'Remove the backslash');
  }
  reader.at += 1;
  return readCodePoint(reader);
}

function groupNamed(reader: Reader, name: string): number {
  const index = reader.names.get(name);
  if (index === undefined) {
    throw fault(reader, `there is no group '${name}' yet`, 'Refer to an earlier group');
  }
  return index;
}

function literal(reader: Reader, code: number): RegexNode {
  return { kind: 'set', test: withCase(reader, (other) => other === code) };
}

function withCase(reader: Reader, test: SetTest): SetTest {
  if (!reader.ignoreCase) return test;
  return (code) => {
    const char = String.fromCodePoint(code);
    return test(code) || test(char.toLowerCase().codePointAt(0) ?? code) ||
      test(char.toUpperCase().codePointAt(0) ?? code);
  };
}

function readCodePoint(reader: Reader): number {
  const code = reader.text.codePointAt(reader.at) ?? 0;
  reader.at += code > 0xffff ? 2 : 1;
  return code;
}

function peek(reader: Reader): string {
  return reader.text.charAt(reader.at);
}

function fault(reader: Reader, problem: string, remedy: string): Error {
  return pathFault(problem, reader.at, remedy);
}
