/** Whole numbers in as few bytes as they need: seven bits a byte, the lowest first (LEB128). */
import { NephoError } from '../meters/errors.ts';

/** Bytes of the largest number that a volume may come to, and far more than any other. */
const MAX_BYTES = 64;

/** Collects whole numbers. */
export class VarintWriter {
  #bytes = new Uint8Array(1_024);
  #length = 0;

  /** A whole number from 0, below 2^53. */
  write(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.#push((rest % 128) | 128);
      rest = Math.floor(rest / 128);
    }
    this.#push(rest);
  }

  /** A whole number of either sign, below 2^52: 0, -1, 1, -2 … are written as 0, 1, 2, 3 …. */
  writeSigned(value: number): void {
    this.write(value < 0 ? -2 * value - 1 : 2 * value);
  }

  /** As {@link writeSigned}, of any size. */
  writeBig(value: bigint): void {
    let rest = value < 0n ? -2n * value - 1n : 2n * value;
    while (rest >= 128n) {
      this.#push(Number(rest & 127n) | 128);
      rest >>= 7n;
    }
    this.#push(Number(rest));
  }

  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #push(byte: number): void {
    if (this.#length === this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[this.#length] = byte;
    this.#length += 1;
  }
}

/** Reads back what a {@link VarintWriter} wrote. Every method throws `archive_damaged` at the end. */
export class VarintReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  read(): number {
    let value = 0;
    let unit = 1;
    for (;;) {
      const byte = this.#next();
      value += (byte & 127) * unit;
      if (byte < 128) break;
      unit *= 128;
    }
    if (!Number.isSafeInteger(value)) throw damaged('a number is too large');
    return value;
  }

  readSigned(): number {
    const value = this.read();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  readBig(): bigint {
    let value = 0n;
    for (let shift = 0n;; shift += 7n) {
      const byte = this.#next();
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) break;
      if (shift > 7n * BigInt(MAX_BYTES)) throw damaged('a number is too large');
    }
    return (value & 1n) === 0n ? value >> 1n : -((value + 1n) >> 1n);
  }

  #next(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw damaged('a column ends too early');
    this.#at += 1;
    return byte;
  }
}

function damaged(how: string): NephoError {
  return new NephoError('archive_damaged', `Cannot read a block of an archive: ${how}`);
}
