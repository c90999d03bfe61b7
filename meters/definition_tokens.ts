import { Lexer } from 'yaml';

/** Tokens of one file. Ceilometer's own definitions have 2,600; the parser takes seconds for more. */
const MAX_TOKENS = 200_000;
/** Brackets within brackets: more than these only overrun the parser's stack. */
const MAX_FLOW_DEPTH = 64;
/** Comes before a plain or block scalar, whose text may look like any other token. */
const SCALAR_FOLLOWS = '\u001f';

/**
 * Why a text is too much for the YAML parser, whose time and memory are not bounded by the length of
 * the text alone: a million commas are a million errors. Null if it is not.
 */
export function tooMuchYaml(text: string): { offset: number; message: string } | null {
  let offset = 0;
  let count = 0;
  let depth = 0;
  let isScalar = false;
  for (const token of new Lexer().lex(text)) {
    count += 1;
    if (!isScalar && (token === '[' || token === '{')) depth += 1;
    if (!isScalar && (token === ']' || token === '}')) depth = Math.max(depth - 1, 0);
    isScalar = token === SCALAR_FOLLOWS;
    if (depth > MAX_FLOW_DEPTH) {
      return { offset, message: `more than ${MAX_FLOW_DEPTH} brackets are open` };
    }
    if (count > MAX_TOKENS) {
      return { offset, message: `it has more than ${MAX_TOKENS} words and signs` };
    }
    if (!isMark(token)) offset += token.length;
  }
  return null;
}

/** Tokens that the lexer adds and the text does not have. */
function isMark(token: string): boolean {
  return token === '\u0002' || token === '\u0018' || token === SCALAR_FOLLOWS;
}
