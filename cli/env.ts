/**
 * The configuration: environment variables, read in this file alone, once, and checked together.
 */
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { z } from 'zod';
import type { WatermarkPolicy } from '../activities/window_deps.ts';
import { DEFAULT_KEY_OVERLAP_MS } from '../ledger/key_entry.ts';
import { NephoError } from '../meters/errors.ts';
import {
  DEFAULT_AUDIT_AT,
  DEFAULT_AUDIT_SAMPLES,
  environmentSchema,
  variableNotes,
} from './environment_schema.ts';

/** The folder that holds package.json. */
export const PROJECT_DIR: string = path.resolve(
  path.dirname(fileURLToPath(import.meta.url)),
  '..',
);

const DEFAULT_INTAKE_BYTES = 10 * 1024 ** 3;
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

type Environment = z.output<typeof environmentSchema>;

/** When the nightly audit begins (UTC), and how much it looks at. */
export interface AuditSettings {
  hour: number;
  minute: number;
  hours: number;
  statements: number;
  histories: number;
}

/** The configuration as the rest of the program sees it. */
export interface Settings {
  home: string;
  url: string | null;
  token: string | null;
  databaseUrl: string | null;
  natsUrl: string | null;
  natsMonitorUrl: string | null;
  natsCredentialsFile: string | null;
  intakeBytes: number;
  temporalAddress: string | null;
  temporalNamespace: string;
  rabbitmqUrl: string | null;
  shards: number;
  source: string;
  definitionDirs: string[];
  /** By which samples become usage. */
  usageRulesFile: string;
  sealing: WatermarkPolicy;
  /** Where billing.yaml may be, the first that is there counts; named if it must be there. */
  billingFiles: string[];
  isBillingNamed: boolean;
  /** Where polling.yaml may be, the first that is there counts. */
  pollingFiles: string[];
  /** Private keys in PEM, the newest first. */
  signingKeys: string[];
  signingKeyFiles: string[];
  keyChange: { overlapMs: number; unendorsedKey: string | null };
  /** What is made of the samples that Ceilometer's agents sign. */
  sampleSignatures: { secrets: string[]; acceptUnsigned: boolean };
  /** Days after which a month of samples is archived; null if never. */
  retentionDays: number | null;
  archiveDir: string;
  audit: AuditSettings;
  deployment: string;
  httpHost: string;
  /** Null unless configured: {@link DEFAULT_HTTP_PORT} then, or another free one. */
  httpPort: number | null;
  logLevel: Environment['NEPHO_LOG_LEVEL'] & string;
  logFormat: Environment['NEPHO_LOG_FORMAT'] & string;
  temporalCli: string | null;
  natsServer: string | null;
  /** Where programs are kept that nepho made or fetched. */
  binDir: string;
  searchPath: string[];
  pglitePassword: string | null;
  /** The variables that are set: the others have their defaults. */
  given: ReadonlySet<string>;
}

/**
 * Reads and checks the whole configuration.
 *
 * @throws {NephoError} `configuration_invalid`: one sentence a line, for every variable at fault
 */
export function readSettings(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Settings {
  const given = Object.fromEntries(
    Object.keys(environmentSchema.shape)
      .map((key) => [key, environment[key]?.trim()])
      // An empty variable is one that was not set: shells and compose files make no difference.
      .filter(([, value]) => value !== undefined && value !== ''),
  );
  const faults = faultsOf(given);
  const parsed = environmentSchema.safeParse(given);
  if (faults.length > 0 || !parsed.success) {
    throw new NephoError(
      'configuration_invalid',
      `Cannot read the configuration: ${faults.length} ${
        faults.length === 1 ? 'variable is' : 'variables are'
      } wrong\n${faults.map((fault) => `  ${fault}`).join('\n')}`,
    );
  }
  return settingsOf(parsed.data);
}

/** Names that begin with NEPHO_ and mean nothing: misspelt, most likely. */
export function unknownVariables(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string[] {
  return Object.keys(environment).filter((key) =>
    key.startsWith('NEPHO_') && !key.startsWith('NEPHO_TEST_') &&
    !Object.hasOwn(environmentSchema.shape, key)
  );
}

/**
 * The value of a variable that polling.yaml or billing.yaml names for a secret, as in `password_env`. Not trimmed:
 * whatever stands there is the secret. Undefined if it is not set, or empty.
 */
export function secretVariable(
  name: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  const value = environment[name];
  return value === '' ? undefined : value;
}

/** The variables of OpenStack's own client. */
export function openStackEnvironment(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => name.startsWith('OS_')),
  );
}

/** The whole environment for a child process, with `changes` over it. */
export function childEnvironment(changes: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return { ...process.env, ...changes };
}

function faultsOf(given: Record<string, string | undefined>): string[] {
  const parsed = environmentSchema.safeParse(given);
  const names = new Set(parsed.success ? [] : parsed.error.issues.map((issue) => issue.path[0]));
  return variableNotes()
    .filter(([key]) => names.has(key))
    .map(([key, note]) => {
      const value = note.secret ? 'its value' : `'${given[key]}'`;
      return `${key}: ${value} is not ${note.kind}, as in ${note.example}`;
    });
}

function settingsOf(env: Environment): Settings {
  const cache = env.XDG_CACHE_HOME ??
    (env.HOME === undefined ? null : path.join(env.HOME, '.cache'));
  const home = path.resolve(env.NEPHO_HOME ?? path.join(PROJECT_DIR, '.nepho'));
  return {
    home,
    url: env.NEPHO_URL ?? null,
    token: env.NEPHO_TOKEN ?? null,
    databaseUrl: env.DATABASE_URL ?? null,
    natsUrl: env.NEPHO_NATS_URL ?? null,
    natsMonitorUrl: env.NEPHO_NATS_MONITOR_URL ?? null,
    natsCredentialsFile: env.NEPHO_NATS_CREDENTIALS ?? null,
    intakeBytes: env.NEPHO_INTAKE_BYTES ?? DEFAULT_INTAKE_BYTES,
    temporalAddress: env.NEPHO_TEMPORAL_ADDRESS ?? null,
    temporalNamespace: env.NEPHO_TEMPORAL_NAMESPACE ?? 'default',
    rabbitmqUrl: env.NEPHO_RABBITMQ_URL ?? null,
    shards: env.NEPHO_SHARDS ?? 2,
    source: env.NEPHO_SOURCE ?? 'openstack',
    definitionDirs: env.NEPHO_DEFINITIONS === undefined
      ? [path.join(PROJECT_DIR, 'definitions')]
      : pathList(env.NEPHO_DEFINITIONS),
    sealing: {
      graceMs: env.NEPHO_SEAL_GRACE ?? 15 * MINUTE_MS,
      maxWaitMs: env.NEPHO_SEAL_MAX_WAIT ?? 6 * 60 * MINUTE_MS,
      everySeconds: (env.NEPHO_SEAL_EVERY ?? MINUTE_MS) / 1_000,
    },
    usageRulesFile: path.resolve(
      env.NEPHO_USAGE_RULES ?? path.join(PROJECT_DIR, 'definitions', 'usage', 'usage.yaml'),
    ),
    billingFiles: env.NEPHO_BILLING === undefined
      ? [path.join(home, 'billing.yaml'), path.resolve('billing.yaml')]
      : [path.resolve(env.NEPHO_BILLING)],
    isBillingNamed: env.NEPHO_BILLING !== undefined,
    pollingFiles: env.NEPHO_POLLING_FILE === undefined
      ? [path.join(home, 'polling.yaml'), path.resolve('polling.yaml')]
      : [path.resolve(env.NEPHO_POLLING_FILE)],
    signingKeys:
      env.NEPHO_SIGNING_KEY?.split(/(?=-----BEGIN )/).filter((key) => key.trim() !== '') ??
        [],
    signingKeyFiles: pathList(env.NEPHO_SIGNING_KEY_FILE),
    keyChange: {
      overlapMs: env.NEPHO_KEY_OVERLAP_DAYS === undefined
        ? DEFAULT_KEY_OVERLAP_MS
        : env.NEPHO_KEY_OVERLAP_DAYS * DAY_MS,
      unendorsedKey: env.NEPHO_ALLOW_UNENDORSED_KEY ?? null,
    },
    sampleSignatures: {
      secrets: env.NEPHO_TELEMETRY_SECRET ?? [],
      acceptUnsigned: env.NEPHO_TELEMETRY_UNSIGNED === 'accept',
    },
    retentionDays: env.NEPHO_RETENTION ?? null,
    archiveDir: path.resolve(env.NEPHO_ARCHIVE_DIR ?? path.join(home, 'archives')),
    audit: auditSettings(env),
    deployment: env.NEPHO_DEPLOYMENT ?? 'nepho.example',
    httpHost: env.NEPHO_HTTP_HOST ?? '127.0.0.1',
    httpPort: env.NEPHO_HTTP_PORT ?? null,
    logLevel: env.NEPHO_LOG_LEVEL ?? 'info',
    logFormat: env.NEPHO_LOG_FORMAT ?? 'auto',
    temporalCli: env.NEPHO_TEMPORAL_CLI ?? null,
    natsServer: env.NEPHO_NATS_SERVER ?? null,
    binDir: path.join(cache ?? path.join(PROJECT_DIR, '.nepho', 'cache'), 'nepho', 'bin'),
    searchPath: pathList(env.PATH),
    pglitePassword: env.NEPHO_PGLITE_PASSWORD ?? null,
    given: new Set(Object.keys(env)),
  };
}

function auditSettings(env: Environment): AuditSettings {
  const [hour = 0, minute = 0] = (env.NEPHO_AUDIT_AT ?? DEFAULT_AUDIT_AT).split(':').map(Number);
  const [hours, statements, histories] = env.NEPHO_AUDIT_SAMPLES ?? DEFAULT_AUDIT_SAMPLES;
  return { hour, minute, hours, statements, histories };
}

function pathList(value: string | undefined): string[] {
  return value?.split(path.delimiter).filter((entry) => entry !== '') ?? [];
}
