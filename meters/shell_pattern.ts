/**
 * Shell wildcards as Python's `fnmatch` reads them: `*`, `?`, `[seq]`, `[!seq]`; there is no escape
 * character. Patterns match whole texts, code point by code point, with regard to case.
 */
export interface ShellPattern {
  readonly text: string;
  /** Time grows with the length of the pattern times that of the name, whatever they hold. */
  matches(name: string): boolean;
  /** True if it may match a name that begins with `prefix`. */
  mayMatchAfter(prefix: string): boolean;
  /** True if it matches every name that begins with `prefix`. */
  matchesAllAfter(prefix: string): boolean;
}

/** A step of a pattern: what one character may be, or any number of characters. */
type Step = { kind: 'star' } | { kind: 'one'; accepts: (codePoint: number) => boolean };

const HYPHEN = codeOf('-');
const NEVER: Step = { kind: 'one', accepts: () => false };
const ANY: Step = { kind: 'one', accepts: () => true };

/** Every text is a pattern: a bracket that is not closed stands for itself. */
export function compileShellPattern(text: string): ShellPattern {
  const steps = inOrder(readSteps(Array.from(text, codeOf)));
  const isPossible = !steps.includes(NEVER);
  return {
    text,
    matches: (name) => isPossible && endsOf(steps, name).has(steps.length),
    mayMatchAfter: (prefix) => isPossible && endsOf(steps, prefix).size > 0,
    matchesAllAfter: (prefix) =>
      isPossible && steps.at(-1)?.kind === 'star' && endsOf(steps, prefix).has(steps.length),
  };
}

/** The steps before which a match of `name` may stand once it is read: the states of an automaton. */
function endsOf(steps: readonly Step[], name: string): ReadonlySet<number> {
  let states = withSkipped(steps, new Set([0]));
  for (const character of name) {
    const codePoint = codeOf(character);
    const next = new Set<number>();
    for (const state of states) {
      const step = steps[state];
      if (step?.kind === 'star') next.add(state);
      if (step?.kind === 'one' && step.accepts(codePoint)) next.add(state + 1);
    }
    if (next.size === 0) return next;
    states = withSkipped(steps, next);
  }
  return states;
}

/** A star may stand for nothing. A set iterates over what is added to it meanwhile. */
function withSkipped(steps: readonly Step[], states: Set<number>): Set<number> {
  for (const state of states) if (steps[state]?.kind === 'star') states.add(state + 1);
  return states;
}

/** Stars last among what stands together with them, and once: `*?*` is `?*`. */
function inOrder(steps: readonly Step[]): Step[] {
  const ordered: Step[] = [];
  for (const step of steps) {
    const last = ordered.at(-1);
    if (last?.kind === 'star' && step.kind === 'star') continue;
    if (last?.kind === 'star' && step === ANY) ordered.splice(-1, 0, step);
    else ordered.push(step);
  }
  return ordered;
}

function readSteps(pattern: readonly number[]): Step[] {
  const steps: Step[] = [];
  for (let i = 0; i < pattern.length; i += 1) {
    const codePoint = pattern[i] ?? 0;
    if (codePoint === codeOf('*')) steps.push({ kind: 'star' });
    else if (codePoint === codeOf('?')) steps.push(ANY);
    else if (codePoint === codeOf('[')) {
      const end = endOfSet(pattern, i + 1);
      steps.push(end === -1 ? one(codePoint) : readSet(pattern.slice(i + 1, end)));
      if (end !== -1) i = end;
    } else steps.push(one(codePoint));
  }
  return steps;
}

function one(wanted: number): Step {
  return { kind: 'one', accepts: (codePoint) => codePoint === wanted };
}

/** Where the set that begins at `start` closes; a `]` at its very beginning is a member. */
function endOfSet(pattern: readonly number[], start: number): number {
  const first = pattern[start] === codeOf('!') ? start + 1 : start;
  return pattern.indexOf(codeOf(']'), pattern[first] === codeOf(']') ? first + 1 : first);
}

/**
 * A set as `fnmatch.translate` of CPython 3.9 and later has it: a hyphen makes a range unless it is the first
 * or last character or follows a range at once; of a range the wrong way round nothing is left, which
 * may bring a `!` to the front.
 */
function readSet(content: readonly number[]): Step {
  const chunks = chunksOf(content);
  for (let k = chunks.length - 1; k > 0; k -= 1) {
    const before = chunks[k - 1] ?? [];
    const after = chunks[k] ?? [];
    if ((before.at(-1) ?? 0) > (after[0] ?? 0)) {
      chunks.splice(k - 1, 2, [...before.slice(0, -1), ...after.slice(1)]);
    }
  }
  const first = chunks[0] ?? [];
  if (chunks.length === 1 && first.length === 0) return NEVER;
  const isNegated = first[0] === codeOf('!');
  if (isNegated) chunks[0] = first.slice(1);
  if (isNegated && chunks.length === 1 && first.length === 1) return ANY;
  const members = new Set(chunks.flat());
  const ranges = chunks.slice(1).map((chunk, k) => ({
    from: chunks[k]?.at(-1) ?? 0,
    to: chunk[0] ?? 0,
  }));
  const isMember = (codePoint: number) =>
    members.has(codePoint) || ranges.some(({ from, to }) => codePoint >= from && codePoint <= to);
  return { kind: 'one', accepts: (codePoint) => isMember(codePoint) !== isNegated };
}

/** What stands between the hyphens that make a range. */
function chunksOf(content: readonly number[]): number[][] {
  const chunks: number[][] = [];
  let start = 0;
  let hyphen = content.indexOf(HYPHEN, content[0] === codeOf('!') ? 2 : 1);
  while (hyphen !== -1) {
    chunks.push(content.slice(start, hyphen));
    start = hyphen + 1;
    hyphen = content.indexOf(HYPHEN, hyphen + 3);
  }
  const rest = content.slice(start);
  const last = chunks.at(-1);
  // A hyphen at the end is a member.
  if (rest.length === 0 && last !== undefined) last.push(HYPHEN);
  else chunks.push(rest);
  return chunks;
}

function codeOf(character: string): number {
  return character.codePointAt(0) ?? 0;
}
