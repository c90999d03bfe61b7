import { isNephoError, NephoError } from './errors.ts';
import { compileRegex, type Regex } from './path_regex.ts';
import { readSelectorSyntax, selectorFault } from './exposition_selector_syntax.ts';

/** Which series a mapping takes: PromQL's `name{label="value", other=~"a|b"}`. */
export interface SeriesSelector {
  readonly source: string;
  /** The one name that fits; null where matchers decide about the name too. */
  readonly name: string | null;
  /**
   * True if the series fits. A label that is not there counts as an empty one.
   *
   * @throws {NephoError} `definition_failed` where a pattern takes too many steps
   */
  matches(name: string, labels: ReadonlyMap<string, string>): boolean;
}

interface Matcher {
  readonly label: string;
  readonly fits: (value: string) => boolean;
}

/** Answers that a pattern remembers: label values come again in every series and every cycle. */
const MAX_REMEMBERED = 10_000;

/**
 * Reads a series selector. Patterns are matched from end to end, as in PromQL, by an engine that counts
 * its steps; they are read with Python's rules, which are RE2's for all but rare cases.
 *
 * @throws {NephoError} `selector_invalid`, the context has the `offset`
 */
export function parseSelector(source: string): SeriesSelector {
  const { name, matchers: written } = readSelectorSyntax(source);
  let exactName = name;
  const matchers: Matcher[] = [];
  for (const { label, operator, value, offset } of written) {
    if (label === '__name__' && operator === '=' && exactName === null) {
      exactName = value;
      continue;
    }
    const isNegative = operator.startsWith('!');
    const test = operator.endsWith('~')
      ? compilePattern(source, value, offset)
      : (text: string) => text === value;
    matchers.push({ label, fits: (text) => test(text) !== isNegative });
  }
  if (exactName === null && matchers.every(({ fits }) => fits(''))) {
    throw selectorFault(source, 'it takes every series', 0, 'Name a metric');
  }
  return {
    source,
    name: exactName,
    matches: (seriesName, labels) =>
      (exactName === null || exactName === seriesName) &&
      matchers.every(({ label, fits }) =>
        fits(label === '__name__' ? seriesName : labels.get(label) ?? '')
      ),
  };
}

function compilePattern(
  source: string,
  pattern: string,
  offset: number,
): (text: string) => boolean {
  if (/\[:\^?[a-z]+:\]/.test(pattern)) {
    throw selectorFault(source, "a class like '[:alpha:]' is not read", offset, 'Write its range');
  }
  // Flags must stand first, also before the group that ties both ends.
  const flags = /^\(\?[ims]+\)/.exec(pattern)?.[0] ?? '';
  const regex = compileAnchored(source, {
    flags,
    body: pattern.slice(flags.length).replace(/\\z$/, ''),
    offset,
  });
  const remembered = new Map<string, boolean>();
  return (text) => {
    const known = remembered.get(text);
    if (known !== undefined) return known;
    const fits = regex.matchesStart(text);
    if (remembered.size >= MAX_REMEMBERED) remembered.clear();
    remembered.set(text, fits);
    return fits;
  };
}

function compileAnchored(
  source: string,
  { flags, body, offset }: { flags: string; body: string; offset: number },
): Regex {
  try {
    return compileRegex(`${flags}(?:${body})\\Z`);
  } catch (error) {
    if (!isNephoError(error) || error.code !== 'path_invalid') throw error;
    throw new NephoError(
      'selector_invalid',
      `Cannot read the pattern '${body.slice(0, 80)}' of the series selector '${
        source.slice(0, 80)
      }': ${error.message}`,
      { context: { offset }, cause: error },
    );
  }
}
