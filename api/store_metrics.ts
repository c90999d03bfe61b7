import { Gauge } from 'prom-client';
import { countOpenFindings } from '../db/audits.ts';
import { latestCheckpoint } from '../db/checkpoints.ts';
import { sumEventCounts } from '../db/event_counts.ts';
import { listLogs } from '../db/logs.ts';
import { countQuarantine } from '../db/quarantine.ts';
import { toMicros } from '../meters/timestamp.ts';
import type { ApiDeps, Intake } from './deps.ts';
import { METRICS } from './metrics.ts';

/** Milliseconds for which what was read serves further scrapes. */
const FRESH_MS = 1_000;

/**
 * Registers the metrics of what is stored and of what waits. The function that is returned reads them
 * anew; a source that does not answer leaves its metrics out and says so in `nepho_metrics_source_up`.
 */
export function createStoreMetrics(deps: ApiDeps): () => Promise<void> {
  const gauges = createGauges(deps);
  let reading: Promise<void> | null = null;
  let readMs = Number.NEGATIVE_INFINITY;
  const read = async (): Promise<void> => {
    await Promise.all([
      refresh(gauges, 'database', () => readDatabase(gauges, deps)),
      ...deps.intake === null ? [] : [
        refresh(gauges, 'intake', readIntake.bind(null, gauges, deps.intake)),
      ],
    ]);
    readMs = deps.now();
  };
  return async () => {
    if (deps.now() - readMs < FRESH_MS) return;
    reading ??= read().finally(() => {
      reading = null;
    });
    await reading;
  };
}

type Gauges = ReturnType<typeof createGauges>;

function createGauges({ registry }: ApiDeps) {
  const gauge = <Label extends string>(
    metric: { name: string; help: string },
    labelNames: Label[],
  ) => new Gauge<Label>({ ...metric, labelNames, registers: [registry] });
  return {
    size: gauge(METRICS.log_size, ['log']),
    age: gauge(METRICS.log_age, ['log']),
    findingsOpen: gauge(METRICS.audit_findings_open, []),
    quarantineOpen: gauge(METRICS.quarantine_open, []),
    quarantine: gauge(METRICS.quarantine, ['status', 'reason']),
    notifications: gauge(METRICS.notifications, ['outcome']),
    withoutVolume: gauge(METRICS.without_volume, []),
    samples: gauge(METRICS.samples, []),
    backlog: gauge(METRICS.intake_backlog, ['shard', 'state']),
    lag: gauge(METRICS.intake_lag, ['shard']),
    up: gauge(METRICS.source_up, ['source']),
  };
}

async function refresh(
  gauges: Gauges,
  source: 'database' | 'intake',
  read: () => Promise<void>,
): Promise<void> {
  try {
    await read();
    gauges.up.set({ source }, 1);
  } catch {
    // Numbers of a former scrape must not pass for those of now.
    if (source === 'intake') forget([gauges.backlog, gauges.lag]);
    else {
      forget([gauges.size, gauges.age, gauges.quarantine, gauges.notifications]);
      // Without labels, a reset would leave a zero.
      const { findingsOpen, quarantineOpen, withoutVolume, samples } = gauges;
      for (const one of [findingsOpen, quarantineOpen, withoutVolume, samples]) one.remove();
    }
    gauges.up.set({ source }, 0);
  }
}

function forget(gauges: readonly { reset(): void }[]): void {
  for (const gauge of gauges) gauge.reset();
}

async function readDatabase(gauges: Gauges, { db: { pool }, now }: ApiDeps): Promise<void> {
  const [logs, findings, quarantined, events] = await Promise.all([
    listLogs(pool),
    countOpenFindings(pool),
    countQuarantine(pool),
    sumEventCounts(pool),
  ]);
  for (const { logId, size } of logs) {
    gauges.size.set({ log: logId }, size);
    const checkpoint = await latestCheckpoint(pool, logId);
    if (checkpoint === null) continue;
    const signedMs = Number(toMicros(checkpoint.signedAt) / 1_000n);
    gauges.age.set({ log: logId }, Math.max(0, (now() - signedMs) / 1_000));
  }
  gauges.quarantine.reset();
  let open = 0;
  for (const { status, reason, messages } of quarantined) {
    gauges.quarantine.set({ status, reason }, messages);
    if (status === 'open') open += messages;
  }
  gauges.quarantineOpen.set(open);
  gauges.findingsOpen.set(findings);
  gauges.notifications.set({ outcome: 'matched' }, events.matched);
  gauges.notifications.set({ outcome: 'unmatched' }, events.unmatched);
  gauges.withoutVolume.set(events.withoutVolume);
  gauges.samples.set(events.samples);
}

async function readIntake(gauges: Gauges, intake: Intake): Promise<void> {
  for (const { shard, pending, unacknowledged, oldest_age_seconds } of await intake.backlog()) {
    gauges.backlog.set({ shard, state: 'pending' }, pending);
    gauges.backlog.set({ shard, state: 'unacknowledged' }, unacknowledged);
    gauges.lag.set({ shard }, oldest_age_seconds ?? 0);
  }
}
