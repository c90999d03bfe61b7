/** An API whose samples are sealed, billed and told, without Temporal. */
import type { BillingDeps, WebhookDeps } from '../../activities/billing_deps.ts';
import { closeStatement } from '../../activities/close_statement.ts';
import { createWebhookActivities } from '../../activities/deliver_webhook.ts';
import { scanPeriods } from '../../activities/find_periods.ts';
import { loadUsageRules } from '../../cli/usage_rules_file.ts';
import { resolveAsOf } from '../../db/as_of.ts';
import { noteTold, wantedPeriods } from '../../db/billing_periods.ts';
import { latestStatementNumber } from '../../db/statements.ts';
import { createSigner } from '../../ledger/signer.ts';
import {
  type BillingConfig,
  DEFAULT_BILLING,
  STATEMENT_EVENTS,
  type WebhookEndpoint,
} from '../../meters/billing_config.ts';
import { formatMillis } from '../../meters/timestamp.ts';
import { type ApiSystem, type ApiSystemOptions, startApiSystem } from './api_system.ts';
import { TEST_DEPLOYMENT } from './ingest_setup.ts';
import { sealLogs } from './seal_logs.ts';
import { testKeyPem } from './test_signer.ts';

const DAY_MS = 86_400_000;
/** What the ingest of an {@link ApiSystem} signs by. */
const KEY = testKeyPem(7);

export interface BilledApi extends ApiSystem {
  /** First instant of yesterday in UTC, milliseconds since 1970: the day that is billed. */
  readonly dayMs: number;
  /** Its name. */
  readonly period: string;
  /** The public key of the deployment. */
  readonly vkey: string;
  /** What billing.yaml would say: days in UTC, closed at once. May be changed. */
  config: BillingConfig;
  /** What the actors of billing are wired with. */
  readonly billing: BillingDeps & WebhookDeps;
  /** Stores what was sent, and seals yesterday. */
  seal(): Promise<void>;
  /** Also closes and amends its statements, and tells of them. */
  bill(): Promise<void>;
}

/** @param options `webhookSecret`: of all endpoints */
export async function startBilledApi(
  options: ApiSystemOptions & { webhookSecret?: string },
): Promise<BilledApi> {
  const system = await startApiSystem(options);
  const { pool } = system.db;
  const { shards } = system.deps;
  const rules = await loadUsageRules();
  const signer = createSigner(TEST_DEPLOYMENT, KEY);
  const todayMs = Math.floor(Date.now() / DAY_MS) * DAY_MS;
  const billing: BilledApi['billing'] = {
    pool,
    shards,
    signers: [signer],
    rules: () => Promise.resolve(rules),
    billing: () => Promise.resolve(api.config),
    nowMs: Date.now,
    log: system.deps.log,
    readSecret: () => Promise.resolve(options.webhookSecret ?? ''),
    readAuthorities: () => Promise.resolve(''),
  };
  const api: BilledApi = {
    ...system,
    billing,
    dayMs: todayMs - DAY_MS,
    period: formatMillis(todayMs - DAY_MS).slice(0, 10),
    vkey: signer.vkey,
    config: {
      ...DEFAULT_BILLING,
      periods: { fallback: { length: 'day', zone: 'UTC', startDay: 1 }, projects: new Map() },
      graceSeconds: 0,
    },
    async seal() {
      await system.ingest();
      await sealLogs(pool, { shards, signingKey: KEY, rules, until: formatMillis(todayMs) });
    },
    async bill() {
      await api.seal();
      while ((await scanPeriods(billing)).has_more);
      const wanted = await wantedPeriods(pool, {
        overdue: formatMillis(0),
        after: null,
        limit: 1_000,
      });
      for (const period of wanted) await closeOne(billing, period);
      await noteTold(pool, wanted);
    },
  };
  return api;
}

/** An endpoint on this machine that is told of everything. */
export function localEndpoint(name: string, url: string): WebhookEndpoint {
  return {
    name,
    url,
    secrets: [{ env: 'WEBHOOK_SECRET' }],
    projects: ['*'],
    events: STATEMENT_EVENTS,
    allowPrivateAddresses: true,
    caFile: null,
    timeoutMs: 10_000,
  };
}

async function closeOne(
  deps: BillingDeps & WebhookDeps,
  { projectId, period }: { projectId: string; period: string },
): Promise<void> {
  const sizes: number[] = Array<number>(deps.shards).fill(0);
  for (const { logId, size } of await resolveAsOf(deps.pool)) sizes[logId] = size;
  const latest = await latestStatementNumber(deps.pool, projectId, period);
  const order = {
    project_id: projectId,
    period,
    number: latest === null ? 0 : latest + 1,
    sizes,
    closed_at: formatMillis(Date.now()),
  };
  const run = { workflowId: `billing-${projectId}-${period}`, runId: `run-${order.number}` };
  const closed = await closeStatement(deps, order, { expected: null, run, progress: () => {} });
  const webhooks = createWebhookActivities(deps);
  for (const delivery_id of closed?.deliveries ?? []) {
    await webhooks.attemptWebhook({ delivery_id });
  }
}
