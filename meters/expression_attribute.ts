import { type CompiledExpression, compileExpression } from './expression.ts';
import { type ExpressionFailure, expressionFault } from './expression_error.ts';
import { type ExpressionEffort, MAX_EXPRESSION_STEPS } from './expression_value.ts';
import { isNephoError, NephoError } from './errors.ts';
import { isJsonObject, type JsonValue } from './json.ts';

/** An attribute of a dynamic pollster: keys with dots, then operations on `value` after pipes. */
export interface CompiledAttribute {
  readonly text: string;
  /**
   * What stands there, after all operations.
   *
   * @throws {NephoError} `expression_failed`; its context has `failure`: `key_missing` if there is no
   * such key
   */
  read(from: JsonValue): JsonValue;
}

/** Operations of one attribute. */
const MAX_OPERATIONS = 32;

/**
 * Compiles an attribute as Ceilometer reads it: `a.b | value.upper() | value[0]`; `.` is the whole.
 * A pipe in quotes or brackets belongs to the operation around it, which in Ceilometer it does not.
 *
 * @throws {NephoError} `expression_invalid`, with `offset` (UTF-16 units) and `remedy` in its context
 * @example
 * compileAttribute("user | value.split('$')[0]").read({ user: 'a$b' }); // 'a'
 */
export function compileAttribute(text: string): CompiledAttribute {
  const [first, ...parts] = splitPipes(text);
  const key = first?.text.trim() ?? '';
  if (key === '') {
    throw expressionFault('it names no attribute', 0, "Write an attribute, or '.' for the whole");
  }
  if (parts.length > MAX_OPERATIONS) {
    throw expressionFault('it has too many operations', 0, `Write at most ${MAX_OPERATIONS}`);
  }
  const keys = key === '.' ? [] : key.split('.');
  const operations = parts.map(compileOperation);
  return {
    text,
    read(from) {
      // One budget for all operations, so that a chain of them cannot multiply it.
      const effort: ExpressionEffort = { steps: MAX_EXPRESSION_STEPS };
      const found = keys.reduce(valueUnder, from);
      return operations.reduce((value, each) => each.evaluate({ value }, effort), found);
    },
  };
}

function compileOperation({ text, at }: Part): CompiledExpression {
  if (!text.includes('value')) {
    throw expressionFault("an operation does not use 'value'", at, 'Write an operation on value');
  }
  try {
    return compileExpression(text, ['value']);
  } catch (error) {
    if (!isNephoError(error)) throw error;
    const offset = at + Number(error.context['offset'] ?? 0);
    throw new NephoError(error.code, error.message, {
      context: { ...error.context, offset },
      cause: error,
    });
  }
}

function valueUnder(value: JsonValue, key: string): JsonValue {
  if (!isJsonObject(value)) {
    throw notThere('type', `There is no object in which the key '${shown(key)}' could be`);
  }
  const found = Object.hasOwn(value, key) ? value[key] : undefined;
  if (found !== undefined) return found;
  throw notThere('key_missing', `There is no key '${shown(key)}'`);
}

function notThere(failure: ExpressionFailure, message: string): NephoError {
  return new NephoError('expression_failed', message, { context: { failure, offset: 0 } });
}

function shown(key: string): string {
  return key.slice(0, 80);
}

interface Part {
  readonly text: string;
  /** Where it begins. */
  readonly at: number;
}

/** What stands before the first pipe is a name, in which quotes and brackets are letters as others. */
function splitPipes(text: string): Part[] {
  const first = text.indexOf('|');
  if (first < 0) return [{ text, at: 0 }];
  const parts: Part[] = [{ text: text.slice(0, first), at: 0 }];
  let start = first + 1;
  let quote = '';
  let depth = 0;
  for (let at = start; at <= text.length; at += 1) {
    const char = text.charAt(at);
    if (quote !== '') {
      if (char === '\\') at += 1;
      else if (char === quote) quote = '';
    } else if (char === "'" || char === '"') quote = char;
    else if ('([{'.includes(char) && char !== '') depth += 1;
    else if (')]}'.includes(char) && char !== '') depth -= 1;
    if (at >= text.length || (char === '|' && quote === '' && depth <= 0)) {
      parts.push({ text: text.slice(start, at), at: start });
      start = at + 1;
    }
  }
  return parts;
}
