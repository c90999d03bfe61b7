/** Which projects are billed for which periods, and what their actors are to be told. */
import type { PoolClient } from 'pg';
import {
  type BillingPeriod,
  insertPeriods,
  type LogScan,
  moveMark,
  type PeriodName,
  periodsWithin,
  scanWindows,
  type TouchedHour,
  wantAmendments,
} from '../db/billing_periods.ts';
import { inTransaction } from '../db/client.ts';
import { listLogs, type LogState } from '../db/logs.ts';
import { coversOfLatest } from '../db/statements.ts';
import { leafOfPosition } from '../ledger/position.ts';
import { type AgreedPeriod, periodFor } from '../meters/billing_calendar.ts';
import { type BillingConfig, ofProject } from '../meters/billing_config.ts';
import { formatMicros, formatMillis, HOUR_MICROS, toMicros } from '../meters/timestamp.ts';
import type { BillingDeps } from './billing_deps.ts';

export interface PeriodScan {
  /** Periods that were opened, and those whose amendment is to be looked for. */
  opened: number;
  amended: number;
  /** Hours of projects that lie too far back to be billed. */
  too_old: number;
  /** There is more to look through. */
  has_more: boolean;
}

/** Seals and revisions of a log that are looked through at once. */
const ENTRIES_AT_ONCE = 48;
/** Any number, the same in all processes: what is opened by two at once could overlap. */
const SCAN_LOCK = 7_236_583_442n;
/** How far around an hour its neighbouring periods are looked for. */
const REACH_MICROS = 80n * 24n * HOUR_MICROS;

/**
 * Looks through what was sealed and revised since the last time: opens the periods that are new, and marks
 * those whose windows were revised after their statement. Each log in one transaction with its mark.
 */
export async function scanPeriods(deps: BillingDeps): Promise<PeriodScan> {
  const config = await deps.billing();
  const scan = { opened: 0, amended: 0, too_old: 0, has_more: false };
  for (const log of await listLogs(deps.pool)) {
    await inTransaction(deps.pool, async (tx) => {
      await tx.query('SELECT pg_advisory_xact_lock($1)', [SCAN_LOCK]);
      const found = await scanWindows(tx, log.logId, { entries: ENTRIES_AT_ONCE });
      if (found.scannedTo === null) return;
      const finding = new PeriodFinding(config, formatMillis(deps.nowMs()));
      const { opened, amended, tooOld } = await finding.write(tx, { log, found });
      await moveMark(tx, { logId: log.logId, scannedTo: found.scannedTo });
      scan.opened += opened;
      scan.amended += amended;
      scan.too_old += tooOld;
      scan.has_more = true;
    });
  }
  if (scan.too_old > 0) deps.log.warn('usage_not_billed', { hours: scan.too_old });
  return scan;
}

/** The periods of the hours of one scan. */
class PeriodFinding {
  readonly #config: BillingConfig;
  readonly #now: string;
  readonly #oldest: bigint;
  #tooOld = 0;

  constructor(config: BillingConfig, now: string) {
    this.#config = config;
    this.#now = now;
    this.#oldest = toMicros(now) - BigInt(config.amendSeconds) * 1_000_000n;
  }

  async write(
    tx: PoolClient,
    { log, found }: { log: LogState; found: LogScan },
  ): Promise<{ opened: number; amended: number; tooOld: number }> {
    const touched = await this.#touchedPeriods(tx, found.touched);
    const fresh = touched.filter(({ isNew }) => isNew);
    await insertPeriods(tx, fresh.map(({ period }) => period), this.#now);
    const known = touched.filter(({ isNew }) => !isNew);
    const revised = await revisedAfter(tx, log, known);
    await wantAmendments(tx, revised);
    return { opened: fresh.length, amended: revised.length, tooOld: this.#tooOld };
  }

  async #touchedPeriods(
    tx: PoolClient,
    touched: readonly TouchedHour[],
  ): Promise<TouchedPeriod[]> {
    const starts = touched.map(({ start }) => start).sort();
    const [first, last] = [starts[0], starts.at(-1)];
    if (first === undefined || last === undefined) return [];
    const byProject = new Map<string, TouchedHour[]>();
    for (const hour of touched) {
      const hours = byProject.get(hour.projectId);
      if (hours === undefined) byProject.set(hour.projectId, [hour]);
      else hours.push(hour);
    }
    const agreed = await periodsWithin(tx, [...byProject.keys()], {
      from: formatMicros(toMicros(first) - REACH_MICROS),
      to: formatMicros(toMicros(last) + REACH_MICROS),
    });
    return [...byProject].flatMap(([projectId, hours]) =>
      this.#periodsOf(hours, agreed.filter((period) => period.projectId === projectId))
    );
  }

  #periodsOf(hours: readonly TouchedHour[], stored: readonly BillingPeriod[]): TouchedPeriod[] {
    const agreed: AgreedPeriod[] = stored.map(({ period, start, end }) => ({
      name: period,
      start: toMicros(start),
      end: toMicros(end),
    }));
    const known = new Set(agreed.map(({ name }) => name));
    const touched = new Map<string, TouchedPeriod>();
    for (const { projectId, start, position } of hours) {
      for (const found of this.#periodsAt(agreed, projectId, toMicros(start))) {
        if (found.end <= this.#oldest) {
          this.#tooOld += 1;
          continue;
        }
        const before = touched.get(found.name);
        if (before !== undefined) before.position = Math.max(before.position, position);
        else {
          const isNew = !known.has(found.name);
          const period = this.#agree(projectId, found);
          touched.set(found.name, { period, position, isNew });
        }
      }
    }
    return [...touched.values()];
  }

  /** That of the hour's first instant and of its last: a zone may cut the hour. */
  #periodsAt(agreed: AgreedPeriod[], projectId: string, start: bigint): AgreedPeriod[] {
    const rule = ofProject(this.#config.periods, projectId);
    const found: AgreedPeriod[] = [];
    for (const instant of [start, start + HOUR_MICROS - 1n]) {
      const period = periodFor(agreed, rule, instant);
      if (!agreed.includes(period)) agreed.push(period);
      if (!found.includes(period)) found.push(period);
    }
    return found;
  }

  #agree(projectId: string, { name, start, end }: AgreedPeriod): BillingPeriod {
    return {
      projectId,
      period: name,
      start: formatMicros(start),
      end: formatMicros(end),
      zone: ofProject(this.#config.periods, projectId).zone,
      groupBy: this.#config.groupBy,
      meters: [...this.#config.meters],
    };
  }
}

interface TouchedPeriod {
  period: BillingPeriod;
  /** Place of the last entry that wrote windows of it. */
  position: number;
  isNew: boolean;
}

/** Those that have a statement which did not know of this. */
async function revisedAfter(
  tx: PoolClient,
  { origin }: LogState,
  touched: readonly TouchedPeriod[],
): Promise<PeriodName[]> {
  const latest = await coversOfLatest(tx, touched.map(({ period }) => period));
  const sizes = new Map(latest.map(({ projectId, period, covers }) => [
    JSON.stringify([projectId, period]),
    covers.find((log) => log.origin === origin)?.size ?? 0,
  ]));
  return touched.flatMap(({ period: { projectId, period }, position }) => {
    const size = sizes.get(JSON.stringify([projectId, period]));
    return size === undefined || leafOfPosition(position) < size ? [] : [{ projectId, period }];
  });
}
