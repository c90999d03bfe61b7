import { isNephoError, type NephoError } from '../meters/errors.ts';
import { bytesEqual, concatBytes, encodeHex } from './bytes.ts';
import { type Checkpoint, openCheckpoint, parseCheckpoint } from './checkpoint.ts';
import { EntryCheck, type EntryStep, logFinding } from './entry_check.ts';
import { followKeys, type Keyring, keysInForce } from './keyring.ts';
import { leafHash } from './merkle.ts';
import { HASH_BYTES } from './sha256.ts';
import { decodeBundle, formatTilePath, TILE_WIDTH, tileWidth } from './tile.ts';
import { checkedTile, type TiledLog } from './tiled_log.ts';
import { appendLeaves, EMPTY_TREE, rootOf, type TileAppend, type TreeState } from './tree.ts';

/** What a log is checked for. */
export type LogStep =
  | 'checkpoint' // the latest checkpoint is there and well formed
  | 'trusted_checkpoint' // the log still begins with what an earlier checkpoint stated
  | 'bundle' // the entries are there and well formed
  | 'tile' // every tile is the hashes of what is below it
  | EntryStep // every entry fits those before it
  | 'root' // the checkpoint's root is that of the entries
  | 'signature' // a trusted key that is still in force signed the checkpoint
  | 'origin'; // the log is the one that was asked for, of that key's deployment

export interface VerifiedLog {
  ok: true;
  /** The log's name. */
  origin: string;
  size: number;
  /** 64 hexadecimal digits. */
  root: string;
  /** How many entries of each kind it holds. Kinds of newer versions are counted, not understood. */
  kinds: Record<string, number>;
  /** The trusted keys that signed the checkpoint. */
  signedBy: string[];
  keyring: Keyring;
  /** Of the last entry that has one. */
  lastRecordedAt: string | null;
}

export interface RefusedLog {
  ok: false;
  /** The step that broke. */
  step: LogStep;
  /** Where: a resource's path, an entry's index. */
  place: string;
  code: string;
  message: string;
}

export interface VerifyLogOptions {
  /** The verifier keys that are trusted; rotations that the log records are followed from them. */
  vkeys: readonly string[];
  /** The name that the log must have; any of the key's deployment if not given. */
  origin?: string;
  /** An earlier checkpoint (a signed note) that was believed: the log must contain its tree. */
  trustedCheckpoint?: string;
  /** Called after each bundle of entries. */
  onProgress?: (progress: { entries: number; size: number }) => void;
  /** Bundles that are asked for at once, 8 unless given: bounds memory and hides latency. */
  concurrency?: number;
}

/**
 * Checks a whole log from its entries alone: recomputes every tile and the root and compares them with
 * what is published, reads every entry, and follows the keys. Needs bounded memory, and one pass.
 *
 * @throws {NephoError} `vkey_invalid`, and whatever else than `tile_missing` the log's reader throws;
 * what is wrong with the log is the result, not an error
 */
export async function verifyLog(
  log: TiledLog,
  options: VerifyLogOptions,
): Promise<VerifiedLog | RefusedLog> {
  await followKeys(options.vkeys, []);
  const at: Place = { step: 'checkpoint', place: 'checkpoint' };
  try {
    return await check(log, options, at);
  } catch (error) {
    if (!isNephoError(error) || !isFinding(error)) throw error;
    const step = error.code === 'origin_foreign' ? 'origin' : at.step;
    return { ok: false, step, place: at.place, code: error.code, message: error.message };
  }
}

/** Where the check is, so that a failure is named by where it happened. */
interface Place {
  step: LogStep;
  place: string;
}

/** Faults of the way to the log are the caller's to repeat; all others are the log's. */
function isFinding(error: NephoError): boolean {
  return !error.retryable && error.code !== 'log_unreachable' && error.code !== 'log_forbidden';
}

async function check(
  log: TiledLog,
  options: VerifyLogOptions,
  at: Place,
): Promise<VerifiedLog> {
  const note = await log.readCheckpoint();
  const checkpoint = parseCheckpoint(note);
  at.step = 'trusted_checkpoint';
  const trusted = readTrusted(checkpoint, options.trustedCheckpoint);
  const tree = new TreeCheck(log, checkpoint.size, at);
  const entries = new EntryCheck(checkpoint.origin, at);
  if (trusted !== null) tree.expect(trusted);
  tree.expect(checkpoint);
  for await (const { index, width, bundle } of bundlesOf(log, checkpoint.size, options, at)) {
    const leaves = decodeBundle(bundle, width);
    await tree.append(index, leaves.map(leafHash));
    leaves.forEach((leaf, offset) => entries.read(index * TILE_WIDTH + offset, leaf));
    options.onProgress?.({ entries: index * TILE_WIDTH + width, size: checkpoint.size });
  }
  await tree.finish();

  at.step = 'signature';
  at.place = 'checkpoint';
  const keyring = await followKeys(options.vkeys, entries.keys);
  const { signedBy } = await openCheckpoint(note, keysInForce(keyring, entries.lastRecordedAt));
  if (options.trustedCheckpoint !== undefined) {
    at.step = 'trusted_checkpoint';
    await openCheckpoint(options.trustedCheckpoint, keyring.keys.map(({ key }) => key));
  }
  at.step = 'origin';
  if (options.origin !== undefined && options.origin !== checkpoint.origin) {
    throw logFinding(
      'origin_foreign',
      `its name is '${checkpoint.origin}', not '${options.origin}'`,
    );
  }
  return {
    ok: true,
    origin: checkpoint.origin,
    size: checkpoint.size,
    root: encodeHex(checkpoint.root),
    kinds: Object.fromEntries(entries.kinds),
    signedBy: signedBy.map(({ vkey }) => vkey),
    keyring,
    lastRecordedAt: entries.lastRecordedAt,
  };
}

function readTrusted(checkpoint: Checkpoint, note: string | undefined): Checkpoint | null {
  if (note === undefined) return null;
  const trusted = parseCheckpoint(note);
  if (trusted.origin !== checkpoint.origin) {
    throw logFinding('log_forked', `the earlier checkpoint is of '${trusted.origin}'`);
  }
  if (trusted.size > checkpoint.size) {
    throw logFinding(
      'log_forked',
      `it has ${checkpoint.size} entries, the earlier checkpoint ${trusted.size}`,
    );
  }
  return trusted;
}

interface Bundle {
  index: number;
  width: number;
  bundle: Uint8Array;
}

/** The bundles in order, with some of the next ones already asked for. */
async function* bundlesOf(
  log: TiledLog,
  size: number,
  { concurrency = 8 }: VerifyLogOptions,
  at: Place,
): AsyncGenerator<Bundle> {
  const asked: Promise<Bundle>[] = [];
  for (let next = 0;;) {
    for (; asked.length < concurrency && next * TILE_WIDTH < size; next += 1) {
      const reading = readBundle(log, next, tileWidth({ level: 'entries', index: next }, size));
      // An earlier failure may end the check before this one is waited for.
      reading.catch(() => {});
      asked.push(reading);
    }
    const reading = asked.shift();
    if (reading === undefined) return;
    const index = next - asked.length - 1;
    at.step = 'bundle';
    at.place = formatTilePath({
      level: 'entries',
      index,
      width: tileWidth({ level: 'entries', index }, size),
    });
    yield await reading;
  }
}

async function readBundle(log: TiledLog, index: number, width: number): Promise<Bundle> {
  return { index, width, bundle: await log.readEntries(index, width) };
}

/** Rebuilds the tree, and compares each tile when it is complete and each expected root when reached. */
class TreeCheck {
  readonly #log: TiledLog;
  readonly #size: number;
  readonly #at: Place;
  /** The last tile of each level >= 1, as far as it is known. */
  readonly #open = new Map<number, { index: number; hashes: Uint8Array[] }>();
  readonly #expected: Checkpoint[] = [];
  #state: TreeState = EMPTY_TREE;

  constructor(log: TiledLog, size: number, at: Place) {
    this.#log = log;
    this.#size = size;
    this.#at = at;
  }

  /** Expects a root at a size; sizes must not descend. */
  expect(head: Checkpoint): void {
    this.#expected.push(head);
  }

  async append(bundle: number, leaves: readonly Uint8Array[]): Promise<void> {
    await this.#compareTile(0, bundle, leaves);
    let rest = leaves;
    while (rest.length > 0) {
      // Stops where a root is expected within the bundle.
      const next = this.#compareRoots() ?? this.#size;
      const part = rest.slice(0, next - this.#state.size);
      const { state, tiles } = appendLeaves(this.#state, part);
      this.#state = state;
      for (const grown of tiles) await this.#grow(grown);
      rest = rest.slice(part.length);
    }
  }

  async finish(): Promise<void> {
    for (const [level, { index, hashes }] of this.#open) {
      if (hashes.length < TILE_WIDTH) await this.#compareTile(level, index, hashes);
    }
    this.#compareRoots();
  }

  async #grow({ level, tile, hashes }: TileAppend): Promise<void> {
    let open = this.#open.get(level);
    if (open === undefined || open.index !== tile) {
      open = { index: tile, hashes: [] };
      this.#open.set(level, open);
    }
    open.hashes.push(...hashes);
    if (open.hashes.length === TILE_WIDTH) await this.#compareTile(level, tile, open.hashes);
  }

  async #compareTile(level: number, index: number, hashes: readonly Uint8Array[]): Promise<void> {
    const width = hashes.length;
    this.#at.step = 'tile';
    this.#at.place = formatTilePath({ level, index, width });
    const tile = await this.#log.readTile(level, index, width);
    const published = checkedTile(tile, { level, index, width });
    if (bytesEqual(published, concatBytes(hashes))) return;
    const wrong = hashes.findIndex((hash, i) =>
      !bytesEqual(hash, published.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES))
    );
    throw logFinding(
      'tile_wrong',
      `hash ${wrong} of ${this.#at.place} is not that of ${
        level === 0
          ? `entry ${index * TILE_WIDTH + wrong}`
          : `tile ${level - 1}/${index * TILE_WIDTH + wrong}`
      }`,
    );
  }

  /** Compares the roots that are expected at the present size; returns the next size to stop at. */
  #compareRoots(): number | undefined {
    for (;;) {
      const head = this.#expected[0];
      if (head === undefined || head.size > this.#state.size) return head?.size;
      this.#expected.shift();
      const earlier = this.#expected.length > 0;
      this.#at.step = earlier ? 'trusted_checkpoint' : 'root';
      this.#at.place = `size ${head.size}`;
      if (bytesEqual(rootOf(this.#state), head.root)) continue;
      throw earlier
        ? logFinding(
          'log_forked',
          `its first ${head.size} entries are not those of the earlier one`,
        )
        : logFinding('root_wrong', `its entries do not lead to the checkpoint's root`);
    }
  }
}
