/** Days and months: each must be what its hours, or days, come to. */
import { readSeal } from '../db/audit_rows.ts';
import {
  lastOfRevision,
  type RolledWindow,
  type RollupRow,
  rollupsWithin,
  windowsWithin,
} from '../db/audit_windows.ts';
import type { Queryable } from '../db/client.ts';
import { ROLLUP_SPANS, type RollupSpan } from '../db/rollups.ts';
import { columnsOf, FIGURE_COLUMNS, figuresOf } from '../db/window_columns.ts';
import { readWindowKeeper } from '../db/window_keepers.ts';
import { formatMicros, HOUR_MICROS, toMicros } from '../meters/timestamp.ts';
import { EMPTY_FIGURES, mergeFigures } from '../meters/window_figures.ts';
import type { AuditReport } from './audit_report.ts';

/** Audits one day or month of one log. */
export async function auditRollup(
  db: Queryable,
  { logId, span }: { logId: number; span: RollupSpan },
  report: AuditReport,
): Promise<void> {
  const name = `${span.span === ROLLUP_SPANS.day ? 'day' : 'month'} ${span.start} of log ${logId}`;
  await report.step(name, `window_rollups: ${name}`, async () => {
    const audit = await RollupAudit.read(db, { logId, span, report });
    audit.checkAll();
    report.count('rollups', audit.rows);
    return `${audit.rows} rows are what ${audit.parts} ${
      span.span === ROLLUP_SPANS.day ? 'windows' : 'days'
    } come to`;
  });
}

interface Parts {
  /** Hours of a day, or days of a month; all versions. */
  parts: readonly RolledWindow[];
  rollups: readonly RollupRow[];
  isSealed: boolean;
  /** Place of the seal of the last hour; null if there is none. */
  sealedAt: number | null;
  /** The last entry of the transaction of each revision. */
  lastOf: ReadonlyMap<number, number>;
}

class RollupAudit {
  readonly #span: RollupSpan;
  readonly #report: AuditReport;
  readonly #data: Parts;

  static async read(
    db: Queryable,
    { logId, span, report }: { logId: number; span: RollupSpan; report: AuditReport },
  ): Promise<RollupAudit> {
    const within = { from: span.start, to: span.end };
    const all = await rollupsWithin(db, logId, within);
    const isDay = span.span === ROLLUP_SPANS.day;
    const keeper = await readWindowKeeper(db, logId);
    const lastHour = formatMicros(toMicros(span.end) - HOUR_MICROS);
    return new RollupAudit({ span, report }, {
      parts: isDay
        ? await windowsWithin(db, logId, within)
        : all.filter((row) => row.span === ROLLUP_SPANS.day),
      rollups: all.filter((row) => row.span === span.span && row.start === span.start),
      isSealed: keeper !== null && keeper.sealedUntil >= span.end,
      sealedAt: (await readSeal(db, logId, lastHour))?.position ?? null,
      lastOf: await lastOfRevision(db, logId),
    });
  }

  private constructor(
    { span, report }: { span: RollupSpan; report: AuditReport },
    data: Parts,
  ) {
    this.#span = span;
    this.#report = report;
    this.#data = data;
  }

  get rows(): number {
    return this.#data.rollups.length;
  }

  get parts(): number {
    return this.#data.parts.length;
  }

  checkAll(): void {
    const parts = groupBySeries(this.#data.parts);
    const rollups = groupBySeries(this.#data.rollups);
    for (const id of new Set([...parts.keys(), ...rollups.keys()])) {
      this.#checkSeries(id, parts.get(id) ?? [], rollups.get(id) ?? []);
    }
  }

  #checkSeries(
    id: number,
    parts: readonly RolledWindow[],
    rollups: readonly RollupRow[],
  ): void {
    if (rollups.length === 0) {
      if (this.#data.isSealed) this.#find(id, null, 'it is not there');
      return;
    }
    let before = -1;
    // What replaces nothing that was sealed with its last hour begins with 1.
    const first = Number(rollups[0]?.position) === this.#data.sealedAt ? 0 : 1;
    for (const [index, row] of rollups.entries()) {
      const position = Number(row.position);
      if (row.revision !== first + index) {
        this.#find(id, row, `'revision' is ${row.revision}, it must be ${first + index}`);
      }
      this.#checkPosition(
        id,
        row,
        parts.filter((part) => Number(part.position) > before && Number(part.position) <= position),
      );
      this.#checkFigures(id, row, inForceAt(parts, position));
      before = position;
    }
    if (parts.some((part) => Number(part.position) > before)) {
      this.#find(id, rollups.at(-1) ?? null, 'a later revision of its hours is not in it');
    }
  }

  /** It came to be by the seal of its last hour, or by the revision that changed one of its hours. */
  #checkPosition(id: number, row: RollupRow, changes: readonly RolledWindow[]): void {
    const position = Number(row.position);
    const { sealedAt, lastOf } = this.#data;
    const expected = row.revision === 0 ? sealedAt : changes.reduce<number | null>((last, part) => {
      const place = Number(part.position);
      // Of a month the parts are days, which stand at that place already.
      return Math.max(last ?? 0, lastOf.get(place) ?? place);
    }, null);
    if (expected !== position) {
      this.#find(id, row, `'position' is ${position}, it must be ${expected}`);
    }
  }

  #checkFigures(id: number, row: RollupRow, parts: readonly RolledWindow[]): void {
    const figures = parts.map(figuresOf).reduce(mergeFigures, EMPTY_FIGURES);
    const expected = columnsOf(figures, null);
    const wrong = FIGURE_COLUMNS.filter((name) => row[name] !== expected[name]);
    if (wrong.length === 0) return;
    const shown = wrong.map((name) => `'${name}' is ${row[name]}, they make ${expected[name]}`);
    this.#find(id, row, shown.join('; '));
  }

  #find(id: number, row: RollupRow | null, detail: string): void {
    const { span, start } = this.#span;
    const name = span === ROLLUP_SPANS.day ? 'day' : 'month';
    const version = row === null ? '' : `, revision ${row.revision}`;
    this.#report.find(
      'rollup_wrong',
      `window_rollups: ${name} ${start} of series ${id}${version}`,
      detail,
    );
  }
}

/** The newest versions up to a place, by start. */
function inForceAt(parts: readonly RolledWindow[], position: number): RolledWindow[] {
  const newest = new Map<string, RolledWindow>();
  for (const part of parts) {
    if (Number(part.position) <= position) newest.set(part.start, part);
  }
  return [...newest.values()];
}

function groupBySeries<Row extends { series_id: number }>(
  rows: readonly Row[],
): Map<number, Row[]> {
  const groups = new Map<number, Row[]>();
  for (const row of rows) {
    const group = groups.get(row.series_id);
    if (group === undefined) groups.set(row.series_id, [row]);
    else group.push(row);
  }
  return groups;
}
