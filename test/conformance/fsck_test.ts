import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { directoryLog } from '../../ledger/directory_log.ts';
import { exportLog } from '../../ledger/export_log.ts';
import { makeReceipt, proveConsistency } from '../../ledger/prove.ts';
import { formatReceipt } from '../../ledger/receipt.ts';
import { buildGoProgram, findFsck, type Finished, runProgram } from '../support/go_tools.ts';
import { MemoryLog, TEST_ORIGIN, testEntries } from '../support/memory_log.ts';
import { serveDirectory, type StaticServer } from '../support/static_server.ts';
import { testSigner } from '../support/test_signer.ts';

// Enough for a tile of level 2: 273 full tiles, and a partial one at each level.
const ENTRIES = testEntries(69_999);
const TOKEN = 'operator-token';
const CHECKER = join(import.meta.dirname, 'tlog_check');

const work = await mkdtemp(join(tmpdir(), 'nepho-fsck-'));
const fsck = await findFsck();
const tlogCheck = await buildGoProgram(CHECKER, join(work, 'tlog_check'));

function skip(what: string): { skip: string } {
  console.log(`SKIPPED ALOUD: ${what}`);
  return { skip: what };
}

describe('programs that others wrote accept the log that nepho exports', () => {
  const directory = join(work, 'log');
  /** One that guards the entries, as nepho does, and one that publishes all. */
  let guarded: StaticServer;
  let open: StaticServer;

  before(async () => {
    await writeFile(join(work, 'log.vkey'), testSigner().vkey);
    await exportLog(await MemoryLog.of(ENTRIES), directory);
    guarded = await serveDirectory(directory, { token: TOKEN });
    open = await serveDirectory(directory);
  });

  after(async () => {
    guarded.close();
    open.close();
    await rm(work, { recursive: true });
  });

  /** Changes one bit in the middle of a file while `during` runs. */
  async function withFlippedBit<Result>(
    path: string,
    during: () => Promise<Result>,
  ): Promise<Result> {
    const file = join(directory, path);
    const bytes = await readFile(file);
    const changed = Buffer.from(bytes);
    const middle = Math.floor(changed.length / 2);
    changed[middle] = (changed[middle] ?? 0) ^ 4;
    await writeFile(file, changed);
    try {
      return await during();
    } finally {
      await writeFile(file, bytes);
    }
  }

  describe(
    "Tessera's fsck",
    'path' in fsck ? {} : skip(`Tessera's fsck: ${fsck.missing}`),
    () => {
      /** fsck ends with status 0 whatever it found, so its words are what counts. */
      const run = async (token = TOKEN, origin = TEST_ORIGIN): Promise<Finished> => {
        assert('path' in fsck);
        return await runProgram(fsck.path, [
          `--storage_url=${guarded.url}/`,
          `--public_key=${join(work, 'log.vkey')}`,
          `--origin=${origin}`,
          `--bearer_token=${token}`,
          '--ui=false',
          '--N=4',
          '--v=1',
        ]);
      };
      const passed = ({ stderr }: Finished) =>
        stderr.includes('Completed ranges') && !/fsck failed|\bE\d{4} /.test(stderr);

      it('passes a log of three levels', async () => {
        const finished = await run();
        assert(passed(finished), finished.stderr);
      });

      const files = [
        'tile/entries/000',
        'tile/entries/273.p/112',
        'tile/0/100',
        'tile/0/273.p/112',
        'tile/1/000',
        'tile/1/001.p/17',
        'tile/2/000.p/1',
        'checkpoint',
      ];
      for (const file of files) {
        it(`finds one bit changed in ${file}`, async () => {
          const finished = await withFlippedBit(file, () => run());
          assert(!passed(finished), finished.stderr);
        });
      }

      it('finds another log, and entries withheld', async () => {
        assert(!passed(await run(TOKEN, 'nepho.example/log/1')));
        assert(!passed(await run('wrong')));
      });
    },
  );

  const reason = 'missing' in tlogCheck ? skip(`tlog_check: ${tlogCheck.missing}`) : {};
  describe("Go's sumdb/tlog and sumdb/note", reason, () => {
    let task: Record<string, unknown> & { receipts: string[] };

    before(async () => {
      task = { url: open.url, vkey: testSigner().vkey, ...await proofs() };
    });

    /** Entries and sizes at the edges of tiles and subtrees, with our proofs of some of them. */
    async function proofs() {
      const log = directoryLog(directory);
      const checkpoint = await log.readCheckpoint();
      const readTile = log.readTile.bind(log);
      const size = ENTRIES.length;
      const indexes = [0, 1, 255, 256, 257, 40_000, 65_535, 65_536, 69_887, 69_888, size - 1];
      const receipts = [];
      for (const index of indexes) {
        const entry = ENTRIES[index] ?? '';
        const metadata = index === 256 ? '{}' : null;
        receipts.push(
          formatReceipt(await makeReceipt({ entry, metadata, index, checkpoint }, readTile)),
        );
      }
      const oldSizes = [1, 2, 255, 256, 257, 40_000, 65_535, 65_536, 65_537, 69_888, size];
      const consistency = [];
      for (const oldSize of oldSizes) {
        const proof = await proveConsistency(oldSize, size, readTile);
        consistency.push({
          old_size: oldSize,
          proof: proof.map((hash) => Buffer.from(hash).toString('base64')),
        });
      }
      return { indexes, receipts, old_sizes: oldSizes, consistency };
    }

    async function check(changed: Record<string, unknown> = {}): Promise<Finished> {
      assert('path' in tlogCheck);
      const file = join(work, 'task.json');
      await writeFile(file, JSON.stringify({ ...task, ...changed }));
      return await runProgram(tlogCheck.path, ['-task', file]);
    }

    it('verify the checkpoint, tiles, entries, receipts and consistency proofs', async () => {
      const { stdout, stderr } = await check();
      assert.equal(stderr, '');
      assert.equal(
        stdout.trim(),
        'checked size 70000: 11 entries, 11 prefixes, 11 consistency proofs, 11 receipts',
      );
    });

    it('refuse a receipt whose entry was changed, another key, and a tile with one bit changed', async () => {
      const [receipt = ''] = task.receipts;
      const entry = Buffer.from((ENTRIES[0] ?? '').replace('meters', 'meterz')).toString('base64');
      const forged = receipt.replace(/extra .*/, `extra ${entry}`);
      const indexes = Array.from({ length: 256 }, (_, index) => index);
      const outcomes: [Finished, RegExp][] = [
        [await check({ receipts: [forged] }), /receipt: invalid transparency proof/],
        [await check({ vkey: testSigner(1).vkey }), /note has no verifiable signatures/],
        [await withFlippedBit('tile/1/000', () => check()), /inconsistent tile|invalid/],
        [
          await withFlippedBit('tile/entries/000', () => check({ indexes })),
          /entry \d+: (?:invalid transparency proof|tile\/entries\/000 ends early)/,
        ],
      ];
      for (const [{ status, stdout, stderr }, expected] of outcomes) {
        assert.deepEqual([status, stdout], [1, '']);
        assert.match(stderr, expected);
      }
    });
  });
});
