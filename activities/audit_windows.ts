/** A sealed hour: its seal, every row of it from samples, its revisions, and what is in force of it now. */
import { listArchives } from '../db/archives.ts';
import {
  readSeal,
  revisionsOfHour,
  rulesBefore,
  type SealedHour,
  type StoredSeal,
} from '../db/audit_rows.ts';
import { windowsOfHour } from '../db/audit_windows.ts';
import type { Queryable } from '../db/client.ts';
import { partitionNamed } from '../db/partitions.ts';
import { carryOf, WINDOW_COLUMNS, type WindowColumns } from '../db/window_columns.ts';
import { readWindowKeeper } from '../db/window_keepers.ts';
import { windowText, type WindowWithSeries } from '../db/window_records.ts';
import { encodeHex } from '../ledger/bytes.ts';
import { leafOfPosition } from '../ledger/position.ts';
import type { RevisionEntry } from '../ledger/revision_entry.ts';
import type { SealEntry } from '../ledger/seal_entry.ts';
import { sha256Hex } from '../ledger/sha256.ts';
import { provenEntryOf } from './audit_entry.ts';
import type { LogAuditDeps } from './audit_log.ts';
import { type AuditReport, compareFields } from './audit_report.ts';
import { AuditRules } from './audit_rules.ts';
import { EMPTY, hashOf, isHalf, isSame, rootOfTexts, usedOf } from './compare_window.ts';
import { checkRevisionRow } from './audit_revision.ts';
import { HourRecomputer, type RecomputedWindow } from './recompute_hour.ts';

/** Audits one hour of one log, step by step. */
export async function auditHour(
  deps: LogAuditDeps,
  hour: SealedHour,
  report: AuditReport,
): Promise<void> {
  await new HourAudit(deps, hour, report).run();
  report.count('hours');
}

class HourAudit {
  readonly #deps: LogAuditDeps;
  readonly #hour: SealedHour;
  readonly #report: AuditReport;
  readonly #name: string;
  readonly #rules: AuditRules;
  #rows: WindowWithSeries[] = [];
  /** The archive that alone has the hour's samples; null if the database has them. */
  #archive: string | null = null;
  /** Series whose window the samples do not give as it was vouched for: told once. */
  readonly #told = new Set<string>();

  constructor(deps: LogAuditDeps, hour: SealedHour, report: AuditReport) {
    this.#deps = deps;
    this.#hour = hour;
    this.#report = report;
    this.#rules = new AuditRules(deps.pool);
    this.#name = `${hour.start} in log ${hour.logId}`;
  }

  async run(): Promise<void> {
    const { pool } = this.#deps;
    const { logId, start } = this.#hour;
    const [seal, keeper] = [
      await readSeal(pool, logId, start),
      await readWindowKeeper(pool, logId),
    ];
    if (keeper === null) {
      this.#report.find('keeper_missing', `window_keepers: ${logId}`, 'the log has no row');
      return;
    }
    this.#rows = await windowsOfHour(pool, this.#hour);
    this.#archive = await archiveOf(pool, this.#hour);
    if (seal !== null) await this.#checkSeal(seal);
    // Hours before the first that was sealed have windows by revisions alone.
    else if (start >= keeper.sealedFrom) {
      this.#report.find('seal_missing', `seals: ${this.#name}`, 'the hour is not sealed');
    }
    for (const position of await revisionsOfHour(pool, this.#hour)) {
      await this.#checkRevision(position);
    }
    await this.#report.step(
      `figures in force of ${this.#name}`,
      `windows: ${this.#name}`,
      () => this.#checkInForce(keeper.scannedTo),
    );
  }

  async #checkSeal(seal: StoredSeal): Promise<void> {
    const subject = `seals: ${this.#name}`;
    let entry: SealEntry | null = null;
    await this.#report.step(`seal of ${this.#name}`, subject, async () => {
      entry = await provenEntryOf(this.#deps, seal.position, 'seal');
      this.#compareSeal(seal, entry, subject);
      return `its entry ${leafOfPosition(seal.position)} is proven, and says what the row says`;
    });
    if (entry !== null) await this.#checkSealed(seal, entry);
  }

  #compareSeal(seal: StoredSeal, entry: SealEntry, subject: string): void {
    compareFields(this.#report, { check: 'seal_wrong', subject }, {
      start: [seal.start, entry.start],
      rows: [seal.rows, entry.rows],
      root: [seal.root, entry.root],
      covers_to: [seal.coversTo, entry.covers_to],
      sealed_at: [seal.sealedAt, entry.recorded_at],
      workflow_id: [seal.workflowId, entry.workflow_id],
      run_id: [seal.runId, entry.run_id],
      coverage: [sha256Hex(seal.coverage), entry.coverage.digest],
    });
  }

  async #checkSealed(seal: StoredSeal, entry: SealEntry): Promise<void> {
    const rows = this.#rows.filter(({ revision }) => revision === 0);
    await this.#report.step(
      `windows of ${this.#name} from samples`,
      `windows: ${this.#name}`,
      async () => {
        const texts = rows.map(windowText);
        const isAsSealed = encodeHex(rootOfTexts(texts)) === entry.root;
        this.#checkPlaces(rows, seal);
        const recomputed = await this.#recompute(
          { rules: entry.rules, size: entry.covers_to },
          rows,
        );
        this.#compareWindows(rows, recomputed, isAsSealed);
        this.#report.count('windows', rows.length);
        return `${rows.length} windows are ${this.#madeOf(entry.covers_to)}; their root is sealed`;
      },
    );
  }

  #checkPlaces(rows: readonly WindowWithSeries[], seal: StoredSeal): void {
    rows.forEach((row, place) => {
      compareFields(this.#report, { check: 'window_wrong', subject: this.#subjectOf(row) }, {
        place: [row.place, place],
        position: [row.position, seal.position],
      });
    });
    if (rows.length === seal.rows) return;
    this.#report.find(
      'window_missing',
      `windows: ${this.#name}`,
      `there are ${rows.length} rows, sealed were ${seal.rows}`,
    );
  }

  /** What samples make of the series of these rows and of all others near the hour; null for nothing. */
  async #recompute(
    known: { rules: string; size: number },
    rows: readonly WindowWithSeries[],
  ): Promise<Map<string, Pick<RecomputedWindow, 'columns'>>> {
    // Without samples there is nothing to hold them against but what vouches for them.
    if (this.#archive !== null) return new Map(rows.map((row) => [row.key, { columns: row }]));
    const { pool } = this.#deps;
    const { logId, start } = this.#hour;
    const rules = await this.#rules.of(known.rules);
    const recomputer = new HourRecomputer(pool, { logId, size: known.size }, rules);
    const found = await recomputer.windows(start, rows.map(({ series_id }) => series_id));
    const byKey = new Map([...found.values()].map((one) => [one.series.key, one]));
    for (const row of rows) {
      const one = byKey.get(row.key);
      if (one === undefined || isSame(row, one.columns)) continue;
      byKey.set(row.key, await this.#lookAgain(recomputer, row));
    }
    return byKey;
  }

  /**
   * A series that differs, by all its samples. And, where samples of its past were archived or went by other
   * rules, going on from what the window says went before: the hours before it are audited themselves.
   */
  async #lookAgain(
    recomputer: HourRecomputer,
    row: WindowWithSeries,
  ): Promise<RecomputedWindow> {
    const { start } = this.#hour;
    const whole = await recomputer.window(start, row.series_id);
    if (isSame(row, whole.columns) || !await this.#hasOtherPast(row)) return whole;
    return await recomputer.window(start, row.series_id, carryOf(row));
  }

  async #hasOtherPast({ carry_at }: WindowWithSeries): Promise<boolean> {
    if (carry_at === null) return false;
    const { pool } = this.#deps;
    const archives = await listArchives(pool);
    const isArchived = archives.some(({ name, droppedAt }) =>
      droppedAt !== null && partitionNamed(name).to > carry_at
    );
    return isArchived || (await rulesBefore(pool, this.#hour)).length > 1;
  }

  #compareWindows(
    rows: readonly WindowWithSeries[],
    recomputed: ReadonlyMap<string, Pick<RecomputedWindow, 'columns'>>,
    isAsSealed: boolean,
  ): void {
    const known = new Set(rows.map(({ key }) => key));
    const before = this.#told.size;
    for (const row of rows) {
      const columns = recomputed.get(row.key)?.columns ?? null;
      if (!isSame(row, columns)) this.#tellWindow(row, columns, isAsSealed);
    }
    for (const [key, { columns }] of recomputed) {
      if (columns === null || known.has(key)) continue;
      this.#tell(
        key,
        isAsSealed ? 'samples_wrong' : 'window_missing',
        isAsSealed
          ? `samples: of series ${key} in ${this.#name}`
          : `windows: ${key} of ${this.#name}`,
        `samples make a window (${columns.count} samples, sum ${columns.sum}), none is sealed`,
      );
    }
    if (isAsSealed || this.#told.size > before) return;
    this.#report.find(
      'seal_wrong',
      `windows: ${this.#name}`,
      'the rows do not lead to the root of the seal',
    );
  }

  /** The row was altered if it is not what its entry vouches for; else what it was computed from was. */
  #tellWindow(row: WindowWithSeries, columns: WindowColumns | null, isAsVouched: boolean): void {
    const expected = columns ?? EMPTY;
    const differing = WINDOW_COLUMNS.filter((name) => row[name] !== expected[name]);
    const detail = columns === null
      ? 'no sample makes it'
      : differing.map((name) => `'${name}' is ${row[name]}, samples make ${expected[name]}`).join(
        '; ',
      );
    const name = `${row.key} ${row.revision}`;
    if (!isAsVouched || isHalf(row)) this.#tell(name, 'window_wrong', this.#subjectOf(row), detail);
    else {this.#tell(
        name,
        'samples_wrong',
        `samples: of series ${row.key} in ${this.#name}`,
        detail,
      );}
  }

  #tell(key: string, check: string, subject: string, detail: string): void {
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.#report.find(check, subject, detail);
  }

  /** One `revision` entry, as far as it changed this hour. */
  async #checkRevision(position: number): Promise<void> {
    const leaf = leafOfPosition(position);
    const subject = `revisions: entry ${leaf} of log ${this.#hour.logId}`;
    await this.#report.step(`revision ${leaf} of ${this.#name}`, subject, async () => {
      const entry = await provenEntryOf(this.#deps, position, 'revision');
      await checkRevisionRow(this.#deps.pool, { position, entry, subject }, this.#report);
      const rows = this.#rows.filter((row) => Number(row.position) === position);
      for (const row of rows) this.#checkChange(row, entry);
      const recomputed = await this.#recompute({ rules: entry.rules, size: entry.covers_to }, rows);
      for (const row of rows) {
        const columns = recomputed.get(row.key)?.columns ?? EMPTY;
        if (isSame(row, columns)) continue;
        this.#tellWindow(row, columns, this.#isVouched(row, entry));
      }
      return `${rows.length} windows are ${this.#madeOf(entry.covers_to)}`;
    });
  }

  #isVouched(row: WindowWithSeries, entry: RevisionEntry): boolean {
    return entry.changes[row.place]?.after === hashOf(windowText(row));
  }

  #checkChange(row: WindowWithSeries, entry: RevisionEntry): void {
    const change = entry.changes[row.place];
    const former = this.#rows.findLast(({ key, revision }) =>
      key === row.key && revision < row.revision
    );
    compareFields(this.#report, { check: 'window_wrong', subject: this.#subjectOf(row) }, {
      series: [row.key, change?.series],
      start: [row.start, change?.start],
      revision: [row.revision, change?.revision],
      quantity_after: [usedOf(row), change?.quantity_after],
      'record of the row': [hashOf(windowText(row)), change?.after],
      'record before it': [
        former === undefined ? null : hashOf(windowText(former)),
        change?.before,
      ],
    });
  }

  /** The newest versions are what all samples that were looked at come to: no revision is missing. */
  async #checkInForce(scannedTo: number): Promise<string> {
    const inForce = new Map<string, WindowWithSeries>();
    for (const row of this.#rows) inForce.set(row.key, row);
    const byRules = new Map<string, WindowWithSeries[]>();
    for (const row of inForce.values()) {
      const rules = await this.#rulesOfEntry(Number(row.position));
      byRules.set(rules, [...byRules.get(rules) ?? [], row]);
    }
    for (const [rules, rows] of byRules) {
      const recomputed = await this.#recompute({ rules, size: scannedTo }, rows);
      for (const row of rows) {
        const columns = recomputed.get(row.key)?.columns ?? EMPTY;
        if (!isSame(row, columns)) this.#tellWindow(row, columns, true);
      }
      if (byRules.size > 1) continue;
      for (const [key, { columns }] of recomputed) {
        if (columns === null || inForce.has(key)) continue;
        this.#tell(
          key,
          'revision_missing',
          `windows: ${key} of ${this.#name}`,
          'late samples make a window, no revision has it',
        );
      }
    }
    return `${inForce.size} windows are ${this.#madeOf(scannedTo)}`;
  }

  readonly #rulesByPosition = new Map<number, string>();

  async #rulesOfEntry(position: number): Promise<string> {
    const known = this.#rulesByPosition.get(position);
    if (known !== undefined) return known;
    const isSeal = this.#rows.some((row) =>
      Number(row.position) === position && row.revision === 0
    );
    const entry = await provenEntryOf(this.#deps, position, isSeal ? 'seal' : 'revision');
    this.#rulesByPosition.set(position, entry.rules);
    return entry.rules;
  }

  #madeOf(leaves: number): string {
    return this.#archive === null
      ? `those of the first ${leaves} leaves`
      : `as they were vouched for (their samples are in ${this.#archive})`;
  }

  #subjectOf({ key, revision }: WindowWithSeries): string {
    return `windows: ${key} of ${this.#name}, revision ${revision}`;
  }
}

async function archiveOf(db: Queryable, { start }: SealedHour): Promise<string | null> {
  const archives = await listArchives(db);
  const found = archives.find(({ name, droppedAt }) => {
    const { from, to } = partitionNamed(name);
    return droppedAt !== null && start >= from && start < to;
  });
  return found?.name ?? null;
}
