import { Context } from '@temporalio/activity';
import type { Pool } from 'pg';
import { type Archive, PlaceRuns, putArchive, readArchive } from '../db/archives.ts';
import { appendAsGuest } from '../db/log_guest.ts';
import { listPartitions, type Partition } from '../db/partitions.ts';
import {
  dropPartition,
  type LogSpan,
  openReason,
  readPartition,
  spansOf,
} from '../db/partition_samples.ts';
import type { ArchivedSample } from '../ledger/archive_block.ts';
import type { ArchiveDirectory, WrittenArchive } from '../ledger/archive_directory.ts';
import { bytesEqual, encodeHex } from '../ledger/bytes.ts';
import { encodeEntry } from '../ledger/entry.ts';
import type { Signer } from '../ledger/signer.ts';
import { isNephoError, NephoError } from '../meters/errors.ts';
import { formatMillis } from '../meters/timestamp.ts';
import { ingestFailure } from './failures.ts';
import { guestSigners } from './guest_signers.ts';

export interface RetentionPlan {
  /** Partitions that are older than samples are kept, oldest first; a few at a time. */
  due: string[];
}

export interface ArchiveReceipt {
  name: string;
  /** `waiting`: not all of it is sealed; `empty`: nothing to archive; else it is archived, and logged. */
  status: 'archived' | 'empty' | 'waiting';
  /** Why it waits. */
  reason: string | null;
  samples: number;
  bytes: number;
  /** SHA-256 of the file, 64 hexadecimal digits; null without one. */
  digest: string | null;
}

export interface RetentionActivities {
  planRetention(): Promise<RetentionPlan>;
  /** Writes a partition to its archive, reads it back, and enters it into the log. Idempotent. */
  archivePartition(input: { name: string }): Promise<ArchiveReceipt>;
  /** Takes an archived partition out of the database. Idempotent. */
  dropArchived(input: { name: string }): Promise<{ name: string; dropped: boolean }>;
}

export interface RetentionDeps {
  pool: Pool;
  archives: ArchiveDirectory;
  signers: readonly Signer[];
  /** Null if samples stay for ever. */
  retentionDays: number | null;
  nowMs: () => number;
}

/** Partitions of one run: the next one goes on. */
const MAX_DUE = 12;
const DAY_MS = 86_400_000;
const HEARTBEAT_MS = 10_000;
/** What another attempt would meet again. */
const FINAL = new Set(['archive_invalid', 'archive_stale', 'archive_damaged']);

export function createRetentionActivities(deps: RetentionDeps): RetentionActivities {
  return {
    planRetention: () => told(() => planRetention(deps)),
    archivePartition: ({ name }) => told(() => beating(() => archivePartition(deps, name))),
    dropArchived: ({ name }) => told(() => beating(() => dropArchived(deps, name))),
  };
}

export async function planRetention(deps: RetentionDeps): Promise<RetentionPlan> {
  if (deps.retentionDays === null) return { due: [] };
  const oldest = formatMillis(deps.nowMs() - deps.retentionDays * DAY_MS);
  const partitions = await listPartitions(deps.pool);
  return {
    due: partitions.filter(({ to }) => to <= oldest).slice(0, MAX_DUE).map(({ name }) => name),
  };
}

/**
 * Apart from Temporal. Nothing is taken out of the database by it, so it may stop anywhere and begin again.
 *
 * @throws {NephoError} `archive_invalid`, `archive_damaged`, the codes of the database and of the log
 */
export async function archivePartition(
  deps: RetentionDeps,
  name: string,
): Promise<ArchiveReceipt> {
  const before = await readArchive(deps.pool, name);
  const partition = await findPartition(deps.pool, name);
  if (partition === null) {
    if (before !== null && before.droppedAt !== null) return receiptOf(before);
    throw notThere(name);
  }
  const spans = await spansOf(deps.pool, partition);
  const samples = spans.reduce((sum, span) => sum + span.samples, 0);
  const [first] = spans;
  if (first === undefined) return emptyReceipt(name, 'empty', null);
  const reason = await openReason(deps.pool, partition, spans);
  if (reason !== null) return emptyReceipt(name, 'waiting', reason);
  if (before?.samples === samples && await isIntact(deps, before)) return receiptOf(before);
  await deps.archives.removeUnfinished(name);
  const places = new PlaceRuns();
  const written = await deps.archives.write(
    name,
    noting(readPartition(deps.pool, partition, spans), places),
  );
  await checkWritten(deps, partition, { spans, written, samples });
  return receiptOf(await enterArchive(deps, { name, ...written, places: places.runs }, first));
}

/** Apart from Temporal. @throws {NephoError} `archive_stale`, `archive_damaged`, `archive_missing` */
export async function dropArchived(
  deps: RetentionDeps,
  name: string,
): Promise<{ name: string; dropped: boolean }> {
  if (await findPartition(deps.pool, name) === null) return { name, dropped: false };
  const archive = await readArchive(deps.pool, name);
  // The last look before the samples are in the file alone.
  if (archive !== null && !await isIntact(deps, archive)) {
    throw new NephoError(
      'archive_damaged',
      `Cannot drop ${name}: its archive is not the one that the log names; restore the file, or remove it to have it made anew`,
    );
  }
  await dropPartition(deps.pool, archive ?? { name, samples: 0 }, formatMillis(deps.nowMs()));
  return { name, dropped: true };
}

async function findPartition(pool: Pool, name: string): Promise<Partition | null> {
  return (await listPartitions(pool)).find((partition) => partition.name === name) ?? null;
}

/** Passes samples on while their places are noted. */
async function* noting(
  pages: AsyncIterable<ArchivedSample[]>,
  places: PlaceRuns,
): AsyncGenerator<ArchivedSample[]> {
  for await (const page of pages) {
    for (const { position } of page) places.add(position);
    yield page;
  }
}

/** The file must give back every row, byte for byte, before anything relies on it. */
async function checkWritten(
  deps: RetentionDeps,
  partition: Partition,
  { spans, written, samples }: {
    spans: readonly LogSpan[];
    written: WrittenArchive;
    samples: number;
  },
): Promise<void> {
  const { name } = partition;
  if (written.samples !== samples) {
    throw differs(name, `has ${samples} samples and ${written.samples} of them were read`);
  }
  const blocks = deps.archives.readBlocks(name);
  for await (const page of readPartition(deps.pool, partition, spans)) {
    const block = await blocks.next();
    if (block.done === true || JSON.stringify(block.value) !== JSON.stringify(page)) {
      throw differs(name, `has other samples at place ${page[0]?.position} than were written`);
    }
  }
}

async function isIntact(deps: RetentionDeps, archive: Archive): Promise<boolean> {
  try {
    const { digest, bytes } = await deps.archives.measure(archive.name);
    return bytes === archive.bytes && bytesEqual(digest, archive.digest);
  } catch (error) {
    if (isNephoError(error) && error.code === 'archive_missing') return false;
    throw error;
  }
}

/** The entry goes into the first of the logs whose samples are in the archive. */
async function enterArchive(
  deps: RetentionDeps,
  { name, digest, bytes, samples, places }: WrittenArchive & Pick<Archive, 'name' | 'places'>,
  { logId }: LogSpan,
): Promise<Archive> {
  const now = () => formatMillis(deps.nowMs());
  const signers = await guestSigners(deps.pool, logId, { signers: deps.signers, now: now() });
  return await appendAsGuest(deps.pool, logId, { signers, now }, async (tx, { position }) => {
    const archivedAt = now();
    const archive = { name, position, samples, bytes, digest, places, archivedAt, droppedAt: null };
    await putArchive(tx, archive);
    const entry = encodeEntry({
      kind: 'archive',
      v: 1,
      name,
      samples,
      bytes,
      digest: encodeHex(digest),
      recorded_at: archivedAt,
    });
    return { records: [{ kind: 'archive', entry }], result: archive };
  });
}

function receiptOf({ name, samples, bytes, digest }: Archive): ArchiveReceipt {
  return { name, status: 'archived', reason: null, samples, bytes, digest: encodeHex(digest) };
}

function emptyReceipt(
  name: string,
  status: 'empty' | 'waiting',
  reason: string | null,
): ArchiveReceipt {
  return { name, status, reason, samples: 0, bytes: 0, digest: null };
}

/** Tells Temporal that this worker is there: one query may look through a month of samples. */
async function beating<Result>(work: () => Promise<Result>): Promise<Result> {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(), HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

async function told<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw ingestFailure(error, FINAL);
  }
}

function notThere(name: string): NephoError {
  return new NephoError('not_found', `Cannot archive '${name}': there is no such partition`);
}

function differs(name: string, how: string): NephoError {
  return new NephoError('archive_invalid', `Cannot archive ${name}: it ${how}; try again`);
}
