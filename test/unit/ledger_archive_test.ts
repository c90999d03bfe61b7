import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { type ArchivedSample, decodeBlock, encodeBlock } from '../../ledger/archive_block.ts';
import { ArchiveDirectory } from '../../ledger/archive_directory.ts';
import { isNephoError } from '../../meters/errors.ts';
import { formatQuantity } from '../../meters/quantity.ts';
import { archivedMonth } from '../support/archived_month.ts';

const NAME = 'samples_2026_10';
const PROPERTY = { numRuns: 200, seed: 20_261_122 };

const volume = fc.tuple(
  fc.bigInt({ min: -(10n ** 60n), max: 10n ** 60n }),
  fc.integer({ min: 0, max: 60 }),
).map(([unscaled, scale]) => formatQuantity(reduced(unscaled, scale)));

const sample: fc.Arbitrary<ArchivedSample> = fc.record({
  position: fc.constant(0),
  micros: fc.integer({ min: 0, max: 2 ** 52 - 1 }),
  originId: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  seriesId: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 2 ** 31 - 1 })),
  metadataId: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  ordinal: fc.option(fc.integer({ min: 0, max: 32_767 })),
  volume,
});

const block = fc.array(fc.tuple(sample, fc.integer({ min: 1, max: 2 ** 46 })), { maxLength: 50 })
  .map((pairs) => {
    let position = -1;
    return pairs.map(([each, gap]) => ({ ...each, position: position += gap }));
  });

test('a block gives back its samples, whatever they are', () => {
  fc.assert(
    fc.property(block, (samples) => {
      assert.deepEqual(decodeBlock(encodeBlock(samples)), samples);
    }),
    PROPERTY,
  );
});

test('a block that was altered gives other samples or archive_damaged, and ends', () => {
  fc.assert(
    fc.property(block, fc.nat(), fc.integer({ min: 1, max: 255 }), (samples, place, mask) => {
      const bytes = encodeBlock(samples);
      const at = place % bytes.length;
      bytes[at] = (bytes[at] ?? 0) ^ mask;
      try {
        assert.notDeepEqual(decodeBlock(bytes), samples);
      } catch (error) {
        assert.ok(isNephoError(error) && error.code === 'archive_damaged', String(error));
      }
    }),
    PROPERTY,
  );
});

test('what is not canonical is refused instead of being changed', () => {
  const [one] = archivedMonth({ resources: 1, polls: 1, notifications: 0 });
  assert.ok(one !== undefined);
  assert.throws(() => encodeBlock([{ ...one, volume: '1.50' }]), { code: 'archive_invalid' });
});

describe('a folder of archives', () => {
  let folder: string;
  let archives: ArchiveDirectory;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nepho-archives-'));
    archives = new ArchiveDirectory(join(folder, 'made'));
  });

  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  test('a month of polls and notifications takes 30 bytes a sample at most, and is given back', async (t) => {
    const samples = archivedMonth({ resources: 60, polls: 120, notifications: 4_000 });
    const written = await archives.write(NAME, inBlocks(samples, 16_384));
    t.diagnostic(`${(written.bytes / samples.length).toFixed(2)} bytes a sample`);
    assert.ok(written.bytes / samples.length <= 30);
    assert.equal(written.samples, samples.length);
    assert.deepEqual(await archives.measure(NAME), {
      digest: written.digest,
      bytes: written.bytes,
    });
    const all: ArchivedSample[] = [];
    for await (const part of archives.readBlocks(NAME)) all.push(...part);
    assert.deepEqual(all, samples);
  });

  test('any range of places is read from the blocks that hold it', async () => {
    const samples = archivedMonth({ resources: 5, polls: 40, notifications: 50 });
    await archives.write('samples_2026_09', inBlocks(samples, 100));
    const last = samples.at(-1)?.position ?? 0;
    for (
      const [from, to] of [[0, 1], [99, 101], [150, 420], [last, last + 1], [last + 1, last + 9]]
    ) {
      assert.deepEqual(
        await archives.readSamples('samples_2026_09', { from: from ?? 0, to: to ?? 0 }),
        samples.filter(({ position }) => position >= (from ?? 0) && position < (to ?? 0)),
      );
    }
  });

  test('every altered byte is noticed', async () => {
    const samples = archivedMonth({ resources: 2, polls: 3, notifications: 2 });
    await archives.write('samples_2026_08', inBlocks(samples, 10));
    const path = archives.pathOf('samples_2026_08');
    const whole = await readFile(path);
    for (let at = 0; at < whole.length; at += 3) {
      const altered = Uint8Array.from(whole);
      altered[at] = (altered[at] ?? 0) ^ (1 << (at % 8));
      await writeFile(path, altered);
      await assert.rejects(readAll(), (error) => isNephoError(error), `byte ${at}`);
    }
    await writeFile(path, whole.subarray(0, whole.length - 1));
    await assert.rejects(readAll(), { code: 'archive_damaged' });

    async function readAll(): Promise<void> {
      for await (const _ of archives.readBlocks('samples_2026_08')) { /* looked at */ }
    }
  });

  test('a name leads nowhere but into the folder', () => {
    for (const name of ['../samples_2026_10', 'samples_2026_10/..', '', 'samples_2026_1']) {
      assert.throws(() => archives.pathOf(name), { code: 'archive_missing' });
    }
  });

  test('an archive that is not there is told of with the remedy', async () => {
    await assert.rejects(archives.readIndex('samples_1999_01'), /NEPHO_ARCHIVE_DIR/);
  });
});

async function* inBlocks(
  samples: readonly ArchivedSample[],
  size: number,
): AsyncGenerator<ArchivedSample[]> {
  for (let from = 0; from < samples.length; from += size) {
    yield await Promise.resolve(samples.slice(from, from + size));
  }
}

function reduced(unscaled: bigint, scale: number) {
  let value = unscaled;
  let places = value === 0n ? 0 : scale;
  while (places > 0 && value % 10n === 0n) {
    value /= 10n;
    places -= 1;
  }
  return { unscaled: value, scale: places };
}
