import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NephoError } from '../meters/errors.ts';
import { formatTilePath } from './tile.ts';
import type { TiledLog } from './tiled_log.ts';

/** A log in a directory, as {@link exportLog} writes it and a web server may publish it. */
export function directoryLog(directory: string): TiledLog {
  return {
    readCheckpoint: async () => (await read(directory, 'checkpoint')).toString('utf8'),
    readTile: (level, index, width) => read(directory, formatTilePath({ level, index, width })),
    readEntries: (index, width) =>
      read(directory, formatTilePath({ level: 'entries', index, width })),
  };
}

async function read(directory: string, path: string): Promise<Buffer> {
  try {
    return await readFile(join(directory, path));
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'ENOENT')) throw cause;
    throw new NephoError(
      'tile_missing',
      `Cannot read '${join(directory, path)}': there is no such file`,
      { cause },
    );
  }
}
