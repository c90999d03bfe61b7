/** docs/usage.md: every figure of its tables is computed again. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { PROJECT_DIR } from '../../cli/env.ts';
import { formatQuantity, parseQuantity, type Quantity } from '../../meters/quantity.ts';
import { coverRange } from '../../meters/range_cover.ts';
import type { MeterType } from '../../meters/sample.ts';
import {
  meanOfSamples,
  percentilesOf,
  ratePerSecond,
  standardDeviationOf,
  timeWeightedMean,
  varianceOf,
} from '../../meters/sample_statistics.ts';
import { formatMicros, parseTimestamp, toMicros } from '../../meters/timestamp.ts';
import { unitHours, usageQuantity } from '../../meters/usage_quantity.ts';
import { parseUsageRules } from '../../meters/usage_rules_schema.ts';
import { computeWindows } from '../../meters/window_compute.ts';
import { EMPTY_FIGURES, mergeFigures, type WindowFigures } from '../../meters/window_figures.ts';
import type { WindowReading } from '../../meters/window_reading.ts';
import { calendarSpans, type Span, startOfDate } from '../../meters/zone.ts';

const HOUR = 3_600_000_000n;
const DAY = '2026-03-01';
const doc = readFileSync(path.join(PROJECT_DIR, 'docs', 'usage.md'), 'utf8');

type Row = Readonly<Record<string, string>>;

/** The tables that follow a mark, as far as the next heading or mark. */
function tablesAfter(mark: RegExp): { mark: string; tables: Row[][] }[] {
  return doc.split(/^<!-- /m).slice(1).flatMap((part) => {
    const [name = '', text = ''] = part.split(' -->', 2);
    if (!mark.test(name)) return [];
    const section = text.split(/^#/m)[0] ?? '';
    const tables = section.match(/(?:^\|.*\n)+/gm) ?? [];
    return [{ mark: name, tables: tables.map(rowsOf) }];
  });
}

function rowsOf(table: string): Row[] {
  const [header = [], , ...rows] = table.trim().split('\n').map((line) =>
    line.split('|').slice(1, -1).map((cell) => cell.trim())
  );
  return rows.map((cells) =>
    Object.fromEntries(header.map((name, column) => [name, cells[column] ?? '']))
  );
}

function timeOf(clock: string): bigint {
  return toMicros(parseTimestamp(`${DAY}T${clock}Z`));
}

function readingOf(row: Row, index: number): WindowReading {
  const says = row['Says'] ?? '';
  const told = (word: string) => {
    const clock = new RegExp(`${word} ([\\d:]+)`).exec(says)?.[1];
    return clock === undefined ? null : timeOf(clock);
  };
  return {
    at: timeOf(row['Time'] ?? ''),
    volume: parseQuantity(row['Volume'] ?? ''),
    id: String(index),
    ends: /\bends\b/.test(says),
    since: told('since'),
    until: told('until'),
  };
}

function text(quantity: Quantity | null): string {
  return quantity === null ? '' : formatQuantity(quantity);
}

/** Every column that a table of windows may have. */
function columnsOf(type: MeterType, figures: WindowFigures): Row {
  return {
    'Samples': String(figures.count),
    'Sum': text(figures.sum),
    'Increase': text(figures.increase),
    'Resets': String(figures.resets),
    'Steps back': String(figures.stepsBack),
    'Unit seconds': text(figures.integral),
    'Covered': text(parseQuantity(`${figures.coveredMicros}e-6`)),
    'Quantity': text(usageQuantity(type, figures).quantity),
    'avg': text(meanOfSamples(figures)),
    'Time-weighted mean': text(timeWeightedMean(figures)),
    'Flags': [figures.expired ? 'expired' : '', figures.ended ? 'ended' : ''].filter((flag) =>
      flag !== ''
    ).join(', '),
  };
}

test('docs/usage.md: readings give the windows beside them', () => {
  const examples = tablesAfter(/^figures/);
  assert.ok(examples.length >= 8);
  for (const { mark, tables: [readings = [], windows = []] } of examples) {
    const [, type = '', , hours = '1'] = /^figures: (\w+)(, staleness (\d+)h)?$/.exec(mark) ?? [];
    const from = timeOf('00:00');
    const computed = computeWindows(readings.map(readingOf), {
      type: type as MeterType,
      from,
      to: from + 24n * HOUR,
      every: HOUR,
      stalenessMicros: BigInt(hours) * HOUR,
      carry: null,
    });
    const merged = computed.reduce((sum, each) => mergeFigures(sum, each.figures), EMPTY_FIGURES);
    const shown = windows.map((row) => row['Window']).filter((name) => name !== 'whole');
    const starts = computed.map(({ start }) => formatMicros(start).slice(11, 16));
    assert.ok(shown.length > 0);
    assert.deepEqual(starts.slice(0, shown.length), shown, mark);
    for (const row of windows) {
      const figures = row['Window'] === 'whole'
        ? merged
        : computed[starts.indexOf(row['Window'] ?? '')]?.figures ?? EMPTY_FIGURES;
      const expected = { Window: row['Window'], ...columnsOf(type as MeterType, figures) };
      for (const [column, value] of Object.entries(row)) {
        assert.equal(value, Reflect.get(expected, column), `${mark}, ${row['Window']}, ${column}`);
      }
    }
  }
});

test('docs/usage.md: days begin and last as it says', () => {
  const [{ tables: [days = []] } = { tables: [] }] = tablesAfter(/^days$/);
  assert.ok(days.length > 0);
  for (const row of days) {
    const [zone = '', date = ''] = [row['Zone'], row['Day']];
    const [year = 0, month = 0, day = 0] = date.split('-').map(Number);
    const start = startOfDate(zone, year, month, day);
    const [span] = calendarSpans({ from: start, to: start + 48n * HOUR, every: 'day', zone });
    assert.ok(span !== undefined);
    assert.equal(formatMicros(start).slice(0, 16).replace('T', ' '), row['From (UTC)'], zone);
    assert.equal(String(Number(span.end - span.start) / Number(HOUR)), row['Hours'], zone);
  }
});

test('docs/usage.md: ranges are covered by as many windows as it says', () => {
  const [{ tables: [ranges = []] } = { tables: [] }] = tablesAfter(/^cover$/);
  assert.ok(ranges.length > 0);
  const count = (runs: readonly Span[], every: 'month' | 'day' | 'hour') =>
    runs.flatMap(({ start, end }) => calendarSpans({ from: start, to: end, every, zone: 'UTC' }))
      .length;
  for (const row of ranges) {
    const [from = 0n, to = 0n] = (row['Range'] ?? '').split(' – ').map((each) =>
      toMicros(parseTimestamp(`${each}Z`))
    );
    const { months, days, hours, cuts } = coverRange(from, to);
    const cut = cuts.reduce((sum, { start, end }) => sum + Number(end - start) / 60e6, 0);
    assert.deepEqual(row, {
      Range: row['Range'],
      Months: String(count(months, 'month')),
      Days: String(count(days, 'day')),
      Hours: String(count(hours, 'hour')),
      Cut: `${cut} min`,
    });
  }
});

test('docs/usage.md: means, spread and percentiles are those of the samples', () => {
  const [{ tables: [rows = []] } = { tables: [] }] = tablesAfter(/^statistics$/);
  assert.ok(rows.length > 0);
  for (const row of rows) {
    const volumes = (row['Samples'] ?? '').split(', ').map(parseQuantity);
    const [window] = computeWindows(
      volumes.map((volume, index) => ({
        at: 0n,
        volume,
        id: `${index}`,
        ends: false,
        since: null,
      })),
      { type: 'delta', from: 0n, to: 1n, every: 1n, stalenessMicros: 1n, carry: null },
    );
    assert.ok(window !== undefined);
    const percents = ['30', '50', '99.9'].map(parseQuantity);
    const [p30 = null, p50 = null, p999 = null] = percentilesOf(volumes, percents);
    assert.deepEqual(row, {
      'Samples': row['Samples'],
      'Mean': text(meanOfSamples(window.figures)),
      'Variance': text(varianceOf(window.figures)),
      'Standard deviation': text(standardDeviationOf(window.figures)),
      '30th': text(p30),
      '50th': text(p50),
      '99.9th': text(p999),
    });
  }
});

test('docs/usage.md: the figures in its sentences are right, and its rules are read', () => {
  const prose = doc.replaceAll(/\s+/g, ' ');
  assert.ok(
    prose.includes(`1,500 in an hour are ${text(ratePerSecond(parseQuantity('1500'), HOUR))}`),
  );
  assert.ok(prose.includes(`1,260 unit seconds, ${text(unitHours(parseQuantity('1260')))}`));
  const [, yaml = ''] = /```yaml\n([\s\S]*?)```/.exec(doc) ?? [];
  const parsed = parseUsageRules(yaml);
  assert.ok(parsed.ok && parsed.warnings.length === 0);
});
