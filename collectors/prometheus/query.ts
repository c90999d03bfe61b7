import type { Reading } from '../../meters/sample.ts';
import { formatMicros, toMicros } from '../../meters/timestamp.ts';
import type { PollContext, Unit } from '../polling/pollster.ts';
import type { PrometheusUnit } from './discovery.ts';
import { MappedReadings } from './mapped_readings.ts';
import type { MappingIndex } from './mapping.ts';
import { readQueryAnswer } from './query_answer.ts';

/** What Prometheus answers with an explanation in the body: a bad query, and one that failed. */
const EXPLAINED: readonly number[] = [400, 422];

/**
 * Evaluates a query at an instant: at a cycle's time, so that a gap repaired later from the server's
 * history holds what the poll would have read.
 *
 * @param how `query`, or `query_range` over the one instant; both answer the same
 * @throws {NephoError} what the client throws; `request_refused`, `error_in_body`, `parse_error`
 */
export async function evaluate(
  { id, data: { caller, query } }: Unit<PrometheusUnit>,
  instant: string,
  { how, index, context }: {
    how: 'query' | 'query_range';
    index: MappingIndex;
    context: PollContext;
  },
): Promise<readonly Reading[]> {
  if (query === null) return [];
  const { settings } = caller;
  const at = toMicros(instant) - BigInt(settings.delay) * 1_000_000n;
  const url = urlOf(settings.url, how, {
    query: query.query,
    ...(how === 'query'
      ? { time: seconds(at) }
      : { start: seconds(at), end: seconds(at), step: '1' }),
    timeout: String(settings.timeout),
  });
  const answer = await caller.get(url, context, {
    headers: { accept: 'application/json' },
    accept: EXPLAINED,
  });
  const readings = new MappedReadings(index, {
    unitId: id,
    endpoint: settings.name,
    labels: settings.labels,
    readAt: formatMicros(at),
  }, context);
  for (const series of readQueryAnswer(answer, caller)) readings.take(series);
  return readings.finish();
}

function urlOf(base: string, how: string, parameters: Record<string, string>): string {
  const query = new URLSearchParams(parameters).toString();
  return `${base.replace(/\/+$/, '')}/api/v1/${how}?${query}`;
}

/** Seconds since 1970 to the millisecond, which is how finely Prometheus keeps time. */
function seconds(micros: bigint): string {
  const millis = micros / 1_000n;
  return `${millis / 1_000n}.${(millis % 1_000n).toString().padStart(3, '0')}`;
}
