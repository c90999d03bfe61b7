/** Archives: their rows, their entries, their files. That their samples are those of the log, its audit says. */
import type { Pool } from 'pg';
import { type Archive, listArchives, PlaceRuns } from '../db/archives.ts';
import { listPartitions } from '../db/partitions.ts';
import type { ArchiveDirectory } from '../ledger/archive_directory.ts';
import { encodeHex } from '../ledger/bytes.ts';
import { provenEntryOf } from './audit_entry.ts';
import type { LogAuditDeps } from './audit_log.ts';
import { type AuditReport, compareFields } from './audit_report.ts';

export interface ArchiveAuditDeps extends LogAuditDeps {
  archives: ArchiveDirectory;
}

export async function auditArchives(deps: ArchiveAuditDeps, report: AuditReport): Promise<void> {
  const archives = await listArchives(deps.pool);
  for (const archive of archives) {
    const subject = `archives: ${archive.name}`;
    await report.step(
      `archive ${archive.name}`,
      subject,
      () => checkArchive(deps, archive, { report, subject }),
    );
  }
  report.count('archives', archives.length);
}

async function checkArchive(
  deps: ArchiveAuditDeps,
  archive: Archive,
  { report, subject }: { report: AuditReport; subject: string },
): Promise<string> {
  const entry = await provenEntryOf(deps, archive.position, 'archive');
  const file = await deps.archives.measure(archive.name);
  const places = await placesOf(deps.archives, archive.name);
  const isThere = await hasPartition(deps.pool, archive.name);
  compareFields(report, { check: 'archive_wrong', subject }, {
    name: [archive.name, entry.name],
    samples: [archive.samples, entry.samples],
    bytes: [archive.bytes, entry.bytes],
    digest: [encodeHex(archive.digest), entry.digest],
    archived_at: [archive.archivedAt, entry.recorded_at],
    'bytes of the file': [file.bytes, entry.bytes],
    'digest of the file': [encodeHex(file.digest), entry.digest],
    places: [JSON.stringify(archive.places), JSON.stringify(places)],
    'samples are in the database': [archive.droppedAt === null, isThere],
  });
  return `its file of ${file.bytes} bytes has the digest that entry ${
    archive.position % 2 ** 40
  } names`;
}

async function placesOf(archives: ArchiveDirectory, name: string): Promise<PlaceRuns['runs']> {
  const places = new PlaceRuns();
  for await (const block of archives.readBlocks(name)) {
    for (const { position } of block) places.add(position);
  }
  return places.runs;
}

async function hasPartition(pool: Pool, name: string): Promise<boolean> {
  return (await listPartitions(pool)).some((partition) => partition.name === name);
}
