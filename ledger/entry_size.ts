import { NephoError } from '../meters/errors.ts';
import { encodeUtf8 } from './bytes.ts';

/** A length in a bundle of C2SP tlog-tiles is a uint16, so an entry has 65,535 bytes at most. */
export const MAX_ENTRY_BYTES = 65_535;

/** The text of an entry as it is. @throws {NephoError} `entry_too_large` */
export function withinEntrySize(text: string): string {
  // A UTF-16 unit takes 3 bytes of UTF-8 at most, so short text needs no count.
  if (text.length > MAX_ENTRY_BYTES / 3 && encodeUtf8(text).length > MAX_ENTRY_BYTES) {
    throw new NephoError(
      'entry_too_large',
      `Cannot log an entry of more than ${MAX_ENTRY_BYTES} bytes: '${text.slice(0, 80)}…'`,
    );
  }
  return text;
}
