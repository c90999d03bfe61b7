import { fnv1a } from './fnv1a.ts';

/**
 * 32 bits of a text: FNV-1a, then the finaliser of MurmurHash3, without which similar texts are too much
 * alike. Phases and groups depend on it, so it never changes.
 */
export function stableHash(text: string): number {
  return mixBits(fnv1a(text));
}

/** The finaliser of MurmurHash3 (fmix32): each bit of the argument changes half of the result's. */
export function mixBits(value: number): number {
  let bits = value;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
