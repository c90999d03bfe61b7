import { ApplicationFailure } from '@temporalio/common';
import { errorMessage, isNephoError } from '../meters/errors.ts';

/**
 * Failures that a retry cannot mend and that must stop the actor until an operator has acted: going on
 * could fork or corrupt a log. All others are retried for ever.
 */
const HALTING = new Set([
  'log_damaged',
  'log_renamed',
  'invariant_broken',
  'signing_key_missing',
  'signing_key_unendorsed',
  'signing_key_retired',
  'database_schema',
  'database_refused',
]);

const NONE: ReadonlySet<string> = new Set();

/**
 * The failure that Temporal records: type = our code, the sentence, no stack of ours, no payload.
 *
 * @param final further codes that no later attempt can mend
 */
export function ingestFailure(
  error: unknown,
  final: ReadonlySet<string> = NONE,
): ApplicationFailure {
  const code = isNephoError(error) ? error.code : 'unexpected';
  return ApplicationFailure.create({
    message: errorMessage(error).slice(0, 1_000),
    type: code,
    nonRetryable: HALTING.has(code) || final.has(code),
  });
}
