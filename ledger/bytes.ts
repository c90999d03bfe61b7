import { NephoError } from '../meters/errors.ts';

/** Strict text forms of bytes, and little else, on any runtime. */

const ENCODER = new TextEncoder();
/** `ignoreBOM` keeps a leading byte order mark as a character, so that decoding is one to one. */
const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
const HEX = /^(?:[0-9a-f]{2})*$/;

export function encodeUtf8(text: string): Uint8Array {
  return ENCODER.encode(text);
}

/** @throws {NephoError} `not_utf8` */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return DECODER.decode(bytes);
  } catch (cause) {
    throw new NephoError('not_utf8', `Cannot read ${bytes.length} bytes as UTF-8 text`, { cause });
  }
}

/** Lower-case hexadecimal. */
export function encodeHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}

/** @throws {NephoError} `hex_invalid` for anything but pairs of lower-case digits */
export function decodeHex(text: string): Uint8Array {
  if (!HEX.test(text)) {
    throw new NephoError('hex_invalid', `Cannot read hexadecimal from '${text.slice(0, 80)}'`);
  }
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i += 1) {
    bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  }
  return bytes;
}

/** RFC 4648 section 4, with padding. */
export function encodeBase64(bytes: Uint8Array): string {
  let binary = '';
  // In slices, since an argument list holds some 65,000 values at most.
  for (let start = 0; start < bytes.length; start += 8_192) {
    binary += String.fromCharCode(...bytes.subarray(start, start + 8_192));
  }
  return btoa(binary);
}

/** @throws {NephoError} `base64_invalid` for text that {@link encodeBase64} would not write */
export function decodeBase64(text: string): Uint8Array {
  if (BASE64.test(text) && text.length % 4 === 0) {
    const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
    // Bits beyond the last byte may be set in sloppy encodings: a second text for the same bytes.
    if (encodeBase64(bytes) === text) return bytes;
  }
  throw new NephoError('base64_invalid', `Cannot read base64 from '${text.slice(0, 80)}'`);
}

export function bytesEqual(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i += 1) {
    if (left[i] !== right[i]) return false;
  }
  return true;
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
