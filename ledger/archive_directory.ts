import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { errorMessage, NephoError } from '../meters/errors.ts';
import type { ArchivedSample } from './archive_block.ts';
import {
  type ArchiveIndex,
  ArchiveWriter,
  readArchiveBlock,
  readArchiveIndex,
} from './archive_file.ts';

/** Where archives are read from. */
export interface ArchiveReader {
  /**
   * The samples of an archive at places from `from` (included) to `to` (excluded).
   *
   * @throws {NephoError} `archive_missing`, `archive_damaged`
   */
  readSamples(name: string, range: { from: number; to: number }): Promise<ArchivedSample[]>;
}

/** A file that was written. */
export interface WrittenArchive {
  /** SHA-256 of the file. */
  digest: Uint8Array;
  bytes: number;
  samples: number;
}

const NAME = /^samples_\d{4}_\d{2}$/;
/** Unpacked blocks that are kept: about 5 MB each. */
const KEPT_BLOCKS = 6;
const READ_BYTES = 1024 * 1024;

/** A folder of archives, `samples_2026_10.archive` and so on. */
export class ArchiveDirectory implements ArchiveReader {
  readonly #directory: string;
  readonly #blocks = new Map<string, Promise<ArchivedSample[]>>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  pathOf(name: string): string {
    if (!NAME.test(name)) throw missing(name, 'that is no name of an archive');
    return join(this.#directory, `${name}.archive`);
  }

  /**
   * Writes an archive. It is there as a whole or not at all: it gets its name once it is on the disk.
   *
   * @param blocks samples, ascending by position over all
   */
  async write(
    name: string,
    blocks: AsyncIterable<readonly ArchivedSample[]>,
  ): Promise<WrittenArchive> {
    const path = this.pathOf(name);
    await mkdir(this.#directory, { recursive: true });
    // Of this call alone: a former attempt may still be writing.
    const unfinished = `${path}.${randomUUID()}.unfinished`;
    const file = await open(unfinished, 'w');
    let written: WrittenArchive;
    try {
      written = await writeAll(file, new ArchiveWriter(name), blocks);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, path);
    await syncDirectory(this.#directory);
    return written;
  }

  async readSamples(
    name: string,
    { from, to }: { from: number; to: number },
  ): Promise<ArchivedSample[]> {
    return await this.#withFile(name, async (file, size, id) => {
      const index = await readArchiveIndex(readerOf(file, name), size);
      const found: ArchivedSample[] = [];
      for (const block of index.blocks.filter(({ first, last }) => first < to && last >= from)) {
        const samples = await this.#block(
          `${id}/${block.offset}`,
          () => readArchiveBlock(readerOf(file, name), block),
        );
        for (const sample of samples) {
          if (sample.position >= from && sample.position < to) found.push(sample);
        }
      }
      return found;
    });
  }

  /** All samples, block by block. @throws as {@link readSamples} */
  async *readBlocks(name: string): AsyncGenerator<ArchivedSample[]> {
    const index = await this.readIndex(name);
    for (const block of index.blocks) {
      yield await this.#withFile(name, (file) => readArchiveBlock(readerOf(file, name), block));
    }
  }

  async readIndex(name: string): Promise<ArchiveIndex> {
    return await this.#withFile(name, (file, size) => readArchiveIndex(readerOf(file, name), size));
  }

  /** SHA-256 and length of a file as it is now. @throws {NephoError} `archive_missing` */
  async measure(name: string): Promise<{ digest: Uint8Array; bytes: number }> {
    return await this.#withFile(name, async (file, size) => {
      const hash = createHash('sha256');
      for (let at = 0; at < size; at += READ_BYTES) {
        hash.update(await readExactly(file, { at, length: Math.min(READ_BYTES, size - at), name }));
      }
      return { digest: hash.digest(), bytes: size };
    });
  }

  /** Removes what writers left that were killed. One that is still at it fails. */
  async removeUnfinished(name: string): Promise<void> {
    const prefix = `${basename(this.pathOf(name))}.`;
    const files = await readdir(this.#directory).catch(() => []);
    for (const file of files) {
      if (file.startsWith(prefix) && file.endsWith('.unfinished')) {
        await rm(join(this.#directory, file), { force: true });
      }
    }
  }

  async #withFile<Result>(
    name: string,
    work: (file: FileHandle, size: number, id: string) => Promise<Result>,
  ): Promise<Result> {
    const path = this.pathOf(name);
    const file = await open(path, 'r').catch((cause: unknown) => {
      throw missing(name, errorMessage(cause), cause);
    });
    try {
      const { size, mtimeMs, ino } = await file.stat();
      // A file that took the place of another is another.
      return await work(file, size, `${name}/${ino}/${mtimeMs}/${size}`);
    } finally {
      await file.close();
    }
  }

  async #block(key: string, read: () => Promise<ArchivedSample[]>): Promise<ArchivedSample[]> {
    const known = this.#blocks.get(key);
    if (known !== undefined) return await known;
    const reading = read();
    this.#blocks.set(key, reading);
    reading.catch(() => this.#blocks.delete(key));
    const [oldest] = this.#blocks.keys();
    if (this.#blocks.size > KEPT_BLOCKS && oldest !== undefined) this.#blocks.delete(oldest);
    return await reading;
  }
}

async function writeAll(
  file: FileHandle,
  writer: ArchiveWriter,
  blocks: AsyncIterable<readonly ArchivedSample[]>,
): Promise<WrittenArchive> {
  const hash = createHash('sha256');
  let bytes = 0;
  let count = 0;
  const put = async (part: Uint8Array): Promise<void> => {
    for (let done = 0; done < part.length;) {
      done += (await file.write(part, done, part.length - done)).bytesWritten;
    }
    hash.update(part);
    bytes += part.length;
  };
  await put(writer.head());
  for await (const samples of blocks) {
    if (samples.length === 0) continue;
    await put(await writer.block(samples));
    count += samples.length;
  }
  await put(writer.trailer());
  return { digest: hash.digest(), bytes, samples: count };
}

function readerOf(file: FileHandle, name: string) {
  return (at: number, length: number) => readExactly(file, { at, length, name });
}

async function readExactly(
  file: FileHandle,
  { at, length, name }: { at: number; length: number; name: string },
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await file.read(bytes, done, length - done, at + done);
    if (bytesRead === 0) {
      throw new NephoError(
        'archive_damaged',
        `Cannot read archive '${name}': it ends at byte ${at + done}; take another copy of it`,
      );
    }
    done += bytesRead;
  }
  return bytes;
}

/** The new name must outlive a power cut too. */
async function syncDirectory(directory: string): Promise<void> {
  const folder = await open(directory, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function missing(name: string, why: string, cause?: unknown): NephoError {
  return new NephoError(
    'archive_missing',
    `Cannot read archive '${name}': ${why}; put its file into the folder of NEPHO_ARCHIVE_DIR`,
    { cause },
  );
}
