import { gunzipSync, gzipSync } from 'node:zlib';
import { errorMessage, NephoError } from '../meters/errors.ts';

/** Temporal lets a history grow to 50 MiB; ours end far below. */
export const MAX_HISTORY_BYTES = 16 * 1024 * 1024;

/** RFC 1952: deflate, no flags, no time, best compression, of an unknown system. */
const HEADER = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255] as const;
/** CRC-32 and length. */
const TRAILER_BYTES = 8;

/** A history as it is stored: in gzip with a header that is the same on every system. */
export function packHistory(text: string): Uint8Array {
  const packed = gzipSync(text, { level: 9 });
  packed.set(HEADER);
  return packed;
}

/**
 * The text of a history. A header or padding that our compressor does not write is refused: nothing else
 * would tell that a bit of them was changed.
 *
 * @throws {NephoError} `history_damaged`
 */
export function unpackHistory(bytes: Uint8Array): string {
  const text = inflate(bytes);
  const isOurs = HEADER.every((byte, index) => bytes[index] === byte);
  if (!isOurs || hasPadding(bytes, text)) {
    throw new NephoError('history_damaged', 'its gzip has a header or padding that is not ours');
  }
  return text;
}

function inflate(bytes: Uint8Array): string {
  try {
    return gunzipSync(bytes, { maxOutputLength: MAX_HISTORY_BYTES }).toString('utf8');
  } catch (cause) {
    throw new NephoError('history_damaged', `its gzip cannot be unpacked: ${errorMessage(cause)}`, {
      cause,
    });
  }
}

/** True if a bit after the end of the deflated data is set: the same text comes without it. */
function hasPadding(bytes: Uint8Array, text: string): boolean {
  const at = bytes.length - TRAILER_BYTES - 1;
  const last = bytes[at] ?? 0;
  if (last === 0) return false;
  const cleared = Uint8Array.from(bytes);
  cleared[at] = last & ~(1 << (31 - Math.clz32(last)));
  try {
    return inflate(cleared) === text;
  } catch {
    return false;
  }
}
