import { LogWriter } from '../db/log_writer.ts';
import { openLog } from '../db/open_log.ts';
import { newestRecords } from '../db/records.ts';
import { encodeEntry, parseEntry } from '../ledger/entry.ts';
import type { DefinitionsEntry } from '../ledger/definitions_entry.ts';
import { definitionDigests } from '../ledger/identity.ts';
import { type KeyEntry, missingKeyEntries, signersInForce } from '../ledger/key_entry.ts';
import type { Signer } from '../ledger/signer.ts';
import { formatMillis } from '../meters/timestamp.ts';
import type { DefinitionsInForce } from './definition_source.ts';
import type { IngestDeps } from './ingest_deps.ts';
import type { StageClock } from './stage_clock.ts';

/** Rotations that a log is read back for. */
const MAX_KEYS = 1_000;

/**
 * Opens the log of a shard for writing, and enters what its readers must know before the first sample:
 * the key that signs from now on, and the definitions in force, each only if it changed.
 */
export async function takeOverLog(
  deps: IngestDeps,
  shard: number,
  { definitions, clock }: { definitions: DefinitionsInForce; clock: StageClock },
): Promise<LogWriter> {
  const head = await openLog(deps.pool, {
    logId: shard,
    origin: `${deps.deployment}/log/${shard}`,
    holder: deps.holder,
    archives: deps.archives,
  });
  const now = formatMillis(deps.nowMs());
  const keys = await readKeys(deps, shard, now);
  const writer = new LogWriter(deps.pool, head, {
    signers: keys.inForce,
    now: () => formatMillis(deps.nowMs()),
    onSigned: (milliseconds) => clock.add('sign', milliseconds),
  });
  deps.log.info('log_opened', { log: shard, epoch: head.epoch.toString(), size: head.tree.size });
  if (keys.missing.length > 0) {
    await writer.appendRecords(keys.missing.map((entry) => ({
      kind: 'key',
      entry: encodeEntry(entry),
    })));
  }
  if (await definitionsInLog(deps, shard) !== definitions.digest) {
    await announceDefinitions(writer, definitions, now);
  }
  return writer;
}

/**
 * Checks that the configured keys may sign for every log, so that a wrong one is told when a worker
 * starts and not first when a shard is taken over. Writes nothing.
 *
 * @throws {NephoError} `signing_key_unendorsed`, `signing_key_retired`
 */
export async function checkSigningKeys(deps: IngestDeps, shards: number): Promise<void> {
  const now = formatMillis(deps.nowMs());
  for (let shard = 0; shard < shards; shard += 1) await readKeys(deps, shard, now);
}

/** The `key` entries that the log lacks, and who signs from now on. */
async function readKeys(
  deps: IngestDeps,
  shard: number,
  now: string,
): Promise<{ missing: KeyEntry[]; inForce: Signer[] }> {
  const records = await newestRecords(deps.pool, shard, { kind: 'key', limit: MAX_KEYS });
  const history = records.toReversed().map((entry) => parseEntry(entry) as KeyEntry);
  const missing = await missingKeyEntries(history, deps.signers, { now, ...deps.keyChange });
  return { missing, inForce: signersInForce([...history, ...missing], deps.signers, now) };
}

async function definitionsInLog(deps: IngestDeps, shard: number): Promise<string | null> {
  const [last] = await newestRecords(deps.pool, shard, { kind: 'definitions', limit: 1 });
  return last === undefined ? null : (parseEntry(last) as DefinitionsEntry).digest;
}

/** Enters the definition set that makes all samples from here on. */
export async function announceDefinitions(
  writer: LogWriter,
  { digest, set }: DefinitionsInForce,
  recordedAt: string,
): Promise<void> {
  await writer.appendRecords([{
    kind: 'definitions',
    entry: encodeEntry({
      kind: 'definitions',
      v: 1,
      digest,
      files: definitionDigests(set.files),
      recorded_at: recordedAt,
    }),
  }]);
}
