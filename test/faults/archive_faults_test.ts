import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { archivePartition, dropArchived } from '../../activities/archive_partition.ts';
import { restoreArchive } from '../../activities/restore_archive.ts';
import { readArchive } from '../../db/archives.ts';
import { brokenInvariants } from '../../db/invariants.ts';
import { readEntries } from '../../db/log_entries.ts';
import { batchesOf } from '../conformance/db_model.ts';
import type { ArchiveChildPlan } from '../support/archive_child.ts';
import { ArchiveWorld, OLD_MONTH } from '../support/archive_world.ts';
import { postgresSkipReason } from '../support/postgres.ts';

const CHILD = fileURLToPath(new URL('../support/archive_child.ts', import.meta.url));
/** Statements before which the process dies: from the first look to the last commit. */
const KILLS = [2, 5, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26];

describe('a month that is archived', { skip: postgresSkipReason() }, () => {
  let world: ArchiveWorld;
  let size: number;
  let entries: string[];

  before(async () => {
    world = await ArchiveWorld.start();
    for (const { recordedAt, notifications } of batchesOf(20)) {
      await world.log.append(recordedAt, notifications);
    }
    size = await world.size();
    entries = await readEntries(world.pool, 0, { from: 0, to: size });
    await world.seal('2026-12-01T00:00:00.000000Z', size);
  });

  after(async () => {
    await world?.stop();
  });

  test('is in the database or in a whole archive, whenever kill -9 ends it', async () => {
    let killed = 0;
    for (const killAt of KILLS) {
      const signal = await archiveInChild(killAt);
      if (signal === 'SIGKILL') killed += 1;
      await check(`killed before statement ${killAt}`);
      // Another one finishes it.
      await archivePartition(world.deps(), OLD_MONTH);
      await dropArchived(world.deps(), OLD_MONTH);
      await check(`finished after ${killAt}`);
      await restoreArchive(world, OLD_MONTH);
      await world.pool.query('DELETE FROM archives');
    }
    assert.ok(killed >= KILLS.length / 2, `${killed} were killed`);
  });

  async function check(when: string): Promise<void> {
    const archive = await readArchive(world.pool, OLD_MONTH);
    const there = await world.rows(`SELECT to_regclass('${OLD_MONTH}') IS NOT NULL AS is_there`);
    assert.equal(there[0]?.['is_there'], archive === null || archive.droppedAt === null, when);
    const found = await readEntries(world.pool, 0, { from: 0, to: size }, world.archives);
    assert.deepEqual(found, entries, when);
    assert.deepEqual(await brokenInvariants(world.pool), [], when);
  }

  /** @returns the signal that ended it, null if it came to its end */
  function archiveInChild(killAt: number): Promise<NodeJS.Signals | null> {
    const plan: ArchiveChildPlan = {
      databaseUrl: world.postgres.url,
      folder: world.folder,
      killAt,
    };
    const runtime = 'Deno' in globalThis
      ? ['run', '-A', '--no-check', '--quiet', '--node-modules-dir=manual']
      : ['--import', 'tsx'];
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [...runtime, CHILD, JSON.stringify(plan)], {
        stdio: ['ignore', 'ignore', 'inherit'],
        timeout: 60_000,
      });
      child.once('error', reject);
      child.once('close', (_, signal) => resolve(signal));
    });
  }
});
