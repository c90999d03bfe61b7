/** A whole log: every entry, checkpoint and tile, computed from the entries alone. */
import type { Pool } from 'pg';
import { type LogSnapshot, readLogSnapshot, readRecordKinds } from '../db/audit_log.ts';
import { readEntries } from '../db/log_entries.ts';
import type { ArchiveReader } from '../ledger/archive_directory.ts';
import { bytesEqual, concatBytes, encodeUtf8 } from '../ledger/bytes.ts';
import { openCheckpoint } from '../ledger/checkpoint.ts';
import { readKnownEntry } from '../ledger/entry.ts';
import { EntryCheck } from '../ledger/entry_check.ts';
import { followKeys } from '../ledger/keyring.ts';
import { leafHash } from '../ledger/merkle.ts';
import { HASH_BYTES } from '../ledger/sha256.ts';
import { TILE_WIDTH } from '../ledger/tile.ts';
import {
  appendLeaves,
  EMPTY_TREE,
  encodeFrontier,
  rootOf,
  type TreeState,
} from '../ledger/tree.ts';
import { isNephoError } from '../meters/errors.ts';
import { provenVkeys } from './audit_entry.ts';
import type { AuditReport } from './audit_report.ts';

export interface LogAuditDeps {
  pool: Pool;
  archives: ArchiveReader | null;
  /** The verifier keys that are trusted. */
  vkeys: readonly string[];
}

/** Leaves that are read at once. */
const CHUNK = 8_192;

/** Audits one log as it is at this moment; what is appended meanwhile is not looked at. */
export async function auditLog(
  deps: LogAuditDeps,
  logId: number,
  report: AuditReport,
): Promise<void> {
  const snapshot = await readLogSnapshot(deps.pool, logId);
  if (snapshot === null) return;
  const audit = new LogAudit(deps, logId, { snapshot, report });
  await report.step(`entries of log ${logId}`, `records: of log ${logId}`, () => audit.readAll());
  await report.step(
    `checkpoints of log ${logId}`,
    `checkpoints: of log ${logId}`,
    () => audit.checkCheckpoints(),
  );
  await report.step(`tree of log ${logId}`, `tiles: of log ${logId}`, () => audit.checkTree());
}

class LogAudit {
  readonly #deps: LogAuditDeps;
  readonly #logId: number;
  readonly #snapshot: LogSnapshot;
  readonly #report: AuditReport;
  readonly #at = { step: '', place: '' };
  readonly #entries: EntryCheck;
  /** Roots at the checkpoints' sizes, as the entries make them. */
  readonly #roots = new Map<number, Uint8Array>();
  /** Tiles as the entries make them, by `level/tile`. */
  readonly #tiles = new Map<string, Uint8Array[]>();
  #tree: TreeState = EMPTY_TREE;
  /** Sizes whose checkpoint is signed, and of that size and root. */
  readonly #signed = new Map<number, Uint8Array>();

  constructor(
    deps: LogAuditDeps,
    logId: number,
    { snapshot, report }: { snapshot: LogSnapshot; report: AuditReport },
  ) {
    this.#deps = deps;
    this.#logId = logId;
    this.#snapshot = snapshot;
    this.#report = report;
    this.#entries = new EntryCheck(snapshot.head.origin, this.#at);
  }

  async readAll(): Promise<string> {
    const { head: { size }, checkpoints } = this.#snapshot;
    const stops = checkpoints.map((row) => row.size);
    for (let from = 0; from < size; from += CHUNK) {
      const to = Math.min(from + CHUNK, size);
      const texts = await this.#read(from, to);
      if (texts.length < to - from) {
        this.#find(
          'log_short',
          `logs: ${this.#logId}`,
          `it has ${from + texts.length} entries, 'size' is ${size}`,
        );
      }
      const kinds = await readRecordKinds(this.#deps.pool, this.#logId, { from, to });
      texts.forEach((text, index) => this.#checkEntry(from + index, text, kinds.get(from + index)));
      this.#grow(texts.map(leafHash), stops);
    }
    this.#report.count('entries', this.#tree.size);
    return `${this.#tree.size} entries are in form and follow each other`;
  }

  #read(from: number, to: number): Promise<string[]> {
    const { pool, archives } = this.#deps;
    return readEntries(pool, this.#logId, { from, to }, archives);
  }

  #checkEntry(index: number, text: string, kind: string | undefined): void {
    try {
      this.#entries.read(index, encodeUtf8(text));
    } catch (error) {
      if (!isNephoError(error)) throw error;
      this.#find(error.code, this.#entryName(index, kind), error.message);
      return;
    }
    const entry = readKnownEntry(text);
    if (kind !== undefined && entry !== null && entry.kind !== kind) {
      this.#find(
        'record_kind_wrong',
        this.#entryName(index, kind),
        `'kind' is '${kind}', its entry is of '${entry.kind}'`,
      );
    }
  }

  #entryName(index: number, kind: string | undefined): string {
    return `${kind === undefined ? 'samples' : 'records'}: leaf ${index} of log ${this.#logId}`;
  }

  /** Appends leaves, stopping at each size that a checkpoint states. */
  #grow(leaves: readonly Uint8Array[], stops: readonly number[]): void {
    const end = this.#tree.size + leaves.length;
    const within = stops.filter((size) => size > this.#tree.size && size < end);
    let rest = leaves;
    for (const stop of [...within, end]) {
      const part = rest.slice(0, stop - this.#tree.size);
      rest = rest.slice(part.length);
      const { state, tiles } = appendLeaves(this.#tree, part);
      this.#tree = state;
      this.#roots.set(stop, rootOf(state));
      for (const { level, tile, hashes } of tiles) {
        const name = `${level}/${tile}`;
        const known = this.#tiles.get(name);
        if (known === undefined) this.#tiles.set(name, [...hashes]);
        else known.push(...hashes);
      }
    }
  }

  /** Each is signed by a key of the log, and says what its row says. */
  async checkCheckpoints(): Promise<string> {
    const vkeys = await provenVkeys(this.#deps, this.#logId);
    const keyring = await followKeys(vkeys, this.#entries.keys);
    const keys = keyring.keys.map(({ key }) => key);
    const { checkpoints, head } = this.#snapshot;
    for (const { size, root, note } of checkpoints) {
      const subject = `checkpoints: size ${size} of log ${this.#logId}`;
      try {
        const checkpoint = await openCheckpoint(note, keys);
        if (checkpoint.origin !== head.origin) {
          this.#find('checkpoint_wrong', subject, `it is of '${checkpoint.origin}'`);
        } else if (checkpoint.size !== size) {
          this.#find('checkpoint_wrong', subject, `it states the size ${checkpoint.size}`);
        } else {
          this.#signed.set(size, checkpoint.root);
          if (!bytesEqual(checkpoint.root, root)) {
            this.#find('checkpoint_wrong', subject, "'root' is not what it states");
          }
        }
      } catch (error) {
        if (!isNephoError(error)) throw error;
        this.#find(error.code, subject, error.message);
      }
    }
    this.#report.count('checkpoints', checkpoints.length);
    return `${checkpoints.length} checkpoints are signed`;
  }

  /** The tree of the entries against what was signed, the stored tiles and the stored head. */
  async checkTree(): Promise<string> {
    const wrong = [...this.#signed].filter(([size, root]) => {
      const computed = this.#roots.get(size);
      return computed === undefined || !bytesEqual(computed, root);
    });
    if (wrong.length > 0) await this.#narrow();
    else this.#checkTiles();
    this.#checkHead(wrong.length === 0);
    return `${this.#signed.size} signed roots, ${this.#tiles.size} tiles and the head are those of the entries`;
  }

  #checkTiles(): void {
    const names = new Set<string>();
    for (const { level, tile, hashes } of this.#snapshot.tiles) {
      const name = `${level}/${tile}`;
      names.add(name);
      const place = firstDifference(hashes, concatBytes(this.#tiles.get(name) ?? []));
      if (place === null) continue;
      this.#find(
        'tile_wrong',
        this.#tileName(name),
        `its hash ${place} is not that of the entries`,
      );
    }
    for (const name of this.#tiles.keys()) {
      if (!names.has(name)) this.#find('tile_missing', this.#tileName(name), 'it is not there');
    }
    this.#report.count('tiles', names.size);
  }

  #tileName(name: string): string {
    return `tiles: ${name} of log ${this.#logId}`;
  }

  #checkHead(isSound: boolean): void {
    const subject = `logs: ${this.#logId}`;
    const { root, frontier, size } = this.#snapshot.head;
    if (this.#tree.size !== size || !isSound) return;
    if (!bytesEqual(root, rootOf(this.#tree))) {
      this.#find('head_wrong', subject, "'root' is not that of the entries");
    }
    if (!bytesEqual(frontier, encodeFrontier(this.#tree))) {
      this.#find('head_wrong', subject, "'frontier' is not that of the entries");
    }
    if (!this.#signed.has(size)) {
      this.#find('head_wrong', subject, `no checkpoint signs its size ${size}`);
    }
  }

  /**
   * Some entry is not what was signed. Stored tiles say in which bundle of 256, and the checkpoints within
   * that bundle say in which transaction.
   */
  async #narrow(): Promise<void> {
    const trusted = this.#snapshot.tiles.filter(({ level }) => level === 1)
      .flatMap(({ hashes }) => splitHashes(hashes));
    const computed = [...this.#tiles]
      .filter(([name]) => name.startsWith('1/'))
      .sort(([a], [b]) => Number(a.slice(2)) - Number(b.slice(2)))
      .flatMap(([, hashes]) => hashes);
    const bad = computed.flatMap((hash, bundle) => {
      const known = trusted[bundle];
      return known !== undefined && bytesEqual(hash, known) ? [] : [bundle];
    });
    const last = Math.floor(this.#tree.size / TILE_WIDTH);
    for (const bundle of bad.length > 0 ? bad : [last]) await this.#narrowBundle(bundle, trusted);
  }

  async #narrowBundle(bundle: number, trusted: readonly Uint8Array[]): Promise<void> {
    const start = bundle * TILE_WIDTH;
    const end = Math.min(start + TILE_WIDTH, this.#tree.size);
    const leaves = (await this.#read(start, end)).map(leafHash);
    // Roots of full bundles are to a tree of them what leaves are to this one.
    const { hashes } = appendLeaves(EMPTY_TREE, trusted.slice(0, bundle)).state;
    const before: TreeState = { size: start, hashes };
    let good = start;
    for (const [size, root] of [...this.#signed].sort(([a], [b]) => a - b)) {
      if (size <= start || size > end) continue;
      const { state } = appendLeaves(before, leaves.slice(0, size - start));
      if (!bytesEqual(rootOf(state), root)) {
        await this.#tellEntries(good, size);
        return;
      }
      good = size;
    }
    await this.#tellEntries(good, end);
  }

  async #tellEntries(from: number, to: number): Promise<void> {
    const records = (await readRecordKinds(this.#deps.pool, this.#logId, { from, to })).size;
    const tables = records === 0
      ? 'samples'
      : records === to - from
      ? 'records'
      : 'samples, records';
    this.#find(
      'entries_wrong',
      `${tables}: leaves ${from} to ${to - 1} of log ${this.#logId}`,
      records === to - from
        ? 'they are not what was signed'
        : 'they, or what they refer to in series, origins, metadata, batches or definition_sets, are not what was signed',
    );
  }

  #find(check: string, subject: string, detail: string): void {
    this.#report.find(check, subject, detail);
  }
}

function splitHashes(bytes: Uint8Array): Uint8Array[] {
  return Array.from(
    { length: Math.floor(bytes.length / HASH_BYTES) },
    (_, index) => bytes.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES),
  );
}

/** The number of the first hash that differs, null if none does. */
function firstDifference(stored: Uint8Array, computed: Uint8Array): number | null {
  const left = splitHashes(stored);
  const right = splitHashes(computed);
  const length = Math.max(left.length, right.length);
  for (let index = 0; index < length; index += 1) {
    const [a, b] = [left[index], right[index]];
    if (a === undefined || b === undefined || !bytesEqual(a, b)) return index;
  }
  return null;
}
