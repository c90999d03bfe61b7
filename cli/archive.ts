import type { Command } from 'commander';
import { restoreArchive } from '../activities/restore_archive.ts';
import { type Archive, listArchives } from '../db/archives.ts';
import { encodeHex } from '../ledger/bytes.ts';
import { openStore } from './audit_parts.ts';
import { type JsonOption, printResult, withJson } from './output.ts';
import { formatTable } from './table.ts';

export function register(program: Command): void {
  const archive = program.command('archive')
    .description('see the months of samples that were moved into files, and bring them back');
  withJson(archive.command('list').description('list the archives')).action(list);
  withJson(
    archive.command('restore').argument('<name>', 'its name, as samples_2026_10')
      .description('bring the samples of an archive back into the database, row by row'),
  ).action(restore);
}

async function list(options: JsonOption): Promise<void> {
  const { db } = await openStore('nepho archive list');
  try {
    const archives = await listArchives(db.pool);
    printResult({ archives: archives.map(wireArchive) }, options, () =>
      formatTable([
        { title: 'name', value: (one) => one.name },
        { title: 'samples', value: (one) => one.samples, align: 'right' },
        { title: 'bytes', value: (one) => one.bytes, align: 'right' },
        { title: 'archived', value: (one) => one.archivedAt },
        { title: 'dropped', value: (one) => one.droppedAt },
        { title: 'digest', value: (one) => encodeHex(one.digest) },
      ], archives));
  } finally {
    await db.close();
  }
}

async function restore(name: string, options: JsonOption): Promise<void> {
  const { db, archives } = await openStore('nepho archive restore');
  try {
    const samples = await restoreArchive({ pool: db.pool, archives }, name);
    printResult({ name, samples }, options, () => `${samples} samples of ${name} are back\n`);
  } finally {
    await db.close();
  }
}

function wireArchive(archive: Archive) {
  return {
    name: archive.name,
    samples: archive.samples,
    bytes: archive.bytes,
    digest: encodeHex(archive.digest),
    position: archive.position,
    archived_at: archive.archivedAt,
    dropped_at: archive.droppedAt,
  };
}
