import { z } from 'zod';
import {
  type BillingConfig,
  type ByProject,
  DEFAULT_BILLING,
  DEFAULT_PERIOD,
  DEFAULT_WEBHOOK_TIMEOUT_SECONDS,
  LINE_GROUPS,
  MAX_AMEND_SECONDS,
  MAX_BILLING_PROJECTS,
  MAX_GRACE_SECONDS,
  MAX_METER_PATTERNS,
  MAX_WEBHOOK_PROJECTS,
  MAX_WEBHOOK_SECRETS,
  MAX_WEBHOOK_TIMEOUT_SECONDS,
  MAX_WEBHOOKS,
  STATEMENT_EVENTS,
  type WebhookEndpoint,
} from './billing_config.ts';
import type { PeriodRule } from './billing_period.ts';
import { MAX_ID_LENGTH, MAX_NAME_LENGTH } from './limits.ts';
import { isKnownZone } from './zone.ts';

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };
const DURATION = /^(\d{1,9})([smhd])$/;

/** A time as usage.yaml has it, in seconds; a day has 24 hours. */
function duration({ min, max }: { min: number; max: number }) {
  const remedy = 'Write a number and s, m, h or d, as 2d';
  const range = max % 86_400 === 0 ? `${max / 86_400}d` : `${max}s`;
  return z.string({ error: remedy }).transform((text) => {
    const [, count = '', unit = ''] = DURATION.exec(text) ?? [];
    return Number(count) * (SECONDS[unit] ?? NaN);
  }).refine((seconds) => seconds >= min && seconds <= max, {
    message: `it is no time from ${min}s to ${range}`,
    params: { remedy },
  });
}

const zone = z.string().refine(isKnownZone, {
  message: 'it is no time zone that is known here',
  params: { remedy: "Write a name of the IANA database, as 'Europe/Berlin' or 'UTC'" },
});

const periodRule = z.strictObject({
  length: z.enum(['month', 'week', 'day']).optional(),
  zone: zone.optional(),
  start_day: z.int().min(1).max(28).optional(),
});

type WrittenRule = z.output<typeof periodRule>;

function mostly<Key extends string, Value>(key: z.ZodType<Key, string>, value: z.ZodType<Value>) {
  return z.record(key, value).refine(
    (entries) => Object.keys(entries).length <= MAX_BILLING_PROJECTS,
    `Name at most ${MAX_BILLING_PROJECTS} projects`,
  );
}

const projectId = z.string().min(1).max(MAX_ID_LENGTH);

const periods = z.strictObject({
  default: periodRule.optional(),
  projects: mostly(projectId, periodRule).optional(),
}).superRefine((written, context) => {
  const fallback = ruleOf(written.default, DEFAULT_PERIOD);
  for (const [place, rule] of placesOf(written)) {
    const { length, startDay } = ruleOf(rule, fallback);
    if (length === 'month' || startDay <= (length === 'week' ? 7 : 1)) continue;
    context.addIssue({
      code: 'custom',
      path: [...place, 'start_day'],
      message: length === 'week'
        ? 'Write a day of the week, from 1 for Monday to 7'
        : 'Remove it: a day begins with itself',
    });
  }
});

const approval = z.union([
  z.boolean(),
  z.strictObject({
    default: z.boolean().optional(),
    projects: mostly(projectId, z.boolean()).optional(),
  }),
]);

const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,254}$/, {
  message: 'Write the name of a variable',
}).refine((name) => !name.startsWith('whsec_'), {
  message: 'it looks like the secret itself',
  params: { remedy: 'Write the name of the variable that holds it' },
});

const url = z.string().max(2_048).refine((text) => {
  const parsed = URL.canParse(text) ? new URL(text) : null;
  return parsed !== null && ['https:', 'http:'].includes(parsed.protocol) &&
    parsed.username === '' && parsed.password === '' && parsed.hash === '';
}, {
  message: 'it is no address to send to',
  params: { remedy: 'Write https://…, without a password and without a fragment' },
});

const webhook = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, {
    message: 'Write letters, digits, hyphens and underscores, at most 64',
  }),
  url,
  secret_env: oneOrSeveral(variable).optional(),
  secret_file: oneOrSeveral(z.string().min(1).max(4_096)).optional(),
  projects: z.array(z.string().min(1).max(MAX_ID_LENGTH)).min(1).max(MAX_WEBHOOK_PROJECTS)
    .default(['*']),
  events: z.array(z.enum(STATEMENT_EVENTS)).min(1).max(STATEMENT_EVENTS.length)
    .default([...STATEMENT_EVENTS]),
  allow_private_addresses: z.boolean().default(false),
  ca_file: z.string().min(1).max(4_096).optional(),
  timeout: duration({ min: 1, max: MAX_WEBHOOK_TIMEOUT_SECONDS })
    .default(DEFAULT_WEBHOOK_TIMEOUT_SECONDS),
}).superRefine((written, context) => {
  const secrets = [...written.secret_env ?? [], ...written.secret_file ?? []].length;
  if (secrets < 1 || secrets > MAX_WEBHOOK_SECRETS) {
    context.addIssue({
      code: 'custom',
      path: ['secret_env'],
      message:
        `Name where the secret is by secret_env: or secret_file:, at most ${MAX_WEBHOOK_SECRETS} while it changes`,
    });
  }
  if (written.url.startsWith('http:') && !written.allow_private_addresses) {
    context.addIssue({
      code: 'custom',
      path: ['url'],
      message: 'statements would be sent unencrypted',
      params: {
        remedy: 'Write https:, or allow_private_addresses: true for a network of your own',
      },
    });
  }
});

/** What a billing.yaml may hold. */
export const billingSchema = z.strictObject({
  periods: periods.optional(),
  grace: duration({ min: 0, max: MAX_GRACE_SECONDS }).optional(),
  approval: approval.optional(),
  lines: z.strictObject({ group_by: z.enum(LINE_GROUPS).optional() }).optional(),
  meters: z.array(
    z.string().min(1).max(MAX_NAME_LENGTH + 1).refine((text) => !/\p{Cc}/u.test(text), {
      message: 'it has control characters',
      params: { remedy: 'Write a name, * and ? for what differs' },
    }),
  ).min(1).max(MAX_METER_PATTERNS).optional(),
  amend_for: duration({ min: 0, max: MAX_AMEND_SECONDS }).optional(),
  webhooks: z.array(webhook).max(MAX_WEBHOOKS).superRefine((hooks, context) => {
    hooks.forEach(({ name }, index) => {
      if (hooks.findIndex((other) => other.name === name) === index) return;
      context.addIssue({
        code: 'custom',
        path: [index, 'name'],
        message: `Give it a name of its own: there is another '${name}'`,
      });
    });
  }).optional(),
}).transform(configOf);

interface WrittenBilling {
  periods?: {
    default?: WrittenRule | undefined;
    projects?: Record<string, WrittenRule> | undefined;
  } | undefined;
  grace?: number | undefined;
  approval?: z.output<typeof approval> | undefined;
  lines?: { group_by?: BillingConfig['groupBy'] | undefined } | undefined;
  meters?: string[] | undefined;
  amend_for?: number | undefined;
  webhooks?: z.output<typeof webhook>[] | undefined;
}

function configOf(written: WrittenBilling): BillingConfig {
  const fallback = ruleOf(written.periods?.default, DEFAULT_PERIOD);
  return {
    periods: {
      fallback,
      projects: mapOf(written.periods?.projects, (rule) => ruleOf(rule, fallback)),
    },
    graceSeconds: written.grace ?? DEFAULT_BILLING.graceSeconds,
    approval: approvalOf(written.approval),
    groupBy: written.lines?.group_by ?? DEFAULT_BILLING.groupBy,
    meters: written.meters ?? DEFAULT_BILLING.meters,
    amendSeconds: written.amend_for ?? DEFAULT_BILLING.amendSeconds,
    webhooks: (written.webhooks ?? []).map(endpointOf),
  };
}

/** A rule of another length does not take over the day on which the default begins. */
function ruleOf(written: WrittenRule | undefined, fallback: PeriodRule): PeriodRule {
  const length = written?.length ?? fallback.length;
  return {
    length,
    zone: written?.zone ?? fallback.zone,
    startDay: written?.start_day ?? (length === fallback.length ? fallback.startDay : 1),
  };
}

function approvalOf(written: WrittenBilling['approval']): ByProject<boolean> {
  if (typeof written !== 'object') return { fallback: written ?? false, projects: new Map() };
  return {
    fallback: written.default ?? false,
    projects: mapOf(written.projects, (needed) => needed),
  };
}

function endpointOf(written: z.output<typeof webhook>): WebhookEndpoint {
  return {
    name: written.name,
    url: written.url,
    secrets: [
      ...(written.secret_env ?? []).map((env) => ({ env })),
      ...(written.secret_file ?? []).map((file) => ({ file })),
    ],
    projects: written.projects,
    events: written.events,
    allowPrivateAddresses: written.allow_private_addresses,
    caFile: written.ca_file ?? null,
    timeoutMs: written.timeout * 1_000,
  };
}

function* placesOf(
  written: NonNullable<WrittenBilling['periods']>,
): Iterable<[string[], WrittenRule]> {
  if (written.default !== undefined) yield [['default'], written.default];
  for (const [project, rule] of Object.entries(written.projects ?? {})) {
    yield [['projects', project], rule];
  }
}

function oneOrSeveral(one: z.ZodType<string, string>) {
  return z.union([one.transform((text) => [text]), z.array(one).min(1).max(MAX_WEBHOOK_SECRETS)]);
}

function mapOf<Written, Value>(
  written: Record<string, Written> | undefined,
  read: (written: Written) => Value,
): Map<string, Value> {
  return new Map(Object.entries(written ?? {}).map(([key, value]) => [key, read(value)]));
}
