import { NephoError } from '../../meters/errors.ts';
import type { JsonObject } from '../../meters/json.ts';
import { MAX_METADATA_LENGTH } from '../../meters/limits.ts';

/** A NUL or half of a surrogate pair, as JSON writes them: an odd number of backslashes before the `u`. */
const UNFIT = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f][0-9a-f]{2})/;

/**
 * Refuses metadata that could not be stored and would take its whole message with it.
 *
 * @throws {NephoError} `value_invalid`, `too_large`
 */
export function checkMetadata(metadata: JsonObject): void {
  const text = JSON.stringify(metadata);
  if (text.length > MAX_METADATA_LENGTH) {
    throw new NephoError(
      'too_large',
      `Cannot keep metadata of ${text.length} characters: at most ${MAX_METADATA_LENGTH} are kept`,
      { retryable: true },
    );
  }
  if (!UNFIT.test(text)) return;
  throw new NephoError(
    'value_invalid',
    'Cannot keep metadata: a text in it holds a NUL or half of a surrogate pair',
    { retryable: true },
  );
}
