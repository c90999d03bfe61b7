import { compileRegex, parseReplacement } from './path_regex.ts';
import type { Path } from './path_syntax.ts';
import { pathFault, type PathToken } from './path_token.ts';

const SUBSTITUTE = /^sub\(\/(.*)\/,\s+(.*)\)/;
const SPLIT = /^split\((.),\s+(\d{1,9}),\s+(\d{1,9}|-1)\)/u;
const SUBSTITUTE_OFFSET = '`sub(/'.length;

/**
 * Reads what stands between backquotes.
 *
 * @throws {NephoError} `path_invalid`
 */
export function parseFunction(token: PathToken): Path {
  switch (token.text) {
    case 'this':
      return { kind: 'this' };
    case 'parent':
      return { kind: 'parent' };
    case 'len':
      return { kind: 'length' };
    case 'sorted':
      return { kind: 'sort', keys: [] };
    case 'lower':
      return { kind: 'lower' };
    default:
  }
  if (token.text.startsWith('sub(')) return parseSubstitute(token);
  if (token.text.startsWith('split(')) return parseSplit(token);
  throw pathFault(
    `there is no function '${token.text.slice(0, 40)}'`,
    token.at,
    'Use one of this, parent, len, sorted, lower, sub(/regex/, text) and split(char, index, max)',
  );
}

function parseSubstitute(token: PathToken): Path {
  const match = SUBSTITUTE.exec(token.text);
  if (match === null) {
    throw pathFault(
      `'${token.text.slice(0, 40)}' is not a substitution`,
      token.at,
      'Write sub(/regex/, text) with a space after the comma',
    );
  }
  const pattern = (match[1] ?? '').trim();
  try {
    return {
      kind: 'substitute',
      regex: compileRegex(pattern),
      replacement: parseReplacement((match[2] ?? '').trim(), pattern),
    };
  } catch (error) {
    throw shifted(error, token.at + SUBSTITUTE_OFFSET);
  }
}

function parseSplit(token: PathToken): Path {
  const match = SPLIT.exec(token.text);
  if (match === null) {
    throw pathFault(
      `'${token.text.slice(0, 40)}' is not a split`,
      token.at,
      'Write split(character, index, most splits), as in split(#, 0, -1), with a space after each comma',
    );
  }
  return {
    kind: 'split',
    separator: match[1] ?? '',
    segment: Number(match[2]),
    maxSplit: Number(match[3]),
  };
}

/** Moves the place of a fault from the pattern to the path that holds it. */
function shifted(error: unknown, by: number): unknown {
  if (!(error instanceof Error) || !('context' in error)) return error;
  const { offset, remedy } = error.context as { offset?: unknown; remedy?: unknown };
  if (typeof offset !== 'number') return error;
  const problem = error.message.replace(/^Cannot read the path: /, '');
  return pathFault(problem, offset + by, String(remedy));
}
