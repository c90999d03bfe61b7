import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { createPrometheusCollector } from '../../collectors/prometheus/collector.ts';
import {
  type PrometheusSettings,
  prometheusSettingsSchema,
} from '../../collectors/prometheus/settings_schema.ts';
import type { Collector, Unit } from '../../collectors/polling/pollster.ts';
import type { Reading } from '../../meters/sample.ts';
import { discovered, pollUnit, type RecordingPollContext } from './recording_poll_context.ts';

/** An HTTP server of the test's own. */
export interface Exporter {
  /** Without a slash at its end. */
  readonly url: string;
  readonly host: string;
  /** The last request's headers. */
  headers(): IncomingMessage['headers'];
  stop(): Promise<void>;
}

export async function startExporter(
  answer: (request: IncomingMessage, response: ServerResponse) => void | Promise<void>,
): Promise<Exporter> {
  let last: IncomingMessage['headers'] = {};
  const server = createServer((request, response) => {
    last = request.headers;
    void answer(request, response);
  });
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    host: `127.0.0.1:${port}`,
    headers: () => last,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A page as an exporter of the older format serves it. */
export function servePage(text: string, type = 'text/plain; version=0.0.4') {
  return (_request: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': type });
    response.end(text);
  };
}

/** Settings as they stand in polling.yaml. @throws {ZodError} */
export function prometheusSettings(settings: unknown): PrometheusSettings {
  return prometheusSettingsSchema.parse(settings);
}

/** A collector whose secrets are the references' own names in capitals. */
export function collectorFor(settings: unknown): Collector {
  return createPrometheusCollector(prometheusSettings(settings), {
    secret: (reference) =>
      Promise.resolve('env' in reference ? `secret-of-${reference.env}` : 'secret-of-a-file'),
    readText: () => Promise.reject(new Error('there is no file')),
    nowMs: () => Date.now(),
  });
}

/** Discovers and polls everything once. */
export async function pollAll(
  collector: Collector,
  context: RecordingPollContext,
): Promise<Reading[]> {
  const readings: Reading[] = [];
  for (const unit of (await discovered(collector, context)).values()) {
    readings.push(...await pollUnit(collector, unit, context));
  }
  return readings;
}

/** What `prometheus.query` says of a unit at a time that has passed. */
export async function pollAt(
  collector: Collector,
  unit: Unit,
  { instant, context }: { instant: string; context: RecordingPollContext },
): Promise<readonly Reading[]> {
  const pollster = collector.pollsters.find(({ name }) => name === 'prometheus.query');
  return await pollster?.pollAt?.(unit, instant, context) ?? [];
}
