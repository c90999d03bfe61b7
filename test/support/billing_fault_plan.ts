import { type BillingConfig, DEFAULT_BILLING } from '../../meters/billing_config.ts';
import type { BillingStep } from './billing_fault_steps.ts';

/** What a worker of a billing fault test is told. */
export interface BillingFaultPlan {
  databaseUrl: string;
  address: string;
  bundlePath: string;
  /** Of the one endpoint that is told. */
  hookUrl: string;
  step: BillingStep;
}

/** Days that close at once. @param hookUrl null for nobody to be told */
export function faultBilling(hookUrl: string | null): BillingConfig {
  return {
    ...DEFAULT_BILLING,
    periods: { fallback: { length: 'day', zone: 'UTC', startDay: 1 }, projects: new Map() },
    graceSeconds: 0,
    webhooks: hookUrl === null ? [] : [{
      name: 'hook',
      url: hookUrl,
      secrets: [{ env: 'NONE' }],
      projects: ['*'],
      events: ['statement.final', 'statement.amended'],
      allowPrivateAddresses: true,
      caFile: null,
      timeoutMs: 5_000,
    }],
  };
}
