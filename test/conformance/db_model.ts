/** The samples that the database's suite writes, and the plain way to answer questions about them. */
import type { SampleFilters } from '../../db/sample_filters.ts';
import type { StoredSample } from '../../db/sample_rows.ts';
import type { Scope } from '../../db/scope.ts';
import { sampleId } from '../../ledger/identity.ts';
import type { JsonObject } from '../../meters/json.ts';
import type { Reading, Sample } from '../../meters/sample.ts';
import { formatMicros, toMicros } from '../../meters/timestamp.ts';
import type { Database } from '../../db/client.ts';
import { SOURCE, type WrittenLog, type WrittenNotification } from '../support/written_log.ts';

/** Samples lie in October and November, some exactly on their border. */
export const FIRST = '2026-10-30T00:00:00.000000Z';
export const BORDER = '2026-11-01T00:00:00.000000Z';
export const PROJECTS = ['p-1', 'p-2', null] as const;
export const METERS = ['vcpus', 'disk.root.size', 'network.incoming.bytes'] as const;

export interface WrittenBatch {
  recordedAt: string;
  notifications: WrittenNotification[];
}

/** A number from 0 to 1 for each `n`, always the same: the fraction of a multiple of the golden mean. */
function noise(n: number): number {
  return (n * 0.618_033_988_749_895) % 1;
}

/** `batches` transactions of ten notifications of three samples each. */
export function batchesOf(batches: number): WrittenBatch[] {
  return Array.from({ length: batches }, (_, batch) => ({
    recordedAt: formatMicros(toMicros('2026-11-20T00:00:00.000000Z') + BigInt(batch) * 250_000n),
    notifications: Array.from({ length: 10 }, (_, index) => notificationOf(batch * 10 + index)),
  }));
}

function notificationOf(n: number): WrittenNotification {
  const resource = Math.floor(noise(n) * 12);
  return {
    origin: `message-${n}`,
    eventType: n % 3 === 0 ? 'compute.instance.exists' : 'compute.instance.update',
    readings: METERS.map((meter, index) => readingOf({ n, meter, index, resource })),
  };
}

function readingOf(
  { n, meter, index, resource }: { n: number; meter: string; index: number; resource: number },
): Reading {
  const micros = n % 7 === 0
    ? toMicros(BORDER) - BigInt(n % 2)
    : toMicros(FIRST) + BigInt(Math.floor(noise(n * 31) * 5 * 86_400e6));
  return {
    meter,
    type: index === 2 ? 'cumulative' : 'gauge',
    unit: index === 0 ? 'vcpu' : 'B',
    // Beyond what a double holds, in each direction.
    volume: index === 2 ? `${2n ** 60n + BigInt(n)}.000000000000001` : String(n % 5),
    resource_id: `resource-${resource}`,
    project_id: PROJECTS[resource % PROJECTS.length] ?? null,
    user_id: resource % 2 === 0 ? `user-${resource}` : null,
    timestamp: formatMicros(micros),
    metadata: metadataOf(resource),
  };
}

export function metadataOf(resource: number): JsonObject {
  return {
    host: `compute-${resource % 3}`,
    flavor: { name: resource % 2 === 0 ? 'm1.small' : 'm1.large' },
    'state.description': 'none',
    vcpus: resource % 4,
    note: 'a NUL \0, a backslash before it \\u0000 and "quotes"',
  };
}

/** The samples as they are expected back, in the order of the log. */
export function expectedSamples(batches: readonly WrittenBatch[]): Sample[] {
  return batches.flatMap(({ recordedAt, notifications }) =>
    notifications.flatMap(({ origin, readings }) =>
      readings.map((reading) => ({
        ...reading,
        id: sampleId({ ...reading, source: SOURCE, origin, index: 0 }),
        source: SOURCE,
        recorded_at: recordedAt,
      }))
    )
  );
}

export function matches(scope: Scope, filters: SampleFilters) {
  const asked: [keyof Sample, unknown][] = [
    ['meter', filters.meter],
    ['resource_id', filters.resourceId],
    ['project_id', filters.projectId],
    ['user_id', filters.userId],
    ['source', filters.source],
  ];
  return (sample: Sample): boolean =>
    (scope === 'all' || sample.project_id === scope.projectId) &&
    asked.every(([field, value]) => value === undefined || sample[field] === value) &&
    (filters.from === undefined || sample.timestamp >= filters.from) &&
    (filters.to === undefined || sample.timestamp < filters.to);
}

/** By timestamp, then by place in the log, which is the order of `samples`. */
export function newestFirst(samples: readonly Sample[]): Sample[] {
  return samples.map((sample, place) => ({ sample, place }))
    .sort((a, b) =>
      a.sample.timestamp === b.sample.timestamp
        ? b.place - a.place
        : a.sample.timestamp < b.sample.timestamp
        ? 1
        : -1
    )
    .map(({ sample }) => sample);
}

export function wire(rows: readonly StoredSample[]): Sample[] {
  return rows.map((row) => row.sample);
}

/** Node 20 has no Map.groupBy. */
export function groupBy<Row>(
  rows: readonly Row[],
  keyOf: (row: Row) => string,
): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = keyOf(row);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return groups;
}

export const BATCHES = batchesOf(12);
export const SAMPLES = expectedSamples(BATCHES);
export const PROPERTY = { numRuns: 40, seed: 20_261_122 };
export const SCOPES: Scope[] = ['all', { projectId: 'p-1' }, { projectId: 'p-9' }];

/** What the parts of the suite share: a database whose log 0 holds {@link BATCHES} and a record. */
export interface LogSuite {
  db: Database;
  log: WrittenLog;
}

export async function allPages<Row>(
  read: (cursor: string | null) => Promise<{ rows: Row[]; nextCursor: string | null }>,
): Promise<Row[]> {
  const rows: Row[] = [];
  let cursor: string | null = null;
  do {
    const page = await read(cursor);
    rows.push(...page.rows);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return rows;
}
