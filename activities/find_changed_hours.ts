import type { Pool } from 'pg';
import { droppedUntil } from '../db/archives.ts';
import {
  type FirstAfter,
  firstAfterSealed,
  type LateSample,
  lateSamples,
  type LeafSearch,
} from '../db/late_samples.ts';
import { hourOf } from '../db/window_columns.ts';
import { firstSamplesOf } from '../db/window_readings.ts';
import { isRetrospective, longestStaleness } from '../db/window_series.ts';
import { carriesBefore, type Neighbours, neighboursOf } from '../db/windows.ts';
import { formatMicros, HOUR_MICROS, toMicros } from '../meters/timestamp.ts';
import type { UsageRule, UsageRules } from '../meters/usage_rules.ts';
import type { WindowReading } from '../meters/window_reading.ts';
import type { ChangedHours, SeriesRecomputer } from './recompute_series.ts';

/** What a search came to. */
export interface LateFinds {
  /** Hours that may have changed: those of a series at most once. */
  hours: ChangedHours[];
  samples: FoundSample[];
}

export interface FoundSample {
  series_id: number;
  position: number;
  /** Of a sealed hour. The others are a cause only if something of their series changed. */
  isLate: boolean;
}

/**
 * The hours before `sealedUntil` that may differ by the samples at the leaves of the search, each series'
 * from the first to the last of them.
 */
export async function findChangedHours(
  pool: Pool,
  rules: UsageRules,
  { search, recomputer }: { search: LeafSearch; recomputer: SeriesRecomputer },
): Promise<LateFinds> {
  const end = toMicros(search.sealedUntil);
  const found = await lateSamples(pool, search);
  await recomputer.catalogue.load(pool, found.map(({ series_id }) => series_id));
  // At the very end only a gauge's former value is concerned.
  const late = found.filter(({ series_id, at }) =>
    at < end || recomputer.catalogue.get(series_id).type === 'gauge'
  );
  const starts = late.map(({ series_id, at }) => ({
    seriesId: series_id,
    start: formatMicros(hourOf(at)),
  }));
  const neighbours = await neighboursOf(pool, starts);
  const hours = late.map((sample, index) => {
    const { type, rule } = recomputer.catalogue.get(sample.series_id);
    return {
      seriesId: sample.series_id,
      ...(type === 'gauge'
        ? gaugeHours(sample, rule, neighbours[index])
        : readingHours(sample, neighbours[index])),
    };
  });
  const told = await hoursToldOf(pool, rules, { search, recomputer });
  // Windows cannot be computed again whose samples are in archives alone: they stay as they are.
  const dropped = await droppedUntil(pool);
  return {
    hours: merged([...hours, ...told.hours], {
      start: dropped === null ? null : toMicros(dropped),
      end,
    }),
    samples: [
      ...late.map(({ series_id, position, at }) => ({ series_id, position, isLate: at < end })),
      ...told.samples,
    ],
  };
}

/** Its own hour, and up to that of the next reading, which goes on from it. */
function readingHours({ at }: LateSample, next: Neighbours | undefined) {
  const after = next?.after ?? null;
  return {
    from: hourOf(at),
    to: (after === null ? hourOf(at) : toMicros(after)) + HOUR_MICROS,
  };
}

/**
 * As of any reading; and before it, the hour in which the former value was thought to have run out, or those
 * that it, or the next reading in its stead, tells of; and after it those in which its value holds.
 */
function gaugeHours(
  { at }: LateSample,
  rule: UsageRule,
  near: Neighbours | undefined,
): { from: bigint; to: bigint } {
  const { stalenessMicros } = rule;
  const just = hourOf(at - 1n);
  const before = near?.before ?? null;
  const after = near?.after ?? null;
  const reach = hourOf(at - stalenessMicros - 1n);
  const known = before === null || toMicros(before) < reach ? reach : toMicros(before);
  return {
    from: isRetrospective(rule) && known < just ? known : just,
    to: (after === null ? hourOf(at + stalenessMicros) : toMicros(after)) + HOUR_MICROS,
  };
}

/** Those of a series become one span, within what is sealed and can be computed. */
function merged(
  hours: readonly ChangedHours[],
  { start, end }: { start: bigint | null; end: bigint },
): ChangedHours[] {
  const bySeries = new Map<number, ChangedHours>();
  for (const { seriesId, to, ...changed } of hours) {
    const from = start !== null && start > changed.from ? start : changed.from;
    if (from >= end || from >= to) continue;
    const known = bySeries.get(seriesId);
    bySeries.set(seriesId, {
      seriesId,
      from: known !== undefined && known.from < from ? known.from : from,
      to: least(end, known !== undefined && known.to > to ? known.to : to),
    });
  }
  return [...bySeries.values()];
}

/**
 * The sealed hours that samples after them tell of: an instance that has been there for some hours, or that
 * was deleted before the audit which lists it. Only the first sample after the sealed hours can do so.
 */
async function hoursToldOf(
  pool: Pool,
  rules: UsageRules,
  { search, recomputer }: { search: LeafSearch; recomputer: SeriesRecomputer },
): Promise<LateFinds> {
  const end = toMicros(search.sealedUntil);
  const until = end + longestStaleness(rules);
  const meters = await recomputer.catalogue.retrospectiveMeters(pool);
  const firsts = (await firstAfterSealed(pool, search, { meters, until: formatMicros(until) }))
    .filter(({ fresh, known }) => known === null || fresh <= known);
  if (firsts.length === 0) return { hours: [], samples: [] };
  const samples = await firstSamplesOf(pool, { logId: search.logId, size: search.to }, {
    from: end + 1n,
    to: until + 1n,
    meters,
    seriesIds: firsts.map(({ series_id }) => series_id),
  });
  await recomputer.catalogue.load(pool, firsts.map(({ series_id }) => series_id));
  const readings = await recomputer.maker.make(pool, samples);
  const carries = await carriesBefore(
    pool,
    firsts.map(({ series_id }) => ({ seriesId: series_id, before: search.sealedUntil })),
  );
  const hours = firsts.flatMap((first, index): ChangedHours[] => {
    const { rule } = recomputer.catalogue.get(first.series_id);
    const carry = carries[index] ?? null;
    const holds = carry !== null && !carry.ended && carry.at + rule.stalenessMicros > end;
    const from = toldFrom(first, readings.get(first.series_id) ?? [], { rule, holds, end });
    return from === null ? [] : [{ seriesId: first.series_id, from, to: end }];
  });
  const concerned = new Set(hours.map(({ seriesId }) => seriesId));
  return {
    hours,
    samples: samples.filter(({ series_id }) => concerned.has(series_id))
      .map(({ series_id, position }) => ({ series_id, position, isLate: false })),
  };
}

/** Since which hour, or null if what it tells of is not sealed, or known. */
function toldFrom(
  { fresh, known }: FirstAfter,
  readings: readonly WindowReading[],
  { rule, holds, end }: { rule: UsageRule; holds: boolean; end: bigint },
): bigint | null {
  const from = hourOf(fresh - rule.stalenessMicros - 1n);
  // It takes the place of a sample that may have told of them.
  if (known !== null) return from;
  const tells = readings.some(({ since, until = null }) =>
    (until !== null && until < end) || (!holds && (since ?? end) <= end)
  );
  return tells ? from : null;
}

function least(left: bigint, right: bigint): bigint {
  return left < right ? left : right;
}
