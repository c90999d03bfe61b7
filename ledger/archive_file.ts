/**
 * The file of an archive: a line that says what it is, blocks of samples, each packed by itself so that one
 * can be read without the others, then an index, its length in four bytes and its SHA-256.
 */
import { promisify } from 'node:util';
import { brotliCompress, brotliDecompress, constants } from 'node:zlib';
import { NephoError } from '../meters/errors.ts';
import { type ArchivedSample, decodeBlock, encodeBlock } from './archive_block.ts';
import { bytesEqual, concatBytes, encodeUtf8 } from './bytes.ts';
import { HASH_BYTES, sha256, sha256Hex } from './sha256.ts';
import {
  decodeRecord,
  encodeRecord,
  parseRecord,
  type RecordName,
  StrictRecord,
} from './strict_record.ts';

/** Samples of a block: what must be unpacked to read one of them. */
export const BLOCK_SAMPLES = 32_768;

export interface ArchiveBlock {
  /** Places of the first and the last sample. */
  first: number;
  last: number;
  samples: number;
  /** Where the packed block is in the file, in bytes. */
  offset: number;
  bytes: number;
  /** SHA-256 of the packed block, 64 hexadecimal digits. */
  digest: string;
}

export interface ArchiveIndex {
  kind: 'archive_index';
  v: 1;
  /** The partition that it was: `samples_2026_10`. */
  name: string;
  samples: number;
  blocks: ArchiveBlock[];
}

/** Gives bytes of the file. @throws {NephoError} `archive_missing` */
export type ReadAt = (offset: number, length: number) => Promise<Uint8Array>;

const HEAD = encodeUtf8('nepho archive v1\n');
const LENGTH_BYTES = 4;
const TRAILER_BYTES = LENGTH_BYTES + HASH_BYTES;
/** Of some 1,000 blocks each 200 bytes; and unpacked samples of 40 bytes at most on average. */
const MAX_INDEX_BYTES = 64 * 1024 * 1024;
const MAX_BLOCK_BYTES = 64 * 1024 * 1024;
const INDEX: RecordName = { code: 'archive', name: 'the index of an archive' };

const compress = promisify(brotliCompress);
const decompress = promisify(brotliDecompress);

/** Makes an archive by parts. The caller writes what it is given, in that order. */
export class ArchiveWriter {
  readonly #name: string;
  readonly #blocks: ArchiveBlock[] = [];
  #offset = HEAD.length;

  constructor(name: string) {
    this.#name = name;
  }

  head(): Uint8Array {
    return HEAD;
  }

  /** @param samples ascending by position, after those of the block before */
  async block(samples: readonly ArchivedSample[]): Promise<Uint8Array> {
    const packed = await compress(encodeBlock(samples), {
      params: { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_LGWIN]: 22 },
    });
    this.#blocks.push({
      first: samples[0]?.position ?? 0,
      last: samples.at(-1)?.position ?? 0,
      samples: samples.length,
      offset: this.#offset,
      bytes: packed.length,
      digest: sha256Hex(packed),
    });
    this.#offset += packed.length;
    return packed;
  }

  trailer(): Uint8Array {
    const index: ArchiveIndex = {
      kind: 'archive_index',
      v: 1,
      name: this.#name,
      samples: this.#blocks.reduce((sum, { samples }) => sum + samples, 0),
      blocks: this.#blocks,
    };
    const text = encodeUtf8(encodeRecord(index));
    const length = new Uint8Array(LENGTH_BYTES);
    new DataView(length.buffer).setUint32(0, text.length);
    return concatBytes([text, length, sha256(text)]);
  }
}

/**
 * Reads the index of a file of `size` bytes.
 *
 * @throws {NephoError} `archive_damaged`, `archive_invalid`
 */
export async function readArchiveIndex(readAt: ReadAt, size: number): Promise<ArchiveIndex> {
  if (size < HEAD.length + TRAILER_BYTES) throw damaged('the file is too short');
  if (!bytesEqual(await readAt(0, HEAD.length), HEAD)) throw damaged('it does not begin as one');
  const trailer = await readAt(size - TRAILER_BYTES, TRAILER_BYTES);
  const length = new DataView(trailer.buffer, trailer.byteOffset).getUint32(0);
  if (length > MAX_INDEX_BYTES || length > size - TRAILER_BYTES) throw damaged('it has no index');
  const text = await readAt(size - TRAILER_BYTES - length, length);
  if (!bytesEqual(sha256(text), trailer.subarray(LENGTH_BYTES))) {
    throw damaged('its index is not what its digest says');
  }
  return parseIndex(decodeRecord(text, INDEX));
}

/** The samples of a block. @throws {NephoError} `archive_damaged` */
export async function readArchiveBlock(
  readAt: ReadAt,
  block: ArchiveBlock,
): Promise<ArchivedSample[]> {
  const packed = await readAt(block.offset, block.bytes);
  if (sha256Hex(packed) !== block.digest) {
    throw damaged(`the block at byte ${block.offset} is not what its digest says`);
  }
  const samples = decodeBlock(await decompress(packed, { maxOutputLength: MAX_BLOCK_BYTES }));
  const isWhole = samples.length === block.samples && samples[0]?.position === block.first &&
    samples.at(-1)?.position === block.last;
  if (!isWhole) throw damaged(`the block at byte ${block.offset} holds other samples`);
  return samples;
}

function parseIndex(text: string): ArchiveIndex {
  const record = new StrictRecord(parseRecord(text, INDEX), INDEX);
  return {
    kind: 'archive_index',
    v: 1,
    name: record.text('name'),
    samples: record.count('samples'),
    blocks: record.records('blocks', (block) => ({
      first: block.count('first'),
      last: block.count('last'),
      samples: block.count('samples'),
      offset: block.count('offset'),
      bytes: block.count('bytes'),
      digest: block.hex('digest', 64),
    })),
  };
}

function damaged(how: string): NephoError {
  return new NephoError(
    'archive_damaged',
    `Cannot read an archive: ${how}; take another copy of it`,
  );
}
