import { NephoError } from './errors.ts';

/** Why an evaluation ended, for those who treat one kind in a way of its own. */
export type ExpressionFailure =
  /** A dictionary has no such key. */
  | 'key_missing'
  /** A list or text has no such place; an iterator has no next element. */
  | 'index_missing'
  /** An operation that this type of value does not know. */
  | 'type'
  /** The type is right and the value is not: a text that is no number, a division by zero. */
  | 'value'
  /** More steps, a longer text or a larger number than is allowed. */
  | 'too_large';

/** The error of an expression that cannot be read: what is wrong, where (UTF-16 units), what to write. */
export function expressionFault(problem: string, offset: number, remedy: string): NephoError {
  return new NephoError('expression_invalid', `Cannot read the expression: ${problem}`, {
    context: { offset, remedy },
  });
}

/**
 * The error of an evaluation; `at` is a place in the expression, 0 where none is known. Says types and
 * names, never values: those may be a secret.
 */
export function expressionFailure(
  failure: ExpressionFailure,
  problem: string,
  at: number,
): NephoError {
  return new NephoError(
    'expression_failed',
    `Cannot evaluate the expression at character ${at + 1}: ${problem}`,
    { context: { failure, offset: at } },
  );
}
