/** Compares a database with the model, and each of its logs with what was known of it before. */
import { bytesEqual } from '../../ledger/bytes.ts';
import { parseCheckpoint } from '../../ledger/checkpoint.ts';
import { checkConsistency } from '../../ledger/merkle.ts';
import { proveConsistency } from '../../ledger/prove.ts';
import { verifyLog } from '../../ledger/verify_log.ts';
import { verifyReceipt } from '../../ledger/verify_receipt.ts';
import { latestCheckpoint } from '../../db/checkpoints.ts';
import type { Queryable } from '../../db/client.ts';
import { brokenInvariants } from '../../db/invariants.ts';
import { databaseLog } from '../../db/log_tiles.ts';
import { listLogs } from '../../db/logs.ts';
import { ORIGIN_OUTCOMES } from '../../db/prepared_batch.ts';
import type { MeterType } from '../../meters/sample.ts';
import { type Model, type ModelContent, sampleLine } from './fault_model.ts';

/** What somebody outside was given, and may come back with at any time. */
export interface Evidence {
  /** Signed notes, by log. */
  checkpoints: Map<number, string[]>;
  receipts: string[];
}

/** Everything that is wrong, in sentences; empty if every promise is kept. */
export async function findFaults(
  db: Queryable,
  model: Model,
  { evidence, vkey }: { evidence: Evidence; vkey: string },
): Promise<string[]> {
  return [
    ...(await brokenInvariants(db)).map(({ name, rows }) =>
      `it does not hold that ${name}: ${text(rows)}`
    ),
    ...await wrongCounts(db, model),
    ...await brokenLogs(db, evidence, vkey),
    ...await brokenReceipts(evidence, vkey),
  ];
}

async function wrongCounts(db: Queryable, model: Model): Promise<string[]> {
  const quarantine = await readQuarantine(db);
  const origins = await readOrigins(db);
  const faults: string[] = [];
  const expected: ModelContent[] = [];
  const rejects = new Map(model.rejects);
  for (const [key, contents] of model.origins) {
    const stored = contents.get(origins.get(key)?.content ?? '');
    if (stored === undefined) {
      faults.push(`origin ${key} is not stored`);
      continue;
    }
    expected.push(stored);
    if (origins.get(key)?.outcome !== ORIGIN_OUTCOMES[stored.outcome]) {
      faults.push(`origin ${key} came to ${origins.get(key)?.outcome}, not ${stored.outcome}`);
    }
    for (const other of contents.values()) {
      if (other === stored) continue;
      for (const digest of other.digests) rejects.set(digest, 'content_conflict');
    }
  }
  for (const key of origins.keys()) {
    if (!model.origins.has(key)) faults.push(`origin ${key} was never sent`);
  }
  return [
    ...faults,
    ...difference('samples', expected.flatMap(({ samples }) => samples), await readSamples(db)),
    ...difference('quarantine', [...rejects].map((pair) => pair.join(' ')), quarantine),
    ...difference('event counts', countEvents(expected), await readEventCounts(db)),
  ];
}

function text(rows: readonly Record<string, unknown>[]): string {
  return JSON.stringify(
    rows,
    (_, value: unknown) => typeof value === 'bigint' ? String(value) : value,
  );
}

/** As two multisets. */
function difference(what: string, expected: readonly string[], found: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const one of expected) counts.set(one, (counts.get(one) ?? 0) + 1);
  for (const one of found) counts.set(one, (counts.get(one) ?? 0) - 1);
  const wrong = [...counts].filter(([, count]) => count !== 0);
  if (wrong.length === 0) return [];
  const shown = wrong.slice(0, 5).map(([one, count]) =>
    count > 0 ? `lacks ${count} × ${one}` : `has ${-count} too many of ${one}`
  );
  return [`${what} differ in ${wrong.length}: ${shown.join('; ')}`];
}

async function readOrigins(
  db: Queryable,
): Promise<Map<string, { content: string; outcome: number }>> {
  const { rows } = await db.query<{ key: string; content: string; outcome: number }>(
    `SELECT replace(key::text, '-', '') AS key, content::text AS content, outcome FROM origins`,
  );
  return new Map(rows.map((row) => [row.key, row]));
}

async function readSamples(db: Queryable): Promise<string[]> {
  const { rows } = await db.query<
    {
      id: string;
      meter: string;
      type: MeterType;
      unit: string;
      volume: string;
      resource_id: string;
      project_id: string | null;
      user_id: string | null;
      timestamp: string;
    }
  >(
    `SELECT replace(s.id::text, '-', '') AS id, meter, type, unit, volume, resource_id, project_id,
       user_id, ts AS timestamp
     FROM samples s JOIN series USING (series_id)`,
  );
  return rows.map(sampleLine);
}

async function readQuarantine(db: Queryable): Promise<string[]> {
  // The digest is computed anew: it says that the bytes are those that were sent.
  const { rows } = await db.query<{ line: string }>(
    `SELECT encode(sha256(bytes), 'hex') || ' ' || reason AS line FROM quarantine`,
  );
  return rows.map(({ line }) => line);
}

async function readEventCounts(db: Queryable): Promise<string[]> {
  const { rows } = await db.query<{ line: string }>(
    `SELECT concat_ws(' ', name, sum(matched), sum(unmatched), sum(without_volume), sum(samples)) AS line
     FROM event_counts JOIN event_types USING (event_type_id) GROUP BY name`,
  );
  return rows.map(({ line }) => line);
}

function countEvents(contents: readonly ModelContent[]): string[] {
  const counts = new Map<string, [number, number, number, number]>();
  for (const { eventType, outcome, withoutVolume, samples } of contents) {
    const [matched, unmatched, without, all] = counts.get(eventType) ?? [0, 0, 0, 0];
    const isMatched = outcome !== 'unmatched';
    counts.set(eventType, [
      matched + (isMatched ? 1 : 0),
      unmatched + (isMatched ? 0 : 1),
      without + withoutVolume,
      all + samples.length,
    ]);
  }
  return [...counts].map(([eventType, count]) => `${eventType} ${count.join(' ')}`);
}

async function brokenLogs(db: Queryable, evidence: Evidence, vkey: string): Promise<string[]> {
  const faults: string[] = [];
  for (const { logId } of await listLogs(db)) {
    const log = databaseLog(db, logId);
    try {
      const verdict = await verifyLog(log, { vkeys: [vkey] });
      if (!verdict.ok) {
        faults.push(`log ${logId} breaks at ${verdict.step} ${verdict.place}: ${verdict.message}`);
      }
      const newest = parseCheckpoint((await latestCheckpoint(db, logId))?.note ?? '');
      for (const note of evidence.checkpoints.get(logId) ?? []) {
        const older = parseCheckpoint(note);
        checkConsistency(
          older,
          newest,
          older.size > newest.size
            ? []
            : await proveConsistency(older.size, newest.size, (...tile) => log.readTile(...tile)),
        );
        if (older.size === newest.size && !bytesEqual(older.root, newest.root)) {
          faults.push(`log ${logId} has two roots at size ${older.size}`);
        }
      }
    } catch (error) {
      faults.push(`log ${logId} cannot be verified: ${String(error)}`);
    }
  }
  return faults;
}

async function brokenReceipts({ receipts }: Evidence, vkey: string): Promise<string[]> {
  const faults: string[] = [];
  for (const receipt of receipts) {
    const verdict = await verifyReceipt(receipt, { vkeys: [vkey] });
    if (!verdict.ok) faults.push(`a receipt breaks at ${verdict.step}: ${verdict.message}`);
  }
  return faults;
}
