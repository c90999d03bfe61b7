import { isNephoError } from './errors.ts';
import { evaluate } from './expression_evaluate.ts';
import { parseExpression } from './expression_parser.ts';
import { expressionFailure } from './expression_error.ts';
import { type ExpressionEffort, MAX_EXPRESSION_STEPS, toJson } from './expression_value.ts';
import type { JsonObject, JsonValue } from './json.ts';

/** An expression that was read and found sound. */
export interface CompiledExpression {
  readonly text: string;
  /**
   * Its value where the names stand for what is given. Reaches nothing else and changes nothing.
   *
   * @throws {NephoError} `expression_failed`; its context has `failure`, an `ExpressionFailure`, and
   * `offset`; the message holds no value
   */
  evaluate(names: JsonObject, effort?: ExpressionEffort): JsonValue;
}

/**
 * Reads an expression: the part of Python's that operators use in dynamic pollsters, with exact decimals.
 *
 * @param names what it may speak of, as `value`
 * @throws {NephoError} `expression_invalid`, with `offset` (UTF-16 units) and `remedy` in its context
 * @example
 * compileExpression("value.split('$')[0]", ['value']).evaluate({ value: 'a$b' }); // 'a'
 */
export function compileExpression(text: string, names: readonly string[]): CompiledExpression {
  const expression = parseExpression(text, names);
  return {
    text,
    evaluate(given, effort = { steps: MAX_EXPRESSION_STEPS }) {
      try {
        return toJson(evaluate(expression, given, effort), effort);
      } catch (error) {
        const tooLong = isNephoError(error) && error.code === 'quantity_too_long';
        // The engine's own bound: a sum of thousands of terms is a tree as deep.
        if (!tooLong && !(error instanceof RangeError)) throw error;
        throw expressionFailure('too_large', 'a value is too long or nested too deeply', 0);
      }
    },
  };
}
