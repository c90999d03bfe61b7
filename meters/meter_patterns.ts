import { compileShellPattern, type ShellPattern } from './shell_pattern.ts';

/** Which meters a source takes. */
export interface MeterSelection {
  /**
   * True if the meter is taken. One that ends in `*` stands for all that begin so, as `instance:*`, and
   * is taken if one of them may be.
   */
  wants(meter: string): boolean;
  /** The patterns, as written, that match none of these meters: misspelt, or of another era. */
  withoutMeter(meters: readonly string[]): string[];
}

/** Names whose answer is remembered: they come from outside and have no end. */
const MAX_REMEMBERED = 10_000;
const WILDCARD = /[*?[]/;

/**
 * Compiles the `meters:` of a source by Ceilometer's rules: what a `!pattern` excludes is not taken,
 * then what a pattern names is, and where all patterns exclude, the rest is.
 *
 * @example
 * compileMeterPatterns(['disk.device.*']).wants('disk.device.read.bytes'); // true
 */
export function compileMeterPatterns(patterns: readonly string[]): MeterSelection {
  const included = matcherOf(patterns.filter((pattern) => !isExclusion(pattern)));
  const excluded = matcherOf(patterns.filter(isExclusion).map((pattern) => pattern.slice(1)));
  const takesTheRest = patterns.every(isExclusion);
  const remembered = new Map<string, boolean>();
  const decide = (meter: string): boolean => {
    const prefix = prefixOf(meter);
    if (prefix === null ? excluded.matches(meter) : excluded.matchesAllAfter(prefix)) return false;
    return takesTheRest ||
      (prefix === null ? included.matches(meter) : included.mayMatchAfter(prefix));
  };
  return {
    wants(meter) {
      const known = remembered.get(meter);
      if (known !== undefined) return known;
      const wanted = decide(meter);
      if (remembered.size >= MAX_REMEMBERED) remembered.clear();
      remembered.set(meter, wanted);
      return wanted;
    },
    withoutMeter: (meters) => patterns.filter((pattern) => !matchesSome(pattern, meters)),
  };
}

/** True if the pattern says what is not taken. */
export function isExclusion(pattern: string): boolean {
  return pattern.startsWith('!');
}

function matchesSome(pattern: string, meters: readonly string[]): boolean {
  const matcher = matcherOf([isExclusion(pattern) ? pattern.slice(1) : pattern]);
  return meters.some((meter) => {
    const prefix = prefixOf(meter);
    return prefix === null ? matcher.matches(meter) : matcher.mayMatchAfter(prefix);
  });
}

function prefixOf(meter: string): string | null {
  return meter.endsWith('*') ? meter.slice(0, -1) : null;
}

type Matcher = Pick<ShellPattern, 'matches' | 'mayMatchAfter' | 'matchesAllAfter'>;

/** What any of the patterns does. Most are plain names, which a look into a set decides. */
function matcherOf(patterns: readonly string[]): Matcher {
  const names = new Set(patterns.filter((pattern) => !WILDCARD.test(pattern)));
  const compiled = patterns.filter((pattern) => WILDCARD.test(pattern)).map(compileShellPattern);
  return {
    matches: (name) => names.has(name) || compiled.some((pattern) => pattern.matches(name)),
    mayMatchAfter: (prefix) =>
      [...names].some((name) => name.startsWith(prefix)) ||
      compiled.some((pattern) => pattern.mayMatchAfter(prefix)),
    matchesAllAfter: (prefix) => compiled.some((pattern) => pattern.matchesAllAfter(prefix)),
  };
}
