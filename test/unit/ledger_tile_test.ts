import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  decodeBundle,
  encodeBundle,
  formatTilePath,
  parseTilePath,
  type TileName,
  tilesOf,
  tileWidth,
} from '../../ledger/tile.ts';

const code = (expected: string) => (error: unknown) =>
  (error as { code?: string }).code === expected;

test('tile paths are those of the specification', () => {
  assert.equal(formatTilePath({ level: 0, index: 1234067, width: 256 }), 'tile/0/x001/x234/067');
  assert.equal(formatTilePath({ level: 1, index: 0, width: 17 }), 'tile/1/000.p/17');
  assert.equal(
    formatTilePath({ level: 'entries', index: 273, width: 112 }),
    'tile/entries/273.p/112',
  );
  assert.equal(formatTilePath({ level: 2, index: 1000, width: 256 }), 'tile/2/x001/000');
});

test('parseTilePath reads what formatTilePath writes', () => {
  const names: fc.Arbitrary<TileName> = fc.record({
    level: fc.oneof(fc.constant('entries' as const), fc.integer({ min: 0, max: 63 })),
    index: fc.nat(2 ** 32),
    width: fc.integer({ min: 1, max: 256 }),
  });
  fc.assert(fc.property(names, (name) => {
    assert.deepEqual(parseTilePath(formatTilePath(name)), { ...name });
  }));
});

test('parseTilePath refuses every other text', () => {
  const refused = [
    '',
    'tile/0/0',
    'tile/0/1234',
    'tile/00/000',
    'tile/64/000',
    'tile/-1/000',
    'tile/0/000.p/0',
    'tile/0/000.p/256',
    'tile/0/000.p/01',
    'tile/0/000/',
    '/tile/0/000',
    'tile/0/x000/000',
    'tile/0/001/x000',
    'tile/0/x1/000',
    'tile/0/../000',
    'tile/entries/000.p/1000',
    'tile/0/000\n',
  ];
  for (const path of refused) assert.equal(parseTilePath(path), null, path);
});

test('a tree of 70,000 leaves has the tiles that the specification counts', () => {
  const byLevel = new Map<string, number[]>();
  for (const { level, width } of tilesOf(70_000)) {
    byLevel.set(String(level), [...byLevel.get(String(level)) ?? [], width]);
  }
  const widths = (level: string) => byLevel.get(level) ?? [];
  for (const level of ['entries', '0']) {
    assert.equal(widths(level).filter((width) => width === 256).length, 273);
    assert.equal(widths(level).at(-1), 112);
    assert.equal(widths(level).length, 274);
  }
  assert.deepEqual(widths('1'), [256, 17]);
  assert.deepEqual(widths('2'), [1]);
  assert.equal(byLevel.size, 4);
  // "A tree of size 256 will be represented by a full level 0 tile and a partial level 1 tile."
  assert.equal(tileWidth({ level: 0, index: 0 }, 256), 256);
  assert.equal(tileWidth({ level: 0, index: 1 }, 256), 0);
  assert.equal(tileWidth({ level: 1, index: 0 }, 256), 1);
  assert.deepEqual([...tilesOf(0)], []);
});

test('bundles give back their entries, of 0 to 65,535 bytes', () => {
  const entries = fc.array(fc.uint8Array({ maxLength: 600 }), { maxLength: 20 });
  fc.assert(fc.property(entries, (some) => {
    const back = decodeBundle(encodeBundle(some), some.length);
    assert.deepEqual(back.map((one) => [...one]), some.map((one) => [...one]));
  }));
  const longest = new Uint8Array(65_535).fill(7);
  assert.deepEqual(decodeBundle(encodeBundle(['', longest]), 2)[1], longest);
  assert.throws(() => encodeBundle([new Uint8Array(65_536)]), code('entry_too_large'));
});

test('decodeBundle refuses a bundle that is cut, or holds another number of entries', () => {
  const bundle = encodeBundle(['one', 'two', 'three']);
  for (let length = 0; length < bundle.length; length += 1) {
    assert.throws(() => decodeBundle(bundle.subarray(0, length), 3), code('bundle_invalid'));
  }
  assert.throws(() => decodeBundle(bundle, 2), code('bundle_invalid'));
  assert.throws(() => decodeBundle(bundle, 4), code('bundle_invalid'));
});
