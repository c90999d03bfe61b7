import type { Pool } from 'pg';
import { exportedRuns } from '../db/audit_histories.ts';
import { type SealedHour, sealedHours } from '../db/audit_rows.ts';
import { statementNames } from '../db/audit_statements.ts';
import { listArchives } from '../db/archives.ts';
import { partitionNamed } from '../db/partitions.ts';
import type { StatementName } from '../db/statements.ts';
import { sha256Hex } from '../ledger/sha256.ts';

/** How much an audit chooses. */
export interface AuditSizes {
  hours: number;
  statements: number;
  histories: number;
}

/** What a choice is made from: the same gives the same choice, however much was added since. */
export interface AuditSeed {
  seed: string;
  /** What was written up to this time may be chosen. */
  until: string;
  sizes: AuditSizes;
}

/** Sealed hours whose samples are in the database; in no order that could be foreseen without the seed. */
export async function chooseHours(pool: Pool, choice: AuditSeed): Promise<SealedHour[]> {
  const hours = await hoursInDatabase(pool, choice.until);
  return choose(hours, choice.seed, choice.sizes.hours);
}

export async function chooseStatements(pool: Pool, choice: AuditSeed): Promise<StatementName[]> {
  return choose(await statementNames(pool, choice.until), choice.seed, choice.sizes.statements);
}

/** Runs of workflows. */
export async function chooseHistories(pool: Pool, choice: AuditSeed): Promise<string[]> {
  return choose(await exportedRuns(pool, choice.until), choice.seed, choice.sizes.histories);
}

/** Hours of archived months need a restore to be computed again. */
async function hoursInDatabase(pool: Pool, until: string): Promise<SealedHour[]> {
  const archived = (await listArchives(pool))
    .filter(({ droppedAt }) => droppedAt !== null)
    .map(({ name }) => partitionNamed(name));
  return (await sealedHours(pool, until))
    .filter(({ start }) => !archived.some(({ from, to }) => start >= from && start < to));
}

/** Ranked by a hash over the seed and the item: adding items moves no others among themselves. */
function choose<Item>(items: readonly Item[], seed: string, count: number): Item[] {
  return items
    .map((item) => ({ item, rank: sha256Hex(JSON.stringify([seed, item])) }))
    .sort((a, b) => a.rank < b.rank ? -1 : 1)
    .slice(0, count)
    .map(({ item }) => item);
}
