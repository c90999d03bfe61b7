import { NephoError } from './errors.ts';
import { isWordChar } from './path_regex_class.ts';
import { parseRegex, type RegexNode } from './path_regex_parser.ts';
import { pathFault } from './path_token.ts';

/**
 * A pattern of Python's `re` that cannot run away. JavaScript's own engine has no bound on
 * backtracking, and both the pattern and the text may be hostile, so a matcher of our own counts its
 * steps. It also keeps Python's meaning, where JavaScript's differs (`$`, `\d`, `.`, empty matches).
 */
export interface Regex {
  readonly source: string;
  /** True if the pattern matches at the start of the text, Python's `re.match`. */
  matchesStart(text: string): boolean;
  /** Python's `re.sub`. */
  replaceAll(text: string, replacement: readonly (string | number)[]): string;
}

interface State {
  readonly codes: readonly number[];
  /** Start and end of each group, -1 while unset. */
  readonly captures: number[];
  steps: number;
  depth: number;
}
type Next = (at: number) => boolean;
type Matcher = (state: State, at: number, next: Next) => boolean;

/** Steps of one call: about 5 ms. */
const MAX_STEPS = 100_000;
/** Repeats of a group that lie on the stack at once. */
const MAX_DEPTH = 500;
/** UTF-16 units that a replacement may grow to. */
const MAX_RESULT_LENGTH = 65_536;

/** @throws {NephoError} `path_invalid`, with the offset in the pattern in its context */
export function compileRegex(source: string): Regex {
  const parsed = parseRegex(source);
  const matcher = compile(parsed.node);
  const start = (text: string): State => ({
    codes: Array.from(text, (char) => char.codePointAt(0) ?? 0),
    captures: new Array<number>(2 * parsed.groups + 2).fill(-1),
    steps: 0,
    depth: 0,
  });
  return {
    source,
    matchesStart: (text) => matcher(start(text), 0, () => true),
    replaceAll: (text, replacement) => replaceAll(matcher, start(text), replacement),
  };
}

/**
 * Reads the replacement of a `sub`: text, `\1`, `\g<1>`, `\g<name>` and the usual escapes.
 *
 * @returns texts and the numbers of groups
 * @throws {NephoError} `path_invalid`
 */
export function parseReplacement(text: string, pattern: string): (string | number)[] {
  const { groups, names } = parseRegex(pattern);
  const parts: (string | number)[] = [];
  let last = 0;
  for (const match of text.matchAll(/\\(?:([1-9]\d?)|g<(\w+)>|(.?))/gsu)) {
    parts.push(text.slice(last, match.index));
    last = match.index + match[0].length;
    const name = match[1] ?? match[2];
    if (name === undefined) {
      parts.push(plainEscape(match[3] ?? '', match.index));
      continue;
    }
    const index = /^\d+$/.test(name) ? Number(name) : names.get(name);
    if (index === undefined || index > groups) {
      throw pathFault(
        `there is no group '${name}'`,
        match.index,
        'Refer to a group of the pattern',
      );
    }
    parts.push(index);
  }
  parts.push(text.slice(last));
  return parts.filter((part) => part !== '');
}

function plainEscape(char: string, offset: number): string {
  const escapes: Record<string, string> = {
    n: '\n',
    t: '\t',
    r: '\r',
    f: '\f',
    v: '\v',
    a: '\x07',
  };
  if (Object.hasOwn(escapes, char)) return escapes[char] ?? '';
  if (char === '\\') return char;
  if (char === '' || /[a-zA-Z0-9]/.test(char)) {
    throw pathFault(`'\\${char}' has no meaning in a replacement`, offset, 'Remove the backslash');
  }
  return `\\${char}`;
}

function replaceAll(
  matcher: Matcher,
  state: State,
  replacement: readonly (string | number)[],
): string {
  const { codes, captures } = state;
  let result = '';
  let from = 0;
  let copied = 0;
  let mustAdvance = false;
  while (from <= codes.length) {
    let end = -1;
    let begin = from;
    for (; begin <= codes.length && end < 0; begin += 1) {
      captures.fill(-1);
      const here = begin;
      const refuseEmpty = mustAdvance && here === from;
      matcher(state, here, (at) => {
        if (refuseEmpty && at === here) return false;
        end = at;
        return true;
      });
    }
    if (end < 0) break;
    begin -= 1;
    captures[0] = begin;
    captures[1] = end;
    result += textOf(codes, copied, begin) + expand(replacement, state);
    if (result.length > MAX_RESULT_LENGTH) throw runaway('the result of a sub is too long');
    // As Python since 3.7: an empty match may follow a match, but not stand where one just was.
    mustAdvance = end === begin;
    copied = end;
    from = end;
  }
  return result + textOf(codes, copied, codes.length);
}

function expand(replacement: readonly (string | number)[], state: State): string {
  return replacement.map((part) =>
    typeof part === 'string'
      ? part
      : textOf(state.codes, state.captures[2 * part] ?? -1, state.captures[2 * part + 1] ?? -1)
  ).join('');
}

function textOf(codes: readonly number[], start: number, end: number): string {
  let text = '';
  for (let i = start; i >= 0 && i < end; i += 1) text += String.fromCodePoint(codes[i] ?? 0);
  return text;
}

function compile(node: RegexNode): Matcher {
  switch (node.kind) {
    case 'set':
      return (state, at, next) => {
        countStep(state);
        const code = state.codes[at];
        return code !== undefined && node.test(code) && next(at + 1);
      };
    case 'sequence':
      return node.nodes.map(compile).reduceRight<Matcher>(
        (rest, first) => (state, at, next) => first(state, at, (then) => rest(state, then, next)),
        (_state, at, next) => next(at),
      );
    case 'choice': {
      const choices = node.nodes.map(compile);
      return (state, at, next) => choices.some((choice) => choice(state, at, next));
    }
    case 'repeat':
      return node.node.kind === 'set' ? repeatSet(node, node.node.test) : repeatGroup(node);
    case 'atomic': {
      const inner = compile(node.node);
      return (state, at, next) => {
        let end = -1;
        return inner(state, at, (then) => (end = then) >= 0) && next(end);
      };
    }
    case 'group':
      return captureGroup(compile(node.node), node.index);
    case 'backreference':
      return backreference(node.index);
    case 'look':
      return look(node);
    case 'anchor':
      return (state, at, next) => holds(node.at, state.codes, at) && next(at);
  }
}

/** A loop, not a recursion: `.*` over a long text must not use the stack. */
function repeatSet(node: RegexNode & { kind: 'repeat' }, test: (code: number) => boolean): Matcher {
  const fits = (state: State, at: number): boolean => {
    countStep(state);
    const code = state.codes[at];
    return code !== undefined && test(code);
  };
  if (!node.greedy) {
    return (state, at, next) => {
      for (let count = 0;; count += 1) {
        if (count >= node.min && next(at + count)) return true;
        if (count >= node.max || !fits(state, at + count)) return false;
      }
    };
  }
  return (state, at, next) => {
    let count = 0;
    while (count < node.max && fits(state, at + count)) count += 1;
    for (; count >= node.min; count -= 1) {
      countStep(state);
      if (next(at + count)) return true;
    }
    return false;
  };
}

function repeatGroup(node: RegexNode & { kind: 'repeat' }): Matcher {
  const once = compile(node.node);
  const again = (state: State, at: number, count: number, next: Next): boolean => {
    countStep(state);
    if (state.depth > MAX_DEPTH) throw runaway('a group of the pattern repeats too often');
    const enough = count >= node.min;
    if (!node.greedy && enough && next(at)) return true;
    if (count < node.max) {
      state.depth += 1;
      // A repeat that takes nothing would go on for ever.
      const found = once(
        state,
        at,
        (then) => !(then === at && enough) && again(state, then, count + 1, next),
      );
      state.depth -= 1;
      if (found) return true;
    }
    return node.greedy && enough && next(at);
  };
  return (state, at, next) => again(state, at, 0, next);
}

function captureGroup(inner: Matcher, index: number): Matcher {
  return (state, at, next) => {
    const { captures } = state;
    const start = captures[2 * index] ?? -1;
    const end = captures[2 * index + 1] ?? -1;
    const found = inner(state, at, (then) => {
      const [oldStart = -1, oldEnd = -1] = [captures[2 * index], captures[2 * index + 1]];
      captures[2 * index] = at;
      captures[2 * index + 1] = then;
      if (next(then)) return true;
      captures[2 * index] = oldStart;
      captures[2 * index + 1] = oldEnd;
      return false;
    });
    if (!found) {
      captures[2 * index] = start;
      captures[2 * index + 1] = end;
    }
    return found;
  };
}

function backreference(index: number): Matcher {
  return (state, at, next) => {
    const start = state.captures[2 * index] ?? -1;
    const end = state.captures[2 * index + 1] ?? -1;
    if (start < 0) return false;
    for (let i = start; i < end; i += 1) {
      countStep(state);
      if (state.codes[i] !== state.codes[at + i - start]) return false;
    }
    return next(at + end - start);
  };
}

function look(node: RegexNode & { kind: 'look' }): Matcher {
  const inner = compile(node.node);
  return (state, at, next) => {
    const from = node.behind < 0 ? at : at - node.behind;
    const before = [...state.captures];
    const found = from >= 0 && inner(state, from, (then) => node.behind < 0 || then === at);
    if (!found || node.negative) before.forEach((value, i) => (state.captures[i] = value));
    return found !== node.negative && next(at);
  };
}

function holds(
  anchor: (RegexNode & { kind: 'anchor' })['at'],
  codes: readonly number[],
  at: number,
): boolean {
  const newline = 10;
  switch (anchor) {
    case 'start':
      return at === 0;
    case 'line_start':
      return at === 0 || codes[at - 1] === newline;
    case 'text_end':
      return at === codes.length;
    case 'end':
      return at === codes.length || (at === codes.length - 1 && codes[at] === newline);
    case 'line_end':
      return at === codes.length || codes[at] === newline;
    case 'word':
    case 'not_word': {
      const before = at > 0 && isWordChar(codes[at - 1] ?? 0);
      const after = at < codes.length && isWordChar(codes[at] ?? 0);
      return (before !== after) === (anchor === 'word');
    }
  }
}

function countStep(state: State): void {
  state.steps += 1;
  if (state.steps > MAX_STEPS) throw runaway(`it takes more than ${MAX_STEPS} steps`);
}

function runaway(problem: string): NephoError {
  return new NephoError('definition_failed', `Cannot finish a pattern: ${problem}`);
}
