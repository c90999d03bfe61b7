import { isNephoError } from '../../meters/errors.ts';
import { parseExactJson } from '../../meters/exact_json.ts';
import { readExpositionValue, readSecondsTimestamp } from '../../meters/exposition_number.ts';
import { meterTypeOfName } from '../../meters/exposition_type.ts';
import { ExactNumber, isJsonObject, type JsonObject, type JsonValue } from '../../meters/json.ts';
import type { HttpAnswer } from '../http/http_client.ts';
import type { EndpointCaller } from './endpoint_caller.ts';
import type { Series } from './mapped_readings.ts';

const MAX_ERROR_LENGTH = 200;

/**
 * Reads what `/api/v1/query` and `/api/v1/query_range` answer: a vector, a scalar, or a matrix of single
 * points.
 *
 * @throws {NephoError} `parse_error`, `error_in_body`, `request_refused`, `too_large`
 */
export function readQueryAnswer(answer: HttpAnswer, caller: EndpointCaller): Series[] {
  const body = readBody(answer, caller);
  refuseFailure(answer, body, caller);
  const { data } = body;
  if (!isJsonObject(data)) throw caller.fault('parse_error', "its answer has no 'data'");
  const { resultType, result } = data;
  if (!Array.isArray(result)) throw caller.fault('parse_error', "its answer has no 'result'");
  if (result.length > caller.settings.max_series) {
    throw caller.fault('too_large', `its answer has ${result.length} series`);
  }
  if (resultType === 'vector' || resultType === 'matrix') {
    return result.map((series) => readSeries(series, caller));
  }
  if (resultType === 'scalar') {
    return [{ name: '', labels: new Map(), type: 'gauge', ...readPoint(result, caller) }];
  }
  throw caller.fault('parse_error', `its answer is no vector but '${shown(resultType)}'`);
}

function readBody({ body }: HttpAnswer, caller: EndpointCaller): JsonObject {
  let value: JsonValue;
  try {
    value = parseExactJson(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (cause) {
    const problem = isNephoError(cause) ? cause.message : 'it is not UTF-8';
    throw caller.fault('parse_error', `its answer is no JSON: ${problem}`, cause);
  }
  if (!isJsonObject(value)) throw caller.fault('parse_error', 'its answer is no JSON object');
  return value;
}

function refuseFailure(answer: HttpAnswer, body: JsonObject, caller: EndpointCaller): void {
  const { status, error, warnings } = body;
  if (status === 'success' && answer.status === 200) {
    if (!Array.isArray(warnings) || warnings.length === 0) return;
    if (caller.settings.accept_warnings) return;
    throw caller.fault('error_in_body', `it warns that '${shown(warnings[0])}'`);
  }
  if (status !== 'error') {
    throw caller.fault('parse_error', `it answered ${answer.status} without saying 'success'`);
  }
  // 400 is a bad query, which stays bad; all else may have passed by the next cycle.
  const code = answer.status === 400 ? 'request_refused' : 'error_in_body';
  throw caller.fault(code, `it says '${shown(error)}'`);
}

function readSeries(series: JsonValue, caller: EndpointCaller): Series {
  if (!isJsonObject(series) || !isJsonObject(series['metric'])) {
    throw caller.fault('parse_error', "a series of its answer has no 'metric'");
  }
  const labels = new Map<string, string>();
  let name = '';
  for (const [label, value] of Object.entries(series['metric'])) {
    if (typeof value !== 'string') throw caller.fault('parse_error', 'a label is no text');
    if (label === '__name__') name = value;
    else labels.set(label, value);
  }
  const known = { name, labels, type: meterTypeOfName(name) };
  const { value, values } = series;
  if (value === undefined && values === undefined) {
    if (series['histogram'] === undefined && series['histograms'] === undefined) {
      throw caller.fault('parse_error', "a series of its answer has no 'value'");
    }
    return { ...known, value: null, timestampMicros: null };
  }
  if (values === undefined) return { ...known, ...readPoint(value, caller) };
  if (!Array.isArray(values) || values.length !== 1) {
    throw caller.fault('parse_error', 'it gives several values: query an instant vector');
  }
  return { ...known, ...readPoint(values[0], caller) };
}

/** `[1700000000.123, "1.5"]`. */
function readPoint(
  point: JsonValue | undefined,
  caller: EndpointCaller,
): { value: string; timestampMicros: bigint } {
  const [time, text] = Array.isArray(point) ? point : [];
  const value = typeof text === 'string' ? readExpositionValue(text) : null;
  const micros = typeof time === 'number' || time instanceof ExactNumber
    ? readSecondsTimestamp(time instanceof ExactNumber ? time.text : String(time))
    : null;
  if (value !== null && micros !== null) return { value, timestampMicros: micros };
  throw caller.fault('parse_error', "a value of its answer is not [time, 'number']");
}

function shown(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value.slice(0, MAX_ERROR_LENGTH) : typeof value;
}
