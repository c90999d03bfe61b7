/** Random readings of every kind, and what their windows must come to: computed at once, over all of them. */
import fc from 'fast-check';
import type { Pool } from 'pg';
import { columnsOf, WINDOW_COLUMNS, type WindowColumns } from '../../db/window_columns.ts';
import { WINDOW_WITH_SERIES, type WindowWithSeries } from '../../db/window_records.ts';
import { inForceBefore } from '../../db/windows.ts';
import { sampleId } from '../../ledger/identity.ts';
import type { MeterType } from '../../meters/sample.ts';
import { formatMicros, HOUR_MICROS, toMicros } from '../../meters/timestamp.ts';
import { readingOf, ruleOf, type UsageRules } from '../../meters/usage_rules.ts';
import { computeWindows } from '../../meters/window_compute.ts';
import { WORLD_SOURCE, type WorldSample } from './window_world.ts';

export const MODEL_START = '2026-10-30T18:00:00.000000Z';
/** Over the end of a day, and of a month. */
export const MODEL_HOURS = 40;
const STEP = 300_000_000n;
const STEPS = MODEL_HOURS * 12;

export interface ModelSeries {
  meter: string;
  type: MeterType;
  resource: string;
  project: string;
}

export const MODEL_SERIES: readonly ModelSeries[] = [
  { meter: 'memory', type: 'gauge', resource: 'vm-1', project: 'p-1' },
  { meter: 'memory', type: 'gauge', resource: 'vm-2', project: 'p-2' },
  { meter: 'cpu', type: 'cumulative', resource: 'vm-1', project: 'p-1' },
  { meter: 'requests', type: 'delta', resource: 'vm-1', project: 'p-1' },
  { meter: 'instance', type: 'gauge', resource: 'vm-1', project: 'p-1' },
  { meter: 'instance', type: 'gauge', resource: 'vm-2', project: 'p-2' },
];

/** Times are often full hours, and often the same. */
const step = fc.oneof(
  { weight: 3, arbitrary: fc.nat(STEPS - 1) },
  { weight: 1, arbitrary: fc.nat(MODEL_HOURS - 1).map((hour) => hour * 12) },
);

const sample = fc.record({
  series: fc.nat(MODEL_SERIES.length - 1),
  step,
  volume: fc.oneof(fc.nat(9).map(String), fc.constantFrom('0.5', '12.25', '100', '1e3')),
  ends: fc.nat(5).map((n) => n === 0),
  /** Steps before the sample. */
  since: fc.option(fc.nat(60), { freq: 2 }),
  until: fc.option(fc.nat(30), { freq: 6 }),
});

/** Samples in the order of their arrival, of which each is one notification. */
export const modelSamples: fc.Arbitrary<WorldSample[]> = fc
  .array(sample, { minLength: 1, maxLength: 60 })
  .map((drawn) =>
    drawn.map(({ series, step, volume, ends, since, until }, index): WorldSample => {
      const known = MODEL_SERIES[series];
      if (known === undefined) throw new Error('no such series');
      const at = toMicros(MODEL_START) + BigInt(step) * STEP;
      const time = (steps: number | null) =>
        steps === null ? null : formatMicros(at - BigInt(steps) * STEP);
      return {
        ...known,
        origin: `m-${index}`,
        at: formatMicros(at),
        volume: volume === '1e3' ? '1000' : volume,
        eventType: ends ? 'compute.instance.delete.end' : 'compute.instance.exists',
        metadata: { launched_at: time(since), deleted_at: time(until) },
      };
    })
  );

/** A window of a series as it must be, or is: by series and start. */
export type ModelWindows = Map<string, WindowColumns>;

export function windowName(window: ModelSeries, start: string): string {
  return `${window.meter} ${window.resource} ${start}`;
}

/** The windows of all samples before a time, as one pass over the whole history gives them. */
export function naiveWindows(
  samples: readonly WorldSample[],
  rules: UsageRules,
  until: string,
): ModelWindows {
  const windows: ModelWindows = new Map();
  for (const series of MODEL_SERIES) {
    const rule = ruleOf(rules, series.meter);
    const own = samples.filter((one) =>
      one.meter === series.meter && one.resource === series.resource
    );
    const readings = own.map((one) =>
      readingOf(rule, {
        at: toMicros(one.at),
        volume: one.volume,
        id: sampleId({ ...one, source: WORLD_SOURCE, resource_id: one.resource, index: 0 }),
        eventType: one.eventType ?? null,
        since: one.metadata?.['launched_at'],
        until: one.metadata?.['deleted_at'],
      })
    );
    const computed = computeWindows(readings, {
      type: series.type,
      // Before anything that a sample may tell of.
      from: toMicros(MODEL_START) - 48n * HOUR_MICROS,
      to: toMicros(until),
      every: HOUR_MICROS,
      stalenessMicros: rule.stalenessMicros,
      carry: null,
    });
    for (const { start, figures, carry } of computed) {
      windows.set(windowName(series, formatMicros(start)), columnsOf(figures, carry));
    }
  }
  return windows;
}

/** The rows in force, without those that a revision left empty. */
export async function storedWindows(pool: Pool): Promise<ModelWindows> {
  const { rows } = await pool.query<WindowWithSeries>(
    `SELECT ${WINDOW_WITH_SERIES} FROM windows w JOIN series r USING (series_id)
     WHERE (w.count > 0 OR w.covered > 0) AND ${inForceBefore(null)}`,
  );
  return new Map(rows.map((row) => {
    const name = windowName(
      {
        meter: row.meter,
        type: row.type,
        resource: row.resource_id,
        project: row.project_id ?? '',
      },
      row.start,
    );
    return [name, columnsIn(row)];
  }));
}

function columnsIn(row: WindowWithSeries): WindowColumns {
  const columns = WINDOW_COLUMNS.map((column) => [column, row[column]] as const);
  return Object.fromEntries(columns) as unknown as WindowColumns;
}
