import type { PeriodRule } from './billing_period.ts';
import { compileShellPattern } from './shell_pattern.ts';

/** What a billing.yaml says, checked; docs/statements.md has its keys. */
export interface BillingConfig {
  readonly periods: ByProject<PeriodRule>;
  /** Seconds from the end of a period until its statement is closed. */
  readonly graceSeconds: number;
  /** True where an operator approves each statement before it is closed. */
  readonly approval: ByProject<boolean>;
  /** What a line is about: a meter of one resource, or of all of them together. */
  readonly groupBy: LineGroup;
  /** Meters that have lines, as written; `compileMeterPatterns` reads them. */
  readonly meters: readonly string[];
  /** Seconds from the end of a period for which late data still amends its statement. */
  readonly amendSeconds: number;
  readonly webhooks: readonly WebhookEndpoint[];
}

export interface ByProject<Value> {
  readonly fallback: Value;
  readonly projects: ReadonlyMap<string, Value>;
}

export const LINE_GROUPS = ['resource', 'meter'] as const;
export type LineGroup = (typeof LINE_GROUPS)[number];

/** What endpoints are told of: the `type` of a webhook's payload. */
export const STATEMENT_EVENTS = ['statement.final', 'statement.amended'] as const;
export type StatementEvent = (typeof STATEMENT_EVENTS)[number];

/** Somebody who is told of statements. No secret is in here: only where the secrets are. */
export interface WebhookEndpoint {
  readonly name: string;
  readonly url: string;
  /** The first one is in force; the others sign beside it while receivers change over. */
  readonly secrets: readonly ({ readonly env: string } | { readonly file: string })[];
  /** Shell patterns of project ids. */
  readonly projects: readonly string[];
  readonly events: readonly StatementEvent[];
  readonly allowPrivateAddresses: boolean;
  /** A file with the authorities to trust instead of those of the system, PEM; null for those. */
  readonly caFile: string | null;
  readonly timeoutMs: number;
}

export const DEFAULT_PERIOD: PeriodRule = { length: 'month', zone: 'UTC', startDay: 1 };

/** What holds without a billing.yaml. */
export const DEFAULT_BILLING: BillingConfig = {
  periods: { fallback: DEFAULT_PERIOD, projects: new Map() },
  graceSeconds: 2 * 86_400,
  approval: { fallback: false, projects: new Map() },
  groupBy: 'resource',
  meters: ['*'],
  amendSeconds: 400 * 86_400,
  webhooks: [],
};

export const MAX_BILLING_PROJECTS = 100_000;
export const MAX_METER_PATTERNS = 1_000;
export const MAX_WEBHOOKS = 20;
export const MAX_WEBHOOK_PROJECTS = 10_000;
/** Of one endpoint: the one in force, and those that it replaces. */
export const MAX_WEBHOOK_SECRETS = 4;
export const MAX_GRACE_SECONDS = 90 * 86_400;
export const MAX_AMEND_SECONDS = 4_000 * 86_400;
export const DEFAULT_WEBHOOK_TIMEOUT_SECONDS = 15;
export const MAX_WEBHOOK_TIMEOUT_SECONDS = 60;

export function ofProject<Value>(values: ByProject<Value>, projectId: string): Value {
  return values.projects.get(projectId) ?? values.fallback;
}

/** The endpoints that are told of an event of a project, in the order of the file. */
export function endpointsOf(
  { webhooks }: BillingConfig,
  { projectId, event }: { projectId: string; event: StatementEvent },
): WebhookEndpoint[] {
  return webhooks.filter(({ projects, events }) =>
    events.includes(event) &&
    projects.some((pattern) => compileShellPattern(pattern).matches(projectId))
  );
}
