import type { Pool } from 'pg';
import type { LogSizes } from '../db/as_of.ts';
import type { BillingPeriod } from '../db/billing_periods.ts';
import { pollGapsOf, unaccountedOf } from '../db/statement_gaps.ts';
import { type ProjectSeries, seriesWithWindows } from '../db/statement_windows.ts';
import { checkStatement } from '../ledger/statement_check.ts';
import {
  encodeStatement,
  parseStatement,
  statementDigest,
  type StatementDocument,
  type StatementGap,
  type StatementLine,
} from '../ledger/statement_document.ts';
import { compareGaps, compareLines, differencesFrom, totalsOf } from '../ledger/statement_lines.ts';
import { compileMeterPatterns } from '../meters/meter_patterns.ts';
import type { UsageRules } from '../meters/usage_rules.ts';
import { expiredHolds } from './expired_holds.ts';
import { hoursOf, type PeriodWindow, PeriodWindows } from '../db/period_windows.ts';
import { LineBuilder, type LineSeries, linesOfSeries } from './statement_lines.ts';

/** All that a statement is made of: the same request always makes the same document. */
export interface StatementRequest {
  period: BillingPeriod;
  number: number;
  /** The document that it amends; null of number 0. */
  former: string | null;
  /** How much of each log is known. */
  sizes: LogSizes;
  closedAt: string;
}

export interface AssembledStatement {
  document: StatementDocument;
  text: string;
  digest: string;
  /** True of number 0, and of an amendment in which a quantity is another. */
  isNews: boolean;
}

/** Series whose windows are read at once: some 20,000 rows of a month. */
const SERIES_AT_ONCE = 25;
const MAX_GAPS = 5_000;

/**
 * Makes a statement: what each line's windows come to, as known at the sizes, and what is missing.
 *
 * @param progress called between reads, so that a long call shows that it lives; throws to end it
 */
export async function assembleStatement(
  parts: { pool: Pool; rules: UsageRules },
  request: StatementRequest,
  progress: () => void,
): Promise<AssembledStatement> {
  const { period, number, sizes, closedAt } = request;
  const former = request.former === null ? null : parseStatement(request.former);
  const summed = await sumLines(parts, request, { former, progress });
  const document: StatementDocument = {
    kind: 'statement',
    v: 1,
    project_id: period.projectId,
    period: period.period,
    number,
    amends: former === null || request.former === null
      ? null
      : { number: former.number, digest: statementDigest(request.former) },
    start: period.start,
    end: period.end,
    zone: period.zone,
    closed_at: closedAt,
    covers: sizes.map(({ origin, size }) => ({ origin, size }))
      .sort((a, b) => a.origin < b.origin ? -1 : 1),
    lines: withDifferences(summed.lines.sort(compareLines), former),
    totals: totalsOf(summed.lines),
    gaps: inOrder([...summed.gaps, ...await missingReadings(parts.pool, request)]),
  };
  checkStatement(document, former);
  const text = encodeStatement(document);
  return {
    document,
    text,
    digest: statementDigest(text),
    isNews: former === null || document.lines.some(({ difference }) => difference !== '0'),
  };
}

async function sumLines(
  parts: { pool: Pool; rules: UsageRules },
  { period, sizes }: StatementRequest,
  { former, progress }: { former: StatementDocument | null; progress: () => void },
): Promise<{ lines: StatementLine[]; gaps: StatementGap[] }> {
  const meters = compileMeterPatterns(period.meters);
  const all = await seriesWithWindows(parts.pool, period.projectId, hoursOf(period));
  const series = all.filter(({ meter }) => meters.wants(meter));
  const isGrouped = former?.lines.some(({ resource_id }) => resource_id === null) ?? false;
  const reader = new PeriodWindows({ db: parts.pool, rules: parts.rules }, { ...period, sizes });
  const gaps: StatementGap[] = [];
  const lines: StatementLine[] = [];
  for (const batch of batchesOf(linesOfSeries(series, isGrouped ? 'meter' : period.groupBy))) {
    const windows = await reader.read(batch.flatMap((part) => part.series));
    progress();
    const bySeries = partedBySeries(windows);
    for (const { builder, series, isLast } of batch) {
      for (const { series_id } of series) {
        const own = bySeries.get(series_id) ?? [];
        const records = own.map(({ record }) => record);
        builder.add(records, own.some(({ isCut }) => isCut) ? ['cut_hours'] : []);
        gaps.push(...expiredHolds(records, { rules: parts.rules, end: period.end }));
      }
      const line = isLast ? builder.build() : null;
      // Windows that came only after these sizes.
      if (line !== null && line.windows.count > 0) lines.push(line);
    }
  }
  return { lines, gaps };
}

function partedBySeries(windows: readonly PeriodWindow[]): Map<number, PeriodWindow[]> {
  const parts = new Map<number, PeriodWindow[]>();
  for (const window of windows) {
    const part = parts.get(window.series.series_id);
    if (part === undefined) parts.set(window.series.series_id, [window]);
    else part.push(window);
  }
  return parts;
}

interface LinePart {
  builder: LineBuilder;
  series: ProjectSeries[];
  isLast: boolean;
}

/** The series of the lines in portions, each line's in their order. */
function* batchesOf(lines: readonly LineSeries<ProjectSeries>[]): Generator<LinePart[]> {
  let batch: LinePart[] = [];
  let count = 0;
  for (const { subject, flags, series } of lines) {
    const builder = new LineBuilder(subject, flags);
    for (let from = 0; from < series.length;) {
      const part = series.slice(from, from + SERIES_AT_ONCE - count);
      from += part.length;
      count += part.length;
      batch.push({ builder, series: part, isLast: from === series.length });
      if (count < SERIES_AT_ONCE) continue;
      yield batch;
      [batch, count] = [[], 0];
    }
  }
  if (batch.length > 0) yield batch;
}

function withDifferences(
  lines: readonly StatementLine[],
  former: StatementDocument | null,
): StatementLine[] {
  if (former === null) return [...lines];
  const differenceOf = differencesFrom(former);
  return lines.map((line) => ({ ...line, difference: differenceOf(line) }));
}

async function missingReadings(
  pool: Pool,
  { period: { projectId, start, end, meters }, closedAt }: StatementRequest,
): Promise<StatementGap[]> {
  const gaps = await pollGapsOf(pool, { projectId, start, end, closedAt, limit: MAX_GAPS });
  const selection = compileMeterPatterns(meters);
  return [
    ...gaps.filter(({ meter }) => selection.wants(meter)),
    ...await unaccountedOf(pool, { start, end }),
  ];
}

/** In order, each once. Where there are too many, those of a meter are told as one. */
function inOrder(gaps: readonly StatementGap[]): StatementGap[] {
  const sorted = (gaps.length > 2 * MAX_GAPS ? byMeter(gaps) : [...gaps]).sort(compareGaps);
  return sorted.filter((gap, index) => {
    const before = sorted[index - 1];
    return before === undefined || compareGaps(before, gap) !== 0;
  });
}

function byMeter(gaps: readonly StatementGap[]): StatementGap[] {
  const spans = new Map<string, StatementGap>();
  for (const gap of gaps) {
    const key = JSON.stringify([gap.meter, gap.reason]);
    const span = spans.get(key) ?? gap;
    spans.set(key, {
      ...gap,
      resource_id: null,
      from: span.from < gap.from ? span.from : gap.from,
      to: span.to > gap.to ? span.to : gap.to,
    });
  }
  return [...spans.values()];
}
