import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { errorMessage, type NephoError } from '../meters/errors.ts';

/** Reads a regular file that is at most so long; what is looked at is what is read. */
export async function readRegular(
  file: string,
  maxBytes: number,
  failure: (code: 'missing' | 'unfit', reason: string, cause?: unknown) => NephoError,
  check: (info: Stats) => void = () => {},
): Promise<Uint8Array> {
  let handle: FileHandle;
  try {
    // Without O_NONBLOCK a named pipe would be waited for.
    handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (cause) {
    throw failure('missing', errorMessage(cause), cause);
  }
  try {
    const info = await handle.stat();
    if (!info.isFile()) throw failure('unfit', 'it is no regular file');
    check(info);
    const bytes = new Uint8Array(maxBytes + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = (await handle.read(bytes, length, bytes.length - length, length)).bytesRead;
    }
    if (length > maxBytes) throw failure('unfit', `it has more than ${maxBytes} bytes`);
    return bytes.subarray(0, length);
  } finally {
    await handle.close();
  }
}

export async function isThere(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch {
    return false;
  }
}
