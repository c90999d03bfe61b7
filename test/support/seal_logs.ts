/** Seals hours of logs that the real ingest filled, without Temporal. */
import type { Pool } from 'pg';
import { beginWindows } from '../../activities/begin_windows.ts';
import { reviseLate } from '../../activities/revise_late.ts';
import { sealHours } from '../../activities/seal_hours.ts';
import type { WindowDeps } from '../../activities/window_deps.ts';
import { readLog } from '../../db/logs.ts';
import { createSigner } from '../../ledger/signer.ts';
import { formatMillis } from '../../meters/timestamp.ts';
import type { UsageRules } from '../../meters/usage_rules.ts';
import { TEST_DEPLOYMENT } from './ingest_setup.ts';

export interface SealLogsOptions {
  shards: number;
  /** PKCS#8 PEM of the key that the ingest signs by. */
  signingKey: string;
  rules: UsageRules;
  /** First instant of the first hour that stays open. */
  until: string;
}

/** What activities of windows are wired with in such a test. */
export function sealingDeps(pool: Pool, options: Omit<SealLogsOptions, 'until'>): WindowDeps {
  return {
    pool,
    signers: [createSigner(TEST_DEPLOYMENT, options.signingKey)],
    rules: () => Promise.resolve(options.rules),
    code: 'nepho/0.0.0+000000000000',
    shards: options.shards,
    backlog: () => Promise.resolve({ messages: 0, oldestMs: null }),
    watermark: { graceMs: 0, maxWaitMs: 0, everySeconds: 60 },
    nowMs: Date.now,
    log: { info: () => {}, warn: () => {}, error: () => {} },
  };
}

/** Seals the hours of each log that has samples from its first one on. @returns the logs that it sealed */
export async function sealLogs(pool: Pool, options: SealLogsOptions): Promise<number[]> {
  const deps = sealingDeps(pool, options);
  const sealed: number[] = [];
  for (let shard = 0; shard < options.shards; shard += 1) {
    const size = (await readLog(pool, shard))?.size ?? 0;
    const now = formatMillis(Date.now());
    const keeper = await beginWindows(pool, options.rules, { logId: shard, size, now });
    if (keeper === null) continue;
    const hours = { shard, from: keeper.sealedUntil, to: options.until, size };
    const run = { workflowId: `seal-${shard}-${hours.from}`, runId: `run-${shard}-${size}` };
    await reviseLate(deps, { shard, to: size }, { run, progress: () => {} });
    await sealHours(deps, hours, { run, progress: () => {} });
    sealed.push(shard);
  }
  return sealed;
}
