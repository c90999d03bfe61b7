import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { NephoError } from '../meters/errors.ts';
import { bytesEqual, concatBytes } from './bytes.ts';
import { parseCheckpoint } from './checkpoint.ts';
import { leafHash } from './merkle.ts';
import { HASH_BYTES } from './sha256.ts';
import { decodeBundle, formatTilePath, TILE_WIDTH, type TileName, tileWidth } from './tile.ts';
import type { TiledLog } from './tiled_log.ts';
import { appendLeaves, EMPTY_TREE, rootOf, type TreeState } from './tree.ts';

export interface ExportOptions {
  onProgress?: (progress: { entries: number; size: number }) => void;
}

/**
 * Writes a log as the static files of C2SP tlog-tiles, which any web server can publish. Tiles are
 * computed from the entries; the checkpoint is written last, and only if they lead to its root. An
 * export into the same directory again reads only what was added.
 *
 * @returns the size of the exported tree
 * @throws {NephoError} `root_wrong` if entries and checkpoint disagree, and what the log's reader throws
 */
export async function exportLog(
  log: TiledLog,
  directory: string,
  options: ExportOptions = {},
): Promise<number> {
  const note = await log.readCheckpoint();
  const { size, root, origin } = parseCheckpoint(note);
  let tree: TreeState = EMPTY_TREE;
  /** The last tile of each level >= 1, as far as it is filled. */
  const open = new Map<number, { index: number; hashes: Uint8Array[] }>();
  for (let index = 0; index * TILE_WIDTH < size; index += 1) {
    const width = tileWidth({ level: 'entries', index }, size);
    const leaves = await exportBundle(log, directory, { level: 'entries', index, width });
    await writeTile(directory, { level: 0, index, width }, concatBytes(leaves));
    const { state, tiles } = appendLeaves(tree, leaves);
    tree = state;
    for (const { level, tile, offset, hashes } of tiles) {
      const before = offset === 0 ? [] : open.get(level)?.hashes ?? [];
      const grown = [...before, ...hashes];
      open.set(level, { index: tile, hashes: grown });
      if (grown.length === TILE_WIDTH) await writeOpen(directory, level, open.get(level));
    }
    options.onProgress?.({ entries: tree.size, size });
  }
  for (const [level, tile] of open) await writeOpen(directory, level, tile);
  if (!bytesEqual(rootOf(tree), root)) {
    throw new NephoError(
      'root_wrong',
      `Cannot export '${origin}': its ${size} entries do not lead to its checkpoint's root`,
    );
  }
  await writeWhole(join(directory, 'checkpoint'), note);
  return size;
}

/** The leaf hashes of a bundle, which is there afterwards. A full bundle never changes. */
async function exportBundle(
  log: TiledLog,
  directory: string,
  name: TileName,
): Promise<Uint8Array[]> {
  const path = join(directory, formatTilePath(name));
  const kept = name.width === TILE_WIDTH ? await readFile(path).catch(() => null) : null;
  const bundle = kept ?? await log.readEntries(name.index, name.width);
  const leaves = decodeBundle(bundle, name.width).map(leafHash);
  if (kept === null) await writeWhole(path, bundle);
  return leaves;
}

async function writeOpen(
  directory: string,
  level: number,
  tile: { index: number; hashes: Uint8Array[] } | undefined,
): Promise<void> {
  if (tile === undefined) return;
  const { index, hashes } = tile;
  await writeTile(directory, { level, index, width: hashes.length }, concatBytes(hashes));
}

async function writeTile(directory: string, name: TileName, hashes: Uint8Array): Promise<void> {
  const path = join(directory, formatTilePath(name));
  const kept = await readFile(path).catch(() => null);
  // Written again if it differs: what the entries give is right, whatever stood there.
  if (kept?.length === name.width * HASH_BYTES && bytesEqual(kept, hashes)) return;
  await writeWhole(path, hashes);
}

/** By way of another name, so that a reader never meets half a file. */
async function writeWhole(path: string, content: Uint8Array | string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const unfinished = `${path}.unfinished`;
  await writeFile(unfinished, content);
  await rename(unfinished, path);
}
