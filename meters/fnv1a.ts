const OFFSET = 0x811c9dc5;
const PRIME = 0x01000193;
const ENCODER = new TextEncoder();

/** 32-bit FNV-1a of a text's UTF-8 bytes; `fnv1a('foobar')` is 0xbf9cf968. */
export function fnv1a(text: string): number {
  return fnv1aOfBytes(ENCODER.encode(text));
}

/** The same of bytes. */
export function fnv1aOfBytes(bytes: Uint8Array): number {
  let hash = OFFSET;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, PRIME);
  return hash >>> 0;
}
