import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeEntry } from '../../ledger/entry.ts';
import { encodeSampleEntry } from '../../ledger/sample_entry.ts';
import { missingKeyEntries } from '../../ledger/key_entry.ts';
import type { TiledLog } from '../../ledger/tiled_log.ts';
import { type LogStep, verifyLog, type VerifyLogOptions } from '../../ledger/verify_log.ts';
import { NephoError } from '../../meters/errors.ts';
import { MemoryLog, TEST_ORIGIN, testEntries, testSample } from '../support/memory_log.ts';
import { testSigner } from '../support/test_signer.ts';

const SIGNER = testSigner();
const OPTIONS: VerifyLogOptions = { vkeys: [SIGNER.vkey] };
const ENTRIES = testEntries(70_000);
const LOG = await MemoryLog.of(ENTRIES);

const code = (expected: string) => (error: unknown) =>
  (error as { code?: string }).code === expected;

/** The log with some of its readers replaced. */
function altered(log: TiledLog, changes: Partial<TiledLog>): TiledLog {
  return {
    readCheckpoint: () => log.readCheckpoint(),
    readTile: (level, index, width) => log.readTile(level, index, width),
    readEntries: (index, width) => log.readEntries(index, width),
    ...changes,
  };
}

function flipped(bytes: Uint8Array, place: number): Uint8Array {
  const changed = Uint8Array.from(bytes);
  changed[place] = (changed[place] ?? 0) ^ 1;
  return changed;
}

async function brokenAt(log: TiledLog, options = OPTIONS): Promise<[LogStep | 'none', string]> {
  const verdict = await verifyLog(log, options);
  return verdict.ok ? ['none', ''] : [verdict.step, verdict.place];
}

test('verifyLog accepts a log of three levels, and says what it holds', async () => {
  const progress: number[] = [];
  const verdict = await verifyLog(LOG, {
    ...OPTIONS,
    origin: TEST_ORIGIN,
    onProgress: ({ entries }) => progress.push(entries),
  });
  assert(verdict.ok, JSON.stringify(verdict));
  assert.equal(verdict.size, 70_001);
  assert.deepEqual(verdict.kinds, { definitions: 1, sample: 70_000 });
  assert.deepEqual(verdict.signedBy, [SIGNER.vkey]);
  assert.equal(verdict.lastRecordedAt, testSample(69_999).recorded_at);
  assert.equal(progress.length, 274);
  assert.equal(progress.at(-1), 70_001);
});

test('verifyLog accepts logs at every edge of a tile', async () => {
  for (const size of [1, 2, 255, 256, 257, 511, 512, 513]) {
    const verdict = await verifyLog(await MemoryLog.of(ENTRIES.slice(0, size)), OPTIONS);
    assert(verdict.ok, `${size}: ${JSON.stringify(verdict)}`);
  }
  const empty = await verifyLog(await MemoryLog.of([]), OPTIONS);
  assert.deepEqual([empty.ok, empty.ok && empty.size], [true, 0]);
});

test('verifyLog asks for a bounded number of bundles at once, each resource once', async () => {
  const small = await MemoryLog.of(ENTRIES.slice(0, 3_000));
  let waiting = 0;
  let most = 0;
  const asked = new Map<string, number>();
  const count = (name: string) => asked.set(name, (asked.get(name) ?? 0) + 1);
  const log = altered(small, {
    readEntries: async (index, width) => {
      count(`entries/${index}`);
      waiting += 1;
      most = Math.max(most, waiting);
      await new Promise((resolve) => setImmediate(resolve));
      waiting -= 1;
      return await small.readEntries(index, width);
    },
    readTile: (level, index, width) => {
      count(`${level}/${index}`);
      return small.readTile(level, index, width);
    },
  });
  const verdict = await verifyLog(log, { ...OPTIONS, concurrency: 3 });
  assert(verdict.ok);
  assert.equal(most, 3);
  assert.equal(asked.size, 12 + 12 + 1);
  assert.equal(Math.max(...asked.values()), 1);
});

test('verifyLog finds one bit changed in any kind of resource, and names it', async () => {
  const tile = (wanted: string) => (level: number, index: number, width: number) => {
    const tile = LOG.readTile(level, index, width);
    return `${level}/${index}` === wanted ? tile.then((bytes) => flipped(bytes, 40)) : tile;
  };
  const cases: [TiledLog, LogStep, string][] = [
    [altered(LOG, { readTile: tile('0/0') }), 'tile', 'tile/0/000'],
    [altered(LOG, { readTile: tile('0/273') }), 'tile', 'tile/0/273.p/113'],
    [altered(LOG, { readTile: tile('1/0') }), 'tile', 'tile/1/000'],
    [altered(LOG, { readTile: tile('1/1') }), 'tile', 'tile/1/001.p/17'],
    [
      altered(LOG, {
        readEntries: async (index, width) => {
          const bundle = await LOG.readEntries(index, width);
          return index === 100 ? flipped(bundle, bundle.length - 10) : bundle;
        },
      }),
      'tile',
      'tile/0/100',
    ],
  ];
  for (const [log, step, place] of cases) assert.deepEqual(await brokenAt(log), [step, place]);
  const shrunk = altered(LOG, {
    readCheckpoint: async () => (await LOG.readCheckpoint()).replace('\n70001\n', '\n70000\n'),
  });
  assert.deepEqual(await brokenAt(shrunk), ['root', 'size 70000']);
});

test('verifyLog names what is missing or malformed', async () => {
  const missing = () => Promise.reject(new NephoError('tile_missing', 'Cannot read it'));
  const small = await MemoryLog.of(ENTRIES.slice(0, 300));
  const short = (bytes: Uint8Array) => bytes.subarray(0, bytes.length - 1);
  const cases: [Partial<TiledLog>, LogStep, string][] = [
    [{ readCheckpoint: missing }, 'checkpoint', 'checkpoint'],
    [{ readCheckpoint: () => Promise.resolve('nonsense') }, 'checkpoint', 'checkpoint'],
    [{ readTile: missing }, 'tile', 'tile/0/000'],
    [{ readEntries: missing }, 'bundle', 'tile/entries/000'],
    [
      { readTile: (level, index, width) => small.readTile(level, index, width).then(short) },
      'tile',
      'tile/0/000',
    ],
    [
      { readEntries: (index, width) => small.readEntries(index, width).then(short) },
      'bundle',
      'tile/entries/000',
    ],
  ];
  for (const [changes, step, place] of cases) {
    assert.deepEqual(await brokenAt(altered(small, changes)), [step, place]);
  }
});

test('verifyLog finds entries that should never have been logged', async () => {
  const definitions = ENTRIES[0] ?? '';
  const sample = ENTRIES[1] ?? '';
  const cases: [string[], LogStep, string][] = [
    [[definitions, sample.replace(':', ': ')], 'entry', 'entry 1'],
    [[definitions, 'nonsense'], 'entry', 'entry 1'],
    [
      [definitions, encodeSampleEntry({ ...testSample(0), id: '0'.repeat(32) })],
      'sample_id',
      'entry 1',
    ],
    [[sample], 'definitions', 'entry 0'],
    [[definitions.replace('"name":"m', '"name":"n')], 'definitions', 'entry 0'],
  ];
  for (const [entries, step, place] of cases) {
    assert.deepEqual(await brokenAt(await MemoryLog.of(entries)), [step, place]);
  }
});

test('verifyLog counts kinds that a newer version wrote, and believes their place in the tree', async () => {
  const log = await MemoryLog.of([...ENTRIES.slice(0, 3), '{"kind":"rating","v":1}']);
  const verdict = await verifyLog(log, OPTIONS);
  assert(verdict.ok);
  assert.deepEqual(verdict.kinds, { definitions: 1, sample: 2, unknown: 1 });
});

test('verifyLog asks for a trusted signature over a log of that name', async () => {
  const entries = ENTRIES.slice(0, 3);
  assert.deepEqual(
    await brokenAt(await MemoryLog.of(entries, [testSigner(1)])),
    ['signature', 'checkpoint'],
  );
  const other = await MemoryLog.of(entries, [SIGNER], 'nepho.example/log/1');
  assert.deepEqual(await brokenAt(other), ['none', '']);
  assert.deepEqual(
    await brokenAt(other, { ...OPTIONS, origin: TEST_ORIGIN }),
    ['origin', 'checkpoint'],
  );
  const foreign = await MemoryLog.of(entries, [SIGNER], 'other.example/log/0');
  assert.deepEqual(await brokenAt(foreign), ['origin', 'checkpoint']);
  await assert.rejects(verifyLog(other, { vkeys: ['nonsense'] }), code('vkey_invalid'));
});

test('verifyLog holds a log to an earlier checkpoint of it, at any size', async () => {
  const small = await MemoryLog.of(ENTRIES.slice(0, 600));
  for (const size of [0, 1, 255, 256, 257, 300, 600, 65_537]) {
    const earlier = await MemoryLog.of(ENTRIES.slice(0, size));
    const trustedCheckpoint = await earlier.readCheckpoint();
    const verdict = await verifyLog(size > 600 ? LOG : small, { ...OPTIONS, trustedCheckpoint });
    assert(verdict.ok, `${size}: ${JSON.stringify(verdict)}`);
  }
});

test('verifyLog finds a log that forked from, shrank below or replaced an earlier checkpoint', async () => {
  const later = await MemoryLog.of(ENTRIES.slice(0, 600));
  const forked = await MemoryLog.of([...ENTRIES.slice(0, 299), ENTRIES[500] ?? '']);
  const trusted = async (log: TiledLog) => ({
    ...OPTIONS,
    trustedCheckpoint: await log.readCheckpoint(),
  });
  assert.deepEqual(
    await brokenAt(later, await trusted(forked)),
    ['trusted_checkpoint', 'size 300'],
  );
  const shrunk = await MemoryLog.of(ENTRIES.slice(0, 599));
  assert.equal((await brokenAt(shrunk, await trusted(later)))[0], 'trusted_checkpoint');
  const renamed = await MemoryLog.of(ENTRIES.slice(0, 600), [SIGNER], 'nepho.example/log/1');
  assert.equal((await brokenAt(renamed, await trusted(later)))[0], 'trusted_checkpoint');
  const unsigned = await MemoryLog.of(ENTRIES.slice(0, 300), [testSigner(1)]);
  assert.equal((await brokenAt(later, await trusted(unsigned)))[0], 'trusted_checkpoint');
});

test('verifyLog follows the rotations that a log records, and no retired key', async () => {
  const [a, b] = [testSigner(0), testSigner(1)];
  const before = '2025-12-01T00:00:00.000000Z';
  const keys = await missingKeyEntries([], [a], { now: before });
  keys.push(...await missingKeyEntries(keys, [b, a], { now: before, overlapMs: 1_000 }));
  const entries = [...keys.map(encodeEntry), ...ENTRIES.slice(0, 20)];
  const rotated = await verifyLog(await MemoryLog.of(entries, [b]), OPTIONS);
  assert(rotated.ok, JSON.stringify(rotated));
  assert.deepEqual(rotated.signedBy, [b.vkey]);
  assert.deepEqual(rotated.keyring.keys.map(({ key }) => key.vkey), [a.vkey, b.vkey]);
  assert.deepEqual(
    await brokenAt(await MemoryLog.of(entries, [a])),
    ['signature', 'checkpoint'],
    'the old key alone signs no more',
  );
});

test('verifyLog leaves the faults of the way to the log to its caller', async () => {
  const unreachable = altered(LOG, {
    readTile: () =>
      Promise.reject(new NephoError('log_unreachable', 'Cannot reach it', { retryable: true })),
  });
  await assert.rejects(verifyLog(unreachable, OPTIONS), code('log_unreachable'));
});
