/** Closes hours: their windows, the root over them, and the entry that says so, each hour at once. */
import type { PoolClient } from 'pg';
import { type HourCoverage, readHourCoverage } from '../db/hour_coverage.ts';
import { definitionsOfSamples } from '../db/hour_definitions.ts';
import { appendAsGuest, type GuestWriting, type LockedLog } from '../db/log_guest.ts';
import { spansEndingAt, writeRollups } from '../db/rollups.ts';
import {
  insertSeal,
  type NamedRules,
  nameRules,
  rulesRecords,
  type SealingRun,
} from '../db/seals.ts';
import {
  type LastSeal,
  lockWindowKeeper,
  moveWindowKeeper,
  readLastSeal,
  readWindowKeeper,
  type WindowKeeperRow,
} from '../db/window_keepers.ts';
import { insertWindows } from '../db/windows.ts';
import { encodeHex } from '../ledger/bytes.ts';
import { encodeEntry } from '../ledger/entry.ts';
import { NephoError } from '../meters/errors.ts';
import { formatMillis } from '../meters/timestamp.ts';
import { type ComputedHour, HourComputer } from './compute_hour.ts';
import { guestSigners } from './guest_signers.ts';
import type { WindowDeps } from './window_deps.ts';
import { hourAfter } from '../db/window_columns.ts';

export interface SealHoursInput {
  shard: number;
  /** First instants of the first hour, and of that after the last. */
  from: string;
  to: string;
  /** The log's size that the windows are computed at. */
  size: number;
}

export interface SealReceipt {
  shard: number;
  /** Hours that this call sealed: fewer than asked for if a former attempt had come as far. */
  hours: number;
  windows: number;
  sealed_until: string;
}

/** Told of each hour, so that a long call shows that it lives; throws to end it. */
export type Progress = (sealedUntil: string) => void;

/**
 * Seals hour after hour, each in one transaction. Whatever ends it at whatever moment, the hours are sealed
 * that the log says are sealed, and another call goes on from there.
 *
 * @throws {NephoError} `seal_out_of_step` if somebody else sealed or revised meanwhile
 */
export async function sealHours(
  deps: WindowDeps,
  input: SealHoursInput,
  { run, progress }: { run: SealingRun; progress: Progress },
): Promise<SealReceipt> {
  const rules = await deps.rules();
  const named = nameRules(rules.document);
  const computer = new HourComputer(deps.pool, rules, { logId: input.shard, size: input.size });
  const receipt: SealReceipt = {
    shard: input.shard,
    hours: 0,
    windows: 0,
    sealed_until: input.from,
  };
  for (let start = input.from; start < input.to; start = hourAfter(start)) {
    const windows = await new HourSeal(deps, { input, run, rules: named, start }).write(computer);
    receipt.sealed_until = hourAfter(start);
    if (windows !== null) {
      receipt.hours += 1;
      receipt.windows += windows;
    }
    progress(receipt.sealed_until);
  }
  return receipt;
}

interface HourOrder {
  input: SealHoursInput;
  run: SealingRun;
  rules: NamedRules;
  start: string;
}

/** What goes into an hour's entry and beside it, computed before the log is locked. */
interface PreparedSeal {
  hour: ComputedHour;
  definitions: string[];
  coverage: HourCoverage;
  last: LastSeal | null;
  sealedAt: string;
}

/** One hour of one log. */
class HourSeal {
  readonly #deps: WindowDeps;
  readonly #order: HourOrder;
  readonly #end: string;

  constructor(deps: WindowDeps, order: HourOrder) {
    this.#deps = deps;
    this.#order = order;
    this.#end = hourAfter(order.start);
  }

  /** @returns its windows, null if it had been sealed before */
  async write(computer: HourComputer): Promise<number | null> {
    const { pool, signers, nowMs } = this.#deps;
    const { input, start, rules } = this.#order;
    const { shard } = input;
    const keeper = await readWindowKeeper(pool, shard);
    if (keeper !== null && keeper.sealedUntil > start) return null;
    this.#checkStep(keeper);
    const last = await readLastSeal(pool, shard);
    const isContinued = last?.rules === rules.digest;
    const hour = await computer.compute(start, { isContinued, isLast: this.#end >= input.to });
    const prepared = {
      hour,
      definitions: await definitionsOfSamples(pool, shard, {
        start,
        end: this.#end,
        positions: hour.positions,
      }),
      coverage: await readHourCoverage(pool, {
        logId: shard,
        shards: this.#deps.shards,
        start,
        end: this.#end,
      }),
      last,
      sealedAt: formatMillis(nowMs()),
    };
    const now = () => prepared.sealedAt;
    const inForce = await guestSigners(pool, shard, { signers, now: now() });
    return await appendAsGuest(
      pool,
      shard,
      { signers: inForce, now },
      (tx, log) => this.#append(tx, log, prepared),
    );
  }

  async #append(
    tx: PoolClient,
    log: LockedLog,
    prepared: PreparedSeal,
  ): Promise<GuestWriting<number>> {
    const { hour: { windows, root }, coverage, sealedAt } = prepared;
    const { input: { shard, size }, run, rules, start } = this.#order;
    this.#checkStep(await lockWindowKeeper(tx, shard));
    const before = await rulesRecords(tx, log, rules, sealedAt);
    const position = log.position + before.length;
    await insertWindows(
      tx,
      windows.map(({ series: { series_id }, columns }, place) => ({
        series_id,
        start,
        revision: 0,
        position,
        place,
        columns,
      })),
    );
    await insertSeal(tx, {
      ...run,
      logId: shard,
      start,
      position,
      rows: windows.length,
      root,
      coversTo: size,
      coverage: coverage.text,
      sealedAt,
    });
    for (const span of spansEndingAt(this.#end)) {
      await writeRollups(tx, span, { logId: shard, position });
    }
    await moveWindowKeeper(tx, shard, { sealedUntil: this.#end });
    const entry = this.#entry(prepared);
    return { records: [...before, { kind: 'seal', entry }], result: windows.length };
  }

  #entry({ hour, definitions, coverage, last, sealedAt }: PreparedSeal): string {
    const { input, run, rules, start } = this.#order;
    return encodeEntry({
      kind: 'seal',
      v: 1,
      start,
      end: this.#end,
      rows: hour.windows.length,
      root: encodeHex(hour.root),
      covers_to: input.size,
      previous: last?.leaf ?? null,
      rules: rules.digest,
      definitions,
      coverage: coverage.entry,
      code: this.#deps.code,
      workflow_id: run.workflowId,
      run_id: run.runId,
      recorded_at: sealedAt,
    });
  }

  #checkStep(keeper: WindowKeeperRow | null): void {
    const { input: { shard, size }, start } = this.#order;
    if (keeper?.sealedUntil === start && keeper.scannedTo === size) return;
    const stands = keeper === null
      ? 'it has no windows yet'
      : `it is sealed until ${keeper.sealedUntil} as of ${keeper.scannedTo} leaves`;
    throw new NephoError(
      'seal_out_of_step',
      `Cannot seal the hour ${start} of log ${shard} as of ${size} leaves: ${stands}; another run is at it, the next round goes on from there`,
      { context: { log_id: shard } },
    );
  }
}
