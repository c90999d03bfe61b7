/** Closing statements on a real PostgreSQL, without Temporal. */
import type { BillingDeps } from '../../activities/billing_deps.ts';
import {
  type ClosedStatement,
  type CloseOrder,
  closeStatement,
} from '../../activities/close_statement.ts';
import { inTransaction } from '../../db/client.ts';
import { type BillingPeriod, insertPeriods } from '../../db/billing_periods.ts';
import { listLogs, readLog } from '../../db/logs.ts';
import { getStatement, type StatementRow } from '../../db/statements.ts';
import { readWindowKeeper } from '../../db/window_keepers.ts';
import { parseStatement, type StatementDocument } from '../../ledger/statement_document.ts';
import { type BillingConfig, DEFAULT_BILLING } from '../../meters/billing_config.ts';
import { formatMillis, toMicros } from '../../meters/timestamp.ts';
import { testSigner } from './test_signer.ts';
import type { WindowWorld } from './window_world.ts';

export class BillingWorld {
  readonly windows: WindowWorld;
  config: BillingConfig = DEFAULT_BILLING;

  constructor(windows: WindowWorld) {
    this.windows = windows;
  }

  deps(changes: Partial<BillingDeps> = {}): BillingDeps {
    return {
      pool: this.windows.pool,
      shards: 1,
      signers: [testSigner()],
      rules: () => Promise.resolve(this.windows.rules),
      billing: () => Promise.resolve(this.config),
      nowMs: () => this.windows.nowMs,
      log: { info: () => {}, warn: () => {}, error: () => {} },
      ...changes,
    };
  }

  /** Opens a period as agreed with a project. */
  async open(
    period: Partial<BillingPeriod> & Pick<BillingPeriod, 'projectId' | 'period' | 'start' | 'end'>,
  ): Promise<void> {
    const { pool } = this.windows;
    const whole: BillingPeriod = { zone: 'UTC', groupBy: 'resource', meters: ['*'], ...period };
    await inTransaction(pool, (tx) => insertPeriods(tx, [whole], formatMillis(this.windows.nowMs)));
  }

  /** Turns what is late into revisions, then seals until an hour of UTC as of all that is in the log. */
  async seal(to: string): Promise<void> {
    const { windows } = this;
    await windows.begin();
    await windows.revise();
    const keeper = await readWindowKeeper(windows.pool, 0);
    const log = await readLog(windows.pool, 0);
    const size = log?.size ?? 0;
    const from = keeper?.sealedUntil ?? to;
    if (from < to) await windows.seal({ from, to, size });
  }

  /** An order as of all that is in the logs now. */
  async order(order: Pick<CloseOrder, 'project_id' | 'period' | 'number'>): Promise<CloseOrder> {
    const logs = await listLogs(this.windows.pool);
    const sizes = logs.map(({ size }) => size);
    return { ...order, sizes, closed_at: formatMillis(this.windows.nowMs) };
  }

  async close(order: CloseOrder, deps: BillingDeps = this.deps()): Promise<ClosedStatement | null> {
    const run = { workflowId: `billing-${order.project_id}-${order.period}`, runId: 'run' };
    return await closeStatement(deps, order, { expected: null, run, progress: () => {} });
  }

  async stored(projectId: string, period: string, number: number): Promise<StatementRow> {
    const row = await getStatement(this.windows.pool, 'all', { projectId, period, number });
    if (row === null) throw new Error(`there is no statement ${number} of ${projectId}`);
    return row;
  }

  async document(projectId: string, period: string, number: number): Promise<StatementDocument> {
    return parseStatement((await this.stored(projectId, period, number)).document);
  }
}

/** The canonical timestamps from one to another, a step of minutes apart. */
export function timesBetween(from: string, to: string, minutes: number): string[] {
  const times: string[] = [];
  for (let at = toMicros(from); at < toMicros(to); at += BigInt(minutes) * 60_000_000n) {
    times.push(formatMillis(Number(at / 1_000n)));
  }
  return times;
}
