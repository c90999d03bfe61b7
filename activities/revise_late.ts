/** Turns late samples into new versions of the windows that they touch, and entries that say so. */
import type { PoolClient } from 'pg';
import type { LogRecord } from '../db/extend_log.ts';
import { endOfSearch, type LeafSearch } from '../db/late_samples.ts';
import { appendAsGuest, type GuestWriting, type LockedLog } from '../db/log_guest.ts';
import { type RollupSpan, spansAround, writeRollups } from '../db/rollups.ts';
import {
  insertRevision,
  type NamedRules,
  nameRules,
  rulesRecords,
  type SealingRun,
} from '../db/seals.ts';
import { figuresOf, windowRecord } from '../db/window_columns.ts';
import {
  lockWindowKeeper,
  moveWindowKeeper,
  readWindowKeeper,
  type WindowKeeperRow,
} from '../db/window_keepers.ts';
import { insertWindows, type NewWindow } from '../db/windows.ts';
import { encodeHex } from '../ledger/bytes.ts';
import { encodeEntry } from '../ledger/entry.ts';
import { leafHash } from '../ledger/merkle.ts';
import { leafOfPosition } from '../ledger/position.ts';
import { MAX_CHANGES, type RevisionCause, type WindowChange } from '../ledger/revision_entry.ts';
import { encodeWindow } from '../ledger/window_record.ts';
import { NephoError } from '../meters/errors.ts';
import { formatQuantity } from '../meters/quantity.ts';
import { formatMillis } from '../meters/timestamp.ts';
import { usageQuantity, usageUnit } from '../meters/usage_quantity.ts';
import type { UsageRules } from '../meters/usage_rules.ts';
import { findChangedHours } from './find_changed_hours.ts';
import { guestSigners } from './guest_signers.ts';
import { SeriesRecomputer, type WindowDifference } from './recompute_series.ts';
import type { WindowDeps } from './window_deps.ts';

export interface ReviseLateInput {
  shard: number;
  /** The log's size that the rows in force are to stand at. */
  to: number;
}

export interface ReviseReceipt {
  shard: number;
  /** Samples that came for sealed hours, or that tell of them. */
  samples: number;
  /** Windows that have a new version. */
  windows: number;
  /** `revision` entries. */
  entries: number;
  scanned_to: number;
}

/** Late samples of one transaction, more or less: some thousands of windows. */
const SAMPLES_AT_ONCE = 2_000;
/** UTF-16 units of the changes in one entry, far enough from its limit in bytes. */
const MAX_CHANGES_LENGTH = 50_000;

/**
 * Brings the rows in force to what the samples before leaf `to` come to. Some thousand late samples are one
 * transaction, in the order of the log, so that whatever ends it, another call goes on from there.
 *
 * @throws {NephoError} `windows_not_begun`; `seal_out_of_step` if somebody else sealed or revised meanwhile
 */
export async function reviseLate(
  deps: WindowDeps,
  { shard, to }: ReviseLateInput,
  { run, progress }: { run: SealingRun; progress: (scannedTo: number) => void },
): Promise<ReviseReceipt> {
  const rules = await deps.rules();
  const receipt: ReviseReceipt = { shard, samples: 0, windows: 0, entries: 0, scanned_to: to };
  for (;;) {
    const keeper = await readWindowKeeper(deps.pool, shard);
    if (keeper === null) throw notBegun(shard);
    receipt.scanned_to = keeper.scannedTo;
    if (keeper.scannedTo >= to) return receipt;
    const search = { logId: shard, from: keeper.scannedTo, to, sealedUntil: keeper.sealedUntil };
    const end = await endOfSearch(deps.pool, search, SAMPLES_AT_ONCE);
    const step = new RevisionStep(deps, { run, rules, search: { ...search, to: end } });
    const { samples, windows, entries } = await step.write();
    receipt.samples += samples;
    receipt.windows += windows;
    receipt.entries += entries;
    progress(end);
  }
}

interface RevisionOrder {
  run: SealingRun;
  rules: UsageRules;
  search: LeafSearch;
}

type StepOutcome = Pick<ReviseReceipt, 'samples' | 'windows' | 'entries'>;

/** One transaction of {@link reviseLate}. */
class RevisionStep {
  readonly #deps: WindowDeps;
  readonly #order: RevisionOrder;
  readonly #rules: NamedRules;
  readonly #revisedAt: string;

  constructor(deps: WindowDeps, order: RevisionOrder) {
    this.#deps = deps;
    this.#order = order;
    this.#rules = nameRules(order.rules.document);
    this.#revisedAt = formatMillis(deps.nowMs());
  }

  async write(): Promise<StepOutcome> {
    const { pool, signers } = this.#deps;
    const { search, rules } = this.#order;
    const { logId, to, sealedUntil } = search;
    const recomputer = new SeriesRecomputer(pool, rules, {
      known: { logId, size: to },
      sealedUntil,
    });
    const { hours, samples } = await findChangedHours(pool, rules, { search, recomputer });
    const differences = await recomputer.differences(hours);
    const changed = new Set(differences.map(({ series }) => series.series_id));
    const positions = samples.filter(({ isLate, series_id }) => isLate || changed.has(series_id))
      .map(({ position }) => position);
    const now = () => this.#revisedAt;
    const inForce = differences.length === 0
      ? signers
      : await guestSigners(pool, logId, { signers, now: now() });
    return await appendAsGuest(
      pool,
      logId,
      { signers: inForce, now },
      (tx, log) => this.#append(tx, log, { differences, positions }),
    );
  }

  async #append(
    tx: PoolClient,
    log: LockedLog,
    { differences, positions }: { differences: readonly WindowDifference[]; positions: number[] },
  ): Promise<GuestWriting<StepOutcome>> {
    const { search } = this.#order;
    this.#checkStep(await lockWindowKeeper(tx, log.logId));
    await moveWindowKeeper(tx, log.logId, { scannedTo: search.to });
    const result = { samples: positions.length, windows: differences.length, entries: 0 };
    if (differences.length === 0) return { records: [], result };
    const records = await rulesRecords(tx, log, this.#rules, this.#revisedAt);
    const cause = causeOf(positions);
    for (const group of groupsOf(differences)) {
      const position = log.position + records.length;
      await insertWindows(
        tx,
        group.map((one, place) => rowOf(one.difference, { position, place })),
      );
      await this.#insertRevision(tx, { position, changes: group.length });
      records.push(this.#record(group, cause));
    }
    await this.#writeRollups(tx, differences, log.position + records.length - 1);
    result.entries = records.filter(({ kind }) => kind === 'revision').length;
    return { records, result };
  }

  async #insertRevision(
    tx: PoolClient,
    { position, changes }: { position: number; changes: number },
  ): Promise<void> {
    const { run, search } = this.#order;
    await insertRevision(tx, {
      ...run,
      position,
      changes,
      logId: search.logId,
      coversFrom: search.from,
      coversTo: search.to,
      revisedAt: this.#revisedAt,
    });
  }

  #record(group: readonly NamedChange[], cause: RevisionCause): LogRecord {
    const { run, search } = this.#order;
    const entry = encodeEntry({
      kind: 'revision',
      v: 1,
      project_id: group[0]?.difference.series.project_id ?? null,
      covers_from: search.from,
      covers_to: search.to,
      cause,
      changes: group.map(({ change }) => change),
      rules: this.#rules.digest,
      code: this.#deps.code,
      workflow_id: run.workflowId,
      run_id: run.runId,
      recorded_at: this.#revisedAt,
    });
    return { kind: 'revision', entry };
  }

  /** The days, and then the months, that are whole and that a changed hour lies in. */
  async #writeRollups(
    tx: PoolClient,
    differences: readonly WindowDifference[],
    position: number,
  ): Promise<void> {
    const spans = new Map<string, { span: RollupSpan; seriesIds: Set<number> }>();
    for (const { series, start } of differences) {
      for (const span of spansAround(start)) {
        if (span.end > this.#order.search.sealedUntil) continue;
        const name = `${span.span} ${span.start}`;
        const known = spans.get(name) ?? { span, seriesIds: new Set() };
        spans.set(name, known);
        known.seriesIds.add(series.series_id);
      }
    }
    // Months are made of days.
    const ordered = [...spans.values()].sort((a, b) => a.span.span - b.span.span);
    for (const { span, seriesIds } of ordered) {
      await writeRollups(tx, span, {
        logId: this.#order.search.logId,
        position,
        seriesIds: [...seriesIds],
      });
    }
  }

  #checkStep(keeper: WindowKeeperRow | null): void {
    const { logId, from, sealedUntil } = this.#order.search;
    if (keeper?.scannedTo === from && keeper.sealedUntil === sealedUntil) return;
    throw new NephoError(
      'seal_out_of_step',
      `Cannot revise the windows of log ${logId} from leaf ${from} on: another run is at it, the next round goes on from there`,
      { context: { log_id: logId } },
    );
  }
}

/** A window that differs, as its entry has it. */
interface NamedChange {
  difference: WindowDifference;
  change: WindowChange;
}

/** What goes into one entry each: of one project, ordered, and not too much. */
function groupsOf(differences: readonly WindowDifference[]): NamedChange[][] {
  const ordered = differences.toSorted((a, b) =>
    compare(a.series.project_id ?? '', b.series.project_id ?? '') ||
    // Nobody's, and that of a project without a name, if there were one.
    Number(a.series.project_id === null) - Number(b.series.project_id === null) ||
    compare(a.series.key, b.series.key) || compare(a.start, b.start)
  );
  const groups: NamedChange[][] = [];
  let [length, group]: [number, NamedChange[]] = [0, []];
  for (const difference of ordered) {
    const change = changeOf(difference);
    const size = JSON.stringify(change).length;
    const isOther = group[0]?.difference.series.project_id !== difference.series.project_id;
    if (isOther || group.length === MAX_CHANGES || length + size > MAX_CHANGES_LENGTH) {
      groups.push(group = []);
      length = 0;
    }
    group.push({ difference, change });
    length += size;
  }
  return groups;
}

function changeOf({ series, start, revision, before, after }: WindowDifference): WindowChange {
  return {
    series: series.key,
    start,
    revision,
    before: before === null ? null : hashOf(series, before, before),
    after: hashOf(series, { start, revision }, after),
    quantity_before: before === null ? null : quantityOf(series, before),
    quantity_after: quantityOf(series, after),
    unit: usageUnit(series.type, series.unit),
  };
}

function hashOf(...window: Parameters<typeof windowRecord>): string {
  return encodeHex(leafHash(encodeWindow(windowRecord(...window))));
}

function quantityOf(
  { type }: WindowDifference['series'],
  columns: WindowDifference['after'],
): string {
  return formatQuantity(usageQuantity(type, figuresOf(columns)).quantity);
}

function rowOf(
  { series, start, revision, after }: WindowDifference,
  { position, place }: { position: number; place: number },
): NewWindow {
  return { series_id: series.series_id, start, revision, position, place, columns: after };
}

function causeOf(positions: readonly number[]): RevisionCause {
  const leaves = positions.map(leafOfPosition);
  return {
    reason: 'late_samples',
    samples: leaves.length,
    first_leaf: leaves.reduce((least, leaf) => Math.min(least, leaf), leaves[0] ?? 0),
    last_leaf: leaves.reduce((most, leaf) => Math.max(most, leaf), 0),
  };
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function notBegun(shard: number): NephoError {
  return new NephoError(
    'windows_not_begun',
    `Cannot revise the windows of log ${shard}: none was sealed yet, as its keeper does first`,
    { context: { log_id: shard } },
  );
}
