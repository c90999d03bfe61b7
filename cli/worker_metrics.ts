/**
 * The metrics of workers by way of NATS: a worker answers with its own, the API asks all that are there
 * and shows them beside its own. So one address serves all, and a worker needs no port.
 */
import type { NatsConnection } from '@nats-io/nats-core';
import { AggregatorRegistry, type Registry } from 'prom-client';
import { z } from 'zod';

const METRICS_SUBJECT = 'nepho.metrics';
/** Milliseconds that workers have to answer a scrape. */
const ANSWER_MS = 500;
/** Workers whose metrics are shown. */
const MAX_WORKERS = 256;

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
/** What prom-client writes for a metric, and reads to show it. */
const metricsSchema = z.array(z.object({
  name: z.string().regex(NAME),
  help: z.string(),
  type: z.enum(['counter', 'gauge', 'histogram', 'summary']),
  aggregator: z.enum(['sum', 'first', 'min', 'max', 'average', 'omit']),
  values: z.array(z.object({
    value: z.number(),
    metricName: z.string().regex(NAME).optional(),
    labels: z.record(z.string(), z.union([z.string(), z.number()])),
  })),
}));

/**
 * Answers whoever asks for metrics, until the connection is closed.
 *
 * @param worker stands in the label `worker`, so that counters of several never mix
 */
export function answerMetrics(nc: NatsConnection, registry: Registry, worker: string): void {
  registry.setDefaultLabels({ worker });
  nc.subscribe(METRICS_SUBJECT, {
    callback: (error, message) => {
      if (error !== null) return;
      registry.getMetricsAsJSON().then(
        (metrics) => message.respond(JSON.stringify(metrics)),
        () => message.respond('[]'),
      );
    },
  });
}

/** The metrics of all workers that answer, as Prometheus text; empty if there are none. */
export async function gatherMetrics(nc: NatsConnection): Promise<string> {
  const gathered: z.output<typeof metricsSchema>[] = [];
  const answers = await nc.requestMany(METRICS_SUBJECT, '', {
    // Ends soon after the last answer, as nobody knows how many there will be.
    strategy: 'stall',
    maxWait: ANSWER_MS,
    maxMessages: MAX_WORKERS,
  });
  try {
    for await (const answer of answers) {
      const parsed = metricsSchema.safeParse(jsonOrNull(answer.string()));
      if (parsed.success) gathered.push(parsed.data);
    }
  } catch {
    // Nobody is there to answer: no worker runs.
  }
  return gathered.length === 0 ? '' : await AggregatorRegistry.aggregate(gathered).metrics();
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
