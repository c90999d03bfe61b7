import { errorMessage, NephoError } from '../../meters/errors.ts';
import { parseExactJson } from '../../meters/exact_json.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../meters/json.ts';
import type { HttpAnswer } from '../http/http_client.ts';
import { maskedUrl } from '../http/masked_url.ts';

const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * The JSON of a service's answer.
 *
 * @throws {NephoError} `parse_error` for anything else, `error_in_body` for a success that is none
 */
export function readJson(url: string, answer: HttpAnswer): JsonValue {
  const encoding = answer.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') {
    throw unreadable(url, `it is compressed (${encoding.slice(0, 20)}), which nobody asked for`);
  }
  const type = answer.headers['content-type'] ?? '';
  if (/html/i.test(type)) throw unreadable(url, 'it is HTML: a proxy or a login page answered');
  let value: JsonValue;
  try {
    value = parseExactJson(decoder.decode(answer.body));
  } catch (error) {
    throw unreadable(url, errorMessage(error).slice(0, 200));
  }
  const said = isJsonObject(value) ? errorSaid(value) : null;
  if (said === null) return value;
  throw new NephoError(
    'error_in_body',
    `Cannot read '${maskedUrl(url)}': it answered ${answer.status} with an error: ${said}`,
    { retryable: true, context: { url: maskedUrl(url), status: answer.status } },
  );
}

/** As {@link readJson}, for what answers with an object. */
export function readJsonObject(url: string, answer: HttpAnswer): JsonObject {
  const value = readJson(url, answer);
  if (isJsonObject(value)) return value;
  throw unreadable(url, 'it is JSON, but no object');
}

/** An answer that is not as its service documents it. */
export function unreadable(url: string, why: string): NephoError {
  return new NephoError('parse_error', `Cannot understand '${maskedUrl(url)}': ${why}`, {
    retryable: true,
    context: { url: maskedUrl(url) },
  });
}

/**
 * The sentence of an error object as OpenStack's services write them, null for what is none: `error`
 * (Keystone, Heat), `NeutronError`, `faultstring` (Octavia), or one key as `badRequest` with a code.
 */
function errorSaid(value: JsonObject): string | null {
  const keys = Object.keys(value);
  if (typeof value['faultstring'] === 'string') return shown(value['faultstring']);
  const named = value['error'] ?? value['NeutronError'];
  if (typeof named === 'string') return shown(named);
  if (isJsonObject(named)) return shown(named['message']);
  const only = keys.length === 1 ? value[keys[0] ?? ''] : undefined;
  if (!isJsonObject(only)) return null;
  const { code, message } = only;
  return typeof code === 'number' && code >= 400 && typeof message === 'string'
    ? shown(message)
    : null;
}

function shown(message: JsonValue | undefined): string {
  if (typeof message !== 'string') return '(no message)';
  return message.replace(/[\p{C}\s]+/gu, ' ').slice(0, 200);
}
