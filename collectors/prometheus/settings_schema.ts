import { z } from 'zod';
import { isNephoError } from '../../meters/errors.ts';
import { ExactNumber } from '../../meters/json.ts';
import { parseSelector } from '../../meters/exposition_selector.ts';
import { parseTemplate } from '../../meters/exposition_template.ts';
import { parseQuantity } from '../../meters/quantity.ts';
import { METER_TYPES } from '../../meters/sample.ts';
import { checkSettings } from './settings_check.ts';

/** Parts of addresses of units, `endpoint/query`, and of parameters of a discovery. */
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/);
const path = z.string().min(1).max(4_096);
const reference = z.union([
  z.strictObject({ env: z.string().min(1).max(255) }),
  z.strictObject({ file: path }),
]);
const httpUrl = z.url({ protocol: /^https?$/ }).max(2_048).refine((url) => {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  return parsed?.username === '' && parsed.password === '' && parsed.hash === '';
}, 'write the URL without user and password: they go into username and password_file');
const headerName = z.string().regex(/^[a-z][a-z0-9-]{0,99}$/).refine(
  (header) => !OWN_HEADERS.has(header),
  'this header is not for settings to write',
);
const OWN_HEADERS: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'authorization',
  'connection',
  'content-length',
  'host',
  'transfer-encoding',
]);
const headerValue = z.union([z.string().max(4_096).regex(/^[\t\x20-\x7e]*$/), reference]);

/** Refuses with the parser's own words what the parser refuses. */
function readable(parse: (text: string) => unknown) {
  return (text: string, context: z.RefinementCtx): void => {
    try {
      parse(text);
    } catch (error) {
      if (!isNephoError(error)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
    }
  };
}

const template = z.string().superRefine(readable(parseTemplate));
/** Numbers as text, so that none has been a float that matters. */
const decimal = z.union([z.string(), z.number(), z.instanceof(ExactNumber)])
  .transform((value) => value instanceof ExactNumber ? value.text : String(value));

const query = z.strictObject({
  name,
  /** PromQL that gives an instant vector. */
  query: z.string().min(1).max(8_192),
});

const endpoint = z.strictObject({
  name,
  /** Of an exporter's page; of a Prometheus server, before `/api/v1`, where `queries` are given. */
  url: httpUrl,
  queries: z.array(query).min(1).max(500).optional(),
  headers: z.record(headerName, headerValue).default({}),
  username: z.string().min(1).max(255).optional(),
  password_env: z.string().min(1).max(255).optional(),
  password_file: path.optional(),
  bearer_token_env: z.string().min(1).max(255).optional(),
  bearer_token_file: path.optional(),
  /** The authorities to trust instead of those of the system, PEM. */
  ca_file: path.optional(),
  /** Put on every series; one of the same name that the endpoint says is overruled. */
  labels: z.record(z.string().min(1).max(255), z.string().max(1_024)).default({}),
  /** `text` for an exporter whose OpenMetrics is faulty. */
  format: z.enum(['any', 'text']).default('any'),
  /** Seconds that a query looks before the cycle's time, for data that come late. */
  delay: z.int().min(0).max(86_400).default(0),
  /** Takes answers to which the server adds warnings, as of stores that did not answer. */
  accept_warnings: z.boolean().default(false),
  /** Requests at the same time. */
  concurrency: z.int().min(1).max(1_000).default(4),
  requests_per_second: z.number().positive().max(100_000).optional(),
  /** Seconds from a request to the end of its answer. */
  timeout: z.number().positive().max(3_600).default(10),
  max_bytes: z.int().min(1_024).max(1_073_741_824).default(64 * 1024 * 1024),
  max_series: z.int().min(1).max(5_000_000).default(500_000),
});

const mapping = z.strictObject({
  /** `name{label="value"}`; without it, all series of the queries that `endpoints` names. */
  series: z.string().superRefine(readable(parseSelector)).optional(),
  /** Names of endpoints, or `endpoint/query`; all without. */
  endpoints: z.array(z.string().min(1).max(255)).min(1).max(10_000).optional(),
  meter: template,
  /** What `# TYPE` says, or the end of the name, unless given. */
  type: z.enum(METER_TYPES).optional(),
  unit: z.string().min(1).max(255),
  resource_id: template,
  project_id: template.optional(),
  user_id: template.optional(),
  /** Labels to keep, or `all`; or names with templates. */
  metadata: z.union([
    z.literal('all'),
    z.array(z.string().min(1).max(1_024)).max(100),
    z.record(z.string().min(1).max(255), template),
  ]).default([]),
  /** What the value is multiplied by, an exact decimal. */
  scale: decimal.default('1').superRefine(readable(parseQuantity)),
  /** Values that mean that there is none, passed over without a word. */
  skip: z.array(decimal.superRefine((text, context) => {
    if (!/^(?:NaN|[+-]Inf)$/.test(text)) readable(parseQuantity)(text, context);
  })).max(50).default([]),
  /** Adds up the series that make the same meter of the same resource. */
  sum: z.boolean().default(false),
  /** Fewer readings of one endpoint or query than this are a gap. */
  at_least: z.int().min(0).max(1_000_000).default(0),
});

/** `collectors: prometheus:` of polling.yaml. Times in seconds. */
export const prometheusSettingsSchema = z.strictObject({
  endpoints: z.array(endpoint).min(1).max(10_000),
  mappings: z.array(mapping).min(1).max(2_000),
}).superRefine((settings, context) => {
  for (const { path, message } of checkSettings(settings)) {
    context.addIssue({ code: 'custom', path, message });
  }
});

export type PrometheusSettings = z.output<typeof prometheusSettingsSchema>;
export type EndpointSettings = z.output<typeof endpoint>;
export type QuerySettings = z.output<typeof query>;
export type MappingSettings = z.output<typeof mapping>;
