import { setImmediate as turn } from 'node:timers/promises';
import { isNephoError } from '../../meters/errors.ts';
import { DEFAULT_EXPOSITION_LIMITS, ExpositionReader } from '../../meters/exposition.ts';
import type { ExpositionFormat } from '../../meters/exposition_family.ts';
import { meterTypeOf } from '../../meters/exposition_type.ts';
import type { Reading } from '../../meters/sample.ts';
import type { HttpAnswer } from '../http/http_client.ts';
import type { PollContext, Unit } from '../polling/pollster.ts';
import type { PrometheusUnit } from './discovery.ts';
import type { EndpointCaller } from './endpoint_caller.ts';
import { MappedReadings } from './mapped_readings.ts';
import type { MappingIndex } from './mapping.ts';

const ACCEPT_ANY =
  'application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';
const ACCEPT_TEXT = 'text/plain;version=0.0.4;q=0.5,*/*;q=0.1';
/** Seconds of patience, as Prometheus tells them: exporters that probe others go by it. */
const PATIENCE_HEADER = 'x-prometheus-scrape-timeout-seconds';
/** UTF-16 units that are read at a stretch: some milliseconds. */
const PIECE_LENGTH = 256 * 1024;

/**
 * Reads an exporter's page.
 *
 * @throws {NephoError} what the client throws; `parse_error`, `too_large`, `timeout`
 */
export async function scrape(
  { id, data: { caller } }: Unit<PrometheusUnit>,
  index: MappingIndex,
  context: PollContext,
): Promise<readonly Reading[]> {
  const { settings } = caller;
  const accept = settings.format === 'text' ? ACCEPT_TEXT : ACCEPT_ANY;
  const answer = await caller.get(settings.url, context, {
    headers: { accept, [PATIENCE_HEADER]: String(settings.timeout) },
    accept: [],
  });
  const readAt = context.now();
  const format = formatOf(answer, caller);
  const text = decode(answer, caller);
  const readings = new MappedReadings(index, {
    unitId: id,
    endpoint: settings.name,
    labels: settings.labels,
    readAt,
  }, context);
  const reader = new ExpositionReader(
    format,
    (sample, family) => readings.take({ ...sample, type: meterTypeOf(sample.name, family) }),
    {
      ...DEFAULT_EXPOSITION_LIMITS,
      maxLength: settings.max_bytes,
      maxSamples: settings.max_series,
    },
  );
  try {
    await readInPieces(text, reader, { caller, context });
  } catch (error) {
    if (!isNephoError(error)) throw error;
    throw caller.fault(error.code, error.message, error);
  }
  return readings.finish();
}

/** Lets others have their turn in between. */
async function readInPieces(
  text: string,
  reader: ExpositionReader,
  { caller, context }: { caller: EndpointCaller; context: PollContext },
): Promise<void> {
  for (let at = 0; at < text.length; at += PIECE_LENGTH) {
    if (at > 0) await turn();
    if (context.signal.aborted) throw caller.fault('timeout', 'the time of the cycle was up');
    reader.feed(text.slice(at, at + PIECE_LENGTH));
  }
  reader.end();
}

/** By the content type, as Prometheus does; what says none is taken for the older format. */
function formatOf(answer: HttpAnswer, caller: EndpointCaller): ExpositionFormat {
  if (answer.status !== 200) {
    throw caller.fault('parse_error', `it answered ${answer.status} instead of a page`);
  }
  const type = (answer.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (type === 'application/openmetrics-text') return 'openmetrics';
  if (type === '' || type === 'text/plain') return 'prometheus';
  throw caller.fault('parse_error', `it answered with '${type.slice(0, 60)}' instead of metrics`);
}

function decode({ body }: HttpAnswer, caller: EndpointCaller): string {
  // An exporter has always something to say: nothing at all is an answer cut off.
  if (body.length === 0) throw caller.fault('parse_error', 'its answer is empty');
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch (cause) {
    throw caller.fault('parse_error', 'its answer is not UTF-8', cause);
  }
}
