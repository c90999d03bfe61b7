import { errorMessage, isNephoError, type NephoError } from '../../meters/errors.ts';
import type { JsonValue } from '../../meters/json.ts';
import type { HttpAnswer } from '../http/http_client.ts';
import { readJson, unreadable } from '../openstack/json_answer.ts';
import type { ResponseHandler } from './rest_definition.ts';
import { readXmlValue } from './xml_values.ts';

const decoder = new TextDecoder('utf-8');

/**
 * The answer by the first handler that can read it. Text becomes a list of one entry with `out`, as in
 * Ceilometer.
 *
 * @param url what was asked, for errors
 * @throws {NephoError} `parse_error` if none can, `error_in_body`, `too_large`
 */
export function readAnswer(
  url: string,
  answer: HttpAnswer,
  handlers: readonly ResponseHandler[],
): JsonValue {
  const failures: string[] = [];
  for (const handler of handlers) {
    try {
      if (handler === 'json') return readJson(url, answer);
      const text = decoder.decode(answer.body);
      return handler === 'xml' ? readXmlValue(text) : [{ out: text }];
    } catch (error) {
      if (!isNephoError(error)) throw error;
      // An answer that was understood, and says that it is none, is not for the next handler.
      if (error.code === 'error_in_body' || handlers.length === 1) throw readable(url, error);
      failures.push(`as ${handler}: ${errorMessage(error)}`);
    }
  }
  throw unreadable(url, `no handler can read it (${failures.join('; ').slice(0, 400)})`);
}

/** The error of a handler that does not know what was asked. */
function readable(url: string, error: NephoError): NephoError {
  return error.context['url'] === undefined && error.code === 'parse_error'
    ? unreadable(url, error.message)
    : error;
}
