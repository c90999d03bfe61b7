import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/**
 * The name and help of every metric, of all processes: the worker fills those of ingest, the API those
 * of HTTP, and those of the store are read from the database at each scrape.
 */
export const METRICS = {
  http_requests: {
    name: 'nepho_http_requests_total',
    help: 'HTTP requests answered, by route, method and status',
  },
  http_seconds: {
    name: 'nepho_http_request_duration_seconds',
    help: 'Seconds from a request to the end of its answer',
  },
  ingest_batches: {
    name: 'nepho_ingest_batches_total',
    help: 'Batches that this worker stored and acknowledged',
  },
  ingest_messages: {
    name: 'nepho_ingest_messages_total',
    help: 'Messages of stored batches by outcome: stored, duplicate, conflict, quarantined',
  },
  ingest_samples: {
    name: 'nepho_ingest_samples_total',
    help: 'Samples that this worker wrote to the log',
  },
  ingest_batch_seconds: {
    name: 'nepho_ingest_batch_duration_seconds',
    help: 'Seconds from the begin of a batch to its last acknowledgement',
  },
  ingest_stage_seconds: {
    name: 'nepho_ingest_stage_seconds_total',
    help: 'Seconds that ingest spent in each stage; stages overlap',
  },
  ingest_pending: {
    name: 'nepho_ingest_pending_messages',
    help: 'Messages that waited for the shard when this worker last looked',
  },
  definitions_refused: {
    name: 'nepho_definitions_refused',
    help: '1 while the newest definition files have faults and the former set stays in force',
  },
  intake_backlog: {
    name: 'nepho_intake_backlog_messages',
    help: 'Messages in the intake, by shard and whether they were given to a worker',
  },
  intake_lag: {
    name: 'nepho_intake_lag_seconds',
    help: 'Age of the oldest message that waits in the intake, 0 if none waits',
  },
  log_size: { name: 'nepho_log_entries', help: 'Entries in the log' },
  log_age: {
    name: 'nepho_log_head_age_seconds',
    help: "Seconds since the log's newest checkpoint was signed",
  },
  audit_findings_open: {
    name: 'nepho_audit_findings_open',
    help: 'Differences that audits found and nobody has explained, 0 if there are none',
  },
  quarantine_open: {
    name: 'nepho_quarantine_open_messages',
    help: 'Messages in quarantine that nobody has decided on, 0 if there are none',
  },
  quarantine: {
    name: 'nepho_quarantine_messages',
    help: 'Messages in quarantine by status and reason',
  },
  notifications: {
    name: 'nepho_notifications_total',
    help: 'Notifications that were understood, by whether a definition met them',
  },
  without_volume: {
    name: 'nepho_readings_without_volume_total',
    help: 'Readings left out because their volume was null or absent',
  },
  samples: { name: 'nepho_samples_total', help: 'Samples stored' },
  source_up: {
    name: 'nepho_metrics_source_up',
    help: '1 if the source of metrics (database, intake) answered this scrape',
  },
} as const;

const BATCH_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const REQUEST_BUCKETS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

export interface HttpMetrics {
  answered(request: { route: string; method: string; status: number; seconds: number }): void;
}

export function createHttpMetrics(registry: Registry): HttpMetrics {
  const requests = new Counter({
    ...METRICS.http_requests,
    labelNames: ['route', 'method', 'status'],
    registers: [registry],
  });
  const seconds = new Histogram({
    ...METRICS.http_seconds,
    labelNames: ['route'],
    buckets: REQUEST_BUCKETS,
    registers: [registry],
  });
  return {
    answered(request) {
      const { route, method, status } = request;
      requests.inc({ route, method, status });
      seconds.observe({ route }, request.seconds);
    },
  };
}

/** What a stored batch came to, as db/prepared_batch.ts counts it. */
export interface BatchCounts {
  samples: number;
  origins: number;
  duplicates: number;
  conflicts: number;
  quarantined: number;
}

/** The observer that the worker hands to the signing activity. */
export interface IngestObserver {
  batchStored(shard: number, outcome: BatchCounts, milliseconds: number): void;
  intakePending(shard: number, messages: number): void;
  stages(shard: number, milliseconds: Readonly<Record<string, number>>): void;
  definitionsRefused(refused: boolean): void;
}

export function createIngestMetrics(registry: Registry): IngestObserver {
  const shardOnly = { labelNames: ['shard'], registers: [registry] };
  const batches = new Counter({ ...METRICS.ingest_batches, ...shardOnly });
  const samples = new Counter({ ...METRICS.ingest_samples, ...shardOnly });
  const pending = new Gauge({ ...METRICS.ingest_pending, ...shardOnly });
  const refused = new Gauge({ ...METRICS.definitions_refused, registers: [registry] });
  const messages = new Counter({
    ...METRICS.ingest_messages,
    labelNames: ['shard', 'outcome'],
    registers: [registry],
  });
  const stages = new Counter({
    ...METRICS.ingest_stage_seconds,
    labelNames: ['shard', 'stage'],
    registers: [registry],
  });
  const duration = new Histogram({
    ...METRICS.ingest_batch_seconds,
    ...shardOnly,
    buckets: BATCH_BUCKETS,
  });
  return {
    batchStored(shard, outcome, milliseconds) {
      batches.inc({ shard });
      samples.inc({ shard }, outcome.samples);
      messages.inc({ shard, outcome: 'stored' }, outcome.origins);
      messages.inc({ shard, outcome: 'duplicate' }, outcome.duplicates);
      messages.inc({ shard, outcome: 'conflict' }, outcome.conflicts);
      messages.inc({ shard, outcome: 'quarantined' }, outcome.quarantined);
      duration.observe({ shard }, milliseconds / 1_000);
    },
    intakePending: (shard, count) => pending.set({ shard }, count),
    stages(shard, spent) {
      for (const [stage, milliseconds] of Object.entries(spent)) {
        stages.inc({ shard, stage }, milliseconds / 1_000);
      }
    },
    definitionsRefused: (value) => refused.set(value ? 1 : 0),
  };
}
