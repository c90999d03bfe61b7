import type { LogSizes } from './as_of.ts';
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';
import type { Scope } from './scope.ts';
import { readSealedState, type SealedLog, type SealedState } from './sealed_until.ts';
import { coverBuckets } from './usage_cover.ts';
import { lateGroups } from './usage_late.ts';
import { type LabelPath, readLabels } from './usage_labels.ts';
import { readOpen } from './usage_open.ts';
import { sumSealed } from './usage_sealed.ts';
import type { UsageFilters, UsageGroup } from './usage_series.ts';
import { mergeSums, type UsageSums } from './usage_sums.ts';
import { NephoError } from '../meters/errors.ts';
import { bucketFigures, labelledFigures } from '../meters/bucket_figures.ts';
import type { UsageRules } from '../meters/usage_rules.ts';

export interface UsageRequest {
  readonly filters: UsageFilters;
  readonly groupBy: readonly UsageGroup[];
  /** Paths of metadata by which each sample is told apart; everything is computed from samples then. */
  readonly labels: readonly LabelPath[];
  /** Where the buckets begin, and last where the last one ends: ascending microseconds since 1970. */
  readonly bounds: readonly bigint[];
  /** What was known: see db/as_of.ts. */
  readonly sizes: LogSizes;
  readonly rules: UsageRules;
  /** Rows at most. */
  readonly limit: number;
}

export interface Usage {
  /** Ordered by bucket, meter, type, unit and group; the labels' values follow those of the columns. */
  readonly sums: readonly UsageSums[];
  /** Every hour before this is sealed in every log that has samples; null if there is one without. */
  readonly sealedUntil: bigint | null;
  /**
   * Of the sums, by {@link keyOf}, those whose sealed hours got samples that no revision has counted yet.
   * They may name groups without any sums.
   */
  readonly late: ReadonlySet<string>;
}

/**
 * What a range came to, as it was known at the logs' sizes: from sealed months, days and hours where there
 * are any, and from samples where a bucket cuts an hour and where hours are not sealed. Exact in both.
 *
 * @throws {NephoError} `too_many_groups`, `range_too_large`
 */
export async function readUsage(
  db: Queryable,
  scope: Scope,
  request: UsageRequest,
): Promise<Usage> {
  const [first = 0n] = request.bounds;
  const range = { start: first, end: request.bounds.at(-1) ?? first };
  return await withDatabaseErrors('read usage', async () => {
    const state = await readSealedState(db, request.sizes, range);
    const parts: UsageSums[] = [];
    for (const logs of bySealedUntil(state)) {
      parts.push(...await sumLogs(db, scope, { ...request, logs, revised: state.revised }));
    }
    const sums = mergeSums(parts);
    if (sums.length > request.limit) throw tooManyGroups(request.limit);
    const late = await lateGroups(db, scope, { ...request, logs: state.logs });
    return { sums, sealedUntil: commonBorder(state), late };
  });
}

interface LogsRequest extends UsageRequest {
  /** All sealed to the same hour. */
  readonly logs: readonly SealedLog[];
  readonly revised: SealedState['revised'];
}

async function sumLogs(db: Queryable, scope: Scope, request: LogsRequest): Promise<UsageSums[]> {
  const { bounds, logs, limit, labels } = request;
  const sealedUntil = logs[0]?.sealedUntil ?? null;
  const fromSamples = labels.length > 0;
  const cover = coverBuckets(bounds, fromSamples ? null : sealedUntil);
  const sums: UsageSums[] = [];
  sums.push(
    ...await sumSealed(db, {
      ...request,
      scope,
      cover: cover.sealed,
      starts: bounds.slice(0, -1),
      limit: limit + 1,
    }),
  );
  if (sums.length > limit) throw tooManyGroups(limit);
  for (const log of logs) {
    sums.push(...await sumOpen(db, scope, { ...request, log, spans: cover.open }));
  }
  return sums;
}

async function sumOpen(
  db: Queryable,
  scope: Scope,
  request: UsageRequest & { log: SealedLog; spans: readonly { start: bigint; end: bigint }[] },
): Promise<UsageSums[]> {
  const { groupBy, labels, bounds } = request;
  const open = await readOpen(db, { ...request, scope, withHeld: labels.length > 0 });
  const ids = labels.length === 0 ? [] : open.flatMap(({ metadata }) => [...metadata.values()]);
  const labelOf = await readLabels(db, new Set(ids), labels);
  return open.flatMap(({ series, span, readings, carry, metadata }) => {
    const { meter, type, unit } = series;
    const { stalenessMicros } = series.rule;
    const options = { type, stalenessMicros, carry, span, bounds };
    const group = groupBy.map((name) => series[name]);
    if (labels.length === 0) {
      return bucketFigures(readings, options).map((one) => ({ group, meter, type, unit, ...one }));
    }
    const found = labelledFigures(readings, {
      ...options,
      labelOf: (id) => labelOf(metadata.get(id)),
    });
    return found.map(({ label, bucket, figures }) => {
      const values = label === null ? [] : JSON.parse(label) as (string | null)[];
      return { group: [...group, ...values], meter, type, unit, bucket, figures };
    });
  });
}

/** Logs that are sealed to the same hour are read together. */
function bySealedUntil({ logs }: SealedState): SealedLog[][] {
  const groups = new Map<bigint | null, SealedLog[]>();
  for (const log of logs) {
    const group = groups.get(log.sealedUntil);
    if (group === undefined) groups.set(log.sealedUntil, [log]);
    else group.push(log);
  }
  return [...groups.values()];
}

function commonBorder({ logs }: SealedState): bigint | null {
  let border: bigint | null = null;
  for (const { sealedUntil, hasSamples } of logs) {
    if (!hasSamples) continue;
    if (sealedUntil === null) return null;
    if (border === null || sealedUntil < border) border = sealedUntil;
  }
  return border;
}

function tooManyGroups(limit: number): NephoError {
  return new NephoError(
    'too_many_groups',
    `Cannot give more than ${limit} rows of usage: ask for fewer groups, longer spans or a shorter range`,
  );
}
