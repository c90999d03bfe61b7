/** Every environment variable: its class of values, an example, its meaning and what holds without it. */
import { z } from 'zod';
import { parseVkey } from '../ledger/vkey.ts';
import { assert } from '../meters/assert.ts';
import { MAX_AGE_DAYS } from '../meters/limits.ts';

export const DEFAULT_HTTP_PORT = 8777;
export const MAX_SHARDS = 256;
export const DEFAULT_AUDIT_AT = '02:30';
/** Sealed hours, statements and histories. */
export const DEFAULT_AUDIT_SAMPLES: [number, number, number] = [20, 10, 5];

/** What a variable is for, shown in docs/running.md and in the sentence about a fault. */
export interface VariableNote {
  /** The class of its values, as it follows 'is not'. */
  kind: string;
  example: string;
  meaning: string;
  /** What holds when it is not set. */
  fallback: string;
  /** Its value is never shown. */
  secret?: boolean;
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warning', 'error', 'fatal'] as const;
const LOG_FORMATS = ['auto', 'human', 'json'] as const;
const UNSIGNED = ['refuse', 'accept'] as const;
const MAX_KEY_OVERLAP_DAYS = 3_650;
/** What Ceilometer signs with when nobody configured anything: everybody knows it. */
const SHIPPED_SECRETS = ['change this for valid signing', 'change this or be hacked'];

const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const notes = z.registry<VariableNote>();

const text = z.string();
const port = z.string().regex(/^\d{1,5}$/).transform(Number).pipe(z.int().max(65_535));
const count = z.string().regex(/^\d{1,9}$/).transform(Number);
const byteCount = z.string().regex(/^\d{1,15}$/).transform(Number).pipe(
  z.int().min(64 * 1024 ** 2),
);
const auditCount = z.int().max(1_000);
const retention = z.string().regex(/^\d{1,5} days$/).transform((value) => Number.parseInt(value))
  .pipe(z.int().min(MAX_AGE_DAYS));
const auditSamples = z.string().regex(/^\d{1,4}(?:,\d{1,4}){2}$/)
  .transform((value) => value.split(',').map(Number))
  .pipe(z.tuple([auditCount, auditCount, auditCount]));
/** `90s`, `15m`, `6h`, `2d`, as milliseconds. */
const duration = z.string().regex(/^\d{1,6}[smhd]$/).transform((value) =>
  Number(value.slice(0, -1)) * (UNIT_MS[value.slice(-1)] ?? 0)
);
const name = z.string().regex(/^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/i);

/** Every variable. A schema that is optional gives `undefined`, which `settingsOf` names a default for. */
export const environmentSchema = z.object({
  NEPHO_HOME: variable(text, {
    kind: 'a folder',
    example: '/var/lib/nepho',
    meaning: 'where the embedded system keeps its data, keys and state',
    fallback: '`.nepho` in the project',
  }),
  NEPHO_URL: variable(urlOf('http:', 'https:'), {
    kind: 'an http or https address',
    example: 'https://metering.example:8777',
    meaning: 'the API that the commands talk to',
    fallback: 'the running embedded system',
  }),
  NEPHO_TOKEN: variable(text.min(8), {
    kind: 'a token of at least 8 characters',
    example: 'nepho_op_…',
    meaning: 'the key that the commands present to the API',
    fallback: 'the operator key of the embedded system',
    secret: true,
  }),
  DATABASE_URL: variable(urlOf('postgres:', 'postgresql:'), {
    kind: 'a PostgreSQL address',
    example: 'postgres://nepho@db.example/nepho',
    meaning: 'the database',
    fallback: 'PGlite in the embedded system; required when deployed',
    secret: true,
  }),
  NEPHO_NATS_URL: variable(urlsOf('nats:', 'tls:', 'ws:', 'wss:'), {
    kind: 'a NATS address, or several with commas',
    example: 'nats://nats-1.example:4222,nats://nats-2.example:4222',
    meaning: 'the NATS servers with JetStream',
    fallback: 'started by the embedded system; required when deployed',
    secret: true,
  }),
  NEPHO_NATS_MONITOR_URL: variable(urlOf('http:', 'https:'), {
    kind: 'an http or https address',
    example: 'http://nats-1.example:8222',
    meaning: "NATS's monitoring, asked whether it writes through what it acknowledges",
    fallback: 'the system account is asked, if we may',
  }),
  NEPHO_NATS_CREDENTIALS: variable(text, {
    kind: 'a file',
    example: '/run/secrets/nepho.creds',
    meaning: 'the credentials that NATS wants',
    fallback: 'those in the address, if any',
  }),
  NEPHO_INTAKE_BYTES: variable(byteCount, {
    kind: 'a number of bytes of at least 64 MiB',
    example: '107374182400',
    meaning: 'what the intake may take on disk; beyond it senders wait',
    fallback: '`10737418240` (10 GiB)',
  }),
  NEPHO_TEMPORAL_ADDRESS: variable(text.regex(/^[^\s/]+:\d{1,5}$/), {
    kind: 'a host and port',
    example: 'temporal.example:7233',
    meaning: 'the Temporal server',
    fallback: 'started by the embedded system; required when deployed',
  }),
  NEPHO_TEMPORAL_NAMESPACE: variable(name, {
    kind: 'a namespace: letters, digits, dots and hyphens',
    example: 'metering',
    meaning: "Temporal's namespace",
    fallback: '`default`',
  }),
  NEPHO_RABBITMQ_URL: variable(text.regex(/^(?:amqps?|rabbit|kombu):\/\/[^\s/]/), {
    kind: 'an AMQP address',
    example: 'amqp://nepho:…@rabbit.example:5672/',
    meaning: "the cloud's RabbitMQ for `nepho bridge`, also as a service's `transport_url`",
    fallback: 'given by `--rabbitmq`',
    secret: true,
  }),
  NEPHO_SHARDS: variable(count.pipe(z.int().min(1).max(MAX_SHARDS)), {
    kind: `a whole number from 1 to ${MAX_SHARDS}`,
    example: '4',
    meaning: 'partitions of the intake, each with its own log; fixed at the first start',
    fallback: '2',
  }),
  NEPHO_SOURCE: variable(text.max(255), {
    kind: 'a name of at most 255 characters',
    example: 'openstack',
    meaning: 'the source that samples name',
    fallback: '`openstack`',
  }),
  NEPHO_DEFINITIONS: variable(text, {
    kind: 'a list of folders, separated by a colon',
    example: '/etc/ceilometer/meters.d:/etc/nepho/meters.d',
    meaning: 'folders of definition files; the first to define a meter wins',
    fallback: '`definitions` in the project',
  }),
  NEPHO_USAGE_RULES: variable(text, {
    kind: 'a file',
    example: '/etc/nepho/usage.yaml',
    meaning: 'the rules by which samples become usage: [usage](usage.md)',
    fallback: '`definitions/usage/usage.yaml` in the project',
  }),
  NEPHO_BILLING: variable(text, {
    kind: 'a file',
    example: '/etc/nepho/billing.yaml',
    meaning: 'periods, statements and webhooks: [statements](statements.md)',
    fallback:
      '`billing.yaml` in NEPHO_HOME or the working directory; without it calendar months in UTC',
  }),
  NEPHO_POLLING_FILE: variable(text, {
    kind: 'a file',
    example: '/etc/nepho/polling.yaml',
    meaning: 'what is polled, and how often: [polling](polling.md)',
    fallback: '`polling.yaml` in NEPHO_HOME, or else in the working directory',
  }),
  NEPHO_SEAL_GRACE: variable(duration.pipe(z.int().max(7 * 86_400_000)), {
    kind: 'a time of at most 7d, in s, m, h or d',
    example: '15m',
    meaning: 'how long after its end an hour is sealed, so that what is under way may come: ' +
      '[windows](windows.md)',
    fallback: '`15m`',
  }),
  NEPHO_SEAL_MAX_WAIT: variable(duration.pipe(z.int().max(31 * 86_400_000)), {
    kind: 'a time of at most 31d, in s, m, h or d',
    example: '6h',
    meaning:
      'how much longer an hour waits for polls that are not accounted for; it is then sealed ' +
      'with a gap that its seal names',
    fallback: '`6h`',
  }),
  NEPHO_SEAL_EVERY: variable(duration.pipe(z.int().min(1_000).max(86_400_000)), {
    kind: 'a time from 1s to 1d, in s, m, h or d',
    example: '60s',
    meaning: 'how often it is looked whether an hour can be sealed, and what came late',
    fallback: '`60s`',
  }),
  NEPHO_SIGNING_KEY: variable(text.includes('PRIVATE KEY'), {
    kind: 'a private key in PKCS#8 PEM, its line ends perhaps written \\n',
    example: '-----BEGIN PRIVATE KEY-----\\n…\\n-----END PRIVATE KEY-----',
    meaning: 'the keys that sign the logs, the newest first',
    fallback: 'made at the first embedded start; this or the file is required when deployed',
    secret: true,
  }),
  NEPHO_SIGNING_KEY_FILE: variable(text, {
    kind: 'a list of files, separated by a colon',
    example: '/run/secrets/nepho-signing.key',
    meaning: 'files that hold the signing keys, readable by their owner only, the newest first',
    fallback: '`keys/signing.key` under NEPHO_HOME in the embedded system',
  }),
  NEPHO_KEY_OVERLAP_DAYS: variable(count.pipe(z.int().max(MAX_KEY_OVERLAP_DAYS)), {
    kind: `a number of days from 0 to ${MAX_KEY_OVERLAP_DAYS}`,
    example: '14',
    meaning: 'how long the previous signing key goes on signing beside a new one',
    fallback: '30',
  }),
  NEPHO_ALLOW_UNENDORSED_KEY: variable(text.refine(isVkey), {
    kind: 'a verifier key',
    example: 'nepho.example+ef7ecbbc+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4',
    meaning: 'the one new key that may sign although the previous key is lost',
    fallback: 'the previous key must endorse a new one',
  }),
  NEPHO_TELEMETRY_SECRET: variable(text.transform(linesOf).refine(areSecrets), {
    kind: 'one or more secrets, a line each, and not the default that Ceilometer ships',
    example: 'c1f5…',
    meaning: "Ceilometer's `telemetry_secret`: it verifies the samples of its agents; line ends " +
      'between several may be written \\n',
    fallback: 'such samples wait in quarantine',
    secret: true,
  }),
  NEPHO_TELEMETRY_UNSIGNED: variable(z.enum(UNSIGNED), {
    kind: `one of ${UNSIGNED.join(', ')}`,
    example: 'accept',
    meaning: "whether samples of Ceilometer's agents without a signature, or without a secret to " +
      'verify it, are taken',
    fallback: '`refuse`: they wait in quarantine',
  }),
  NEPHO_RETENTION: variable(retention, {
    kind: `a number of days, ${MAX_AGE_DAYS} or more`,
    example: '400 days',
    meaning:
      'how old the samples of a month must be before they are moved into an archive; older ' +
      'than ingest accepts them, so that nothing comes for it any more',
    fallback: 'samples stay in the database for ever',
  }),
  NEPHO_ARCHIVE_DIR: variable(text, {
    kind: 'a folder',
    example: '/var/lib/nepho/archives',
    meaning: 'where archives of samples are; workers and the API must see the same one',
    fallback: '`archives` under NEPHO_HOME',
  }),
  NEPHO_AUDIT_AT: variable(text.regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/), {
    kind: 'a time of the day, UTC',
    example: '03:15',
    meaning: 'when the nightly audit begins',
    fallback: `\`${DEFAULT_AUDIT_AT}\``,
  }),
  NEPHO_AUDIT_SAMPLES: variable(auditSamples, {
    kind: 'three numbers up to 1000: hours, statements, histories',
    example: '20,10,5',
    meaning: 'how many sealed hours, statements and histories an audit chooses and recomputes',
    fallback: `\`${DEFAULT_AUDIT_SAMPLES.join(',')}\``,
  }),
  NEPHO_DEPLOYMENT: variable(name, {
    kind: 'a name: letters, digits, dots and hyphens',
    example: 'metering.cloud.example',
    meaning: 'the first part of the name of each log; fixed at the first start',
    fallback: '`nepho.example`',
  }),
  NEPHO_HTTP_HOST: variable(text.regex(/^[^\s/]+$/), {
    kind: 'an address to listen on',
    example: '0.0.0.0',
    meaning: 'where the API listens',
    fallback: '`127.0.0.1`',
  }),
  NEPHO_HTTP_PORT: variable(port, {
    kind: 'a port from 0 to 65535',
    example: '8777',
    meaning: 'the port of the API, 0 for any',
    fallback: `\`${DEFAULT_HTTP_PORT}\`, or the next free one in the embedded system`,
  }),
  NEPHO_LOG_LEVEL: variable(z.enum(LOG_LEVELS), {
    kind: `one of ${LOG_LEVELS.join(', ')}`,
    example: 'debug',
    meaning: 'the lowest level that is logged',
    fallback: '`info`',
  }),
  NEPHO_LOG_FORMAT: variable(z.enum(LOG_FORMATS), {
    kind: `one of ${LOG_FORMATS.join(', ')}`,
    example: 'json',
    meaning: 'how log lines look on standard error',
    fallback: '`auto`: for people on a terminal, else JSON lines',
  }),
  NEPHO_TEMPORAL_CLI: variable(text, {
    kind: 'a program file',
    example: '/usr/local/bin/temporal',
    meaning: "Temporal's command line, which holds its development server",
    fallback: 'looked for, then made: see below',
  }),
  NEPHO_NATS_SERVER: variable(text, {
    kind: 'a program file',
    example: '/usr/sbin/nats-server',
    meaning: 'nats-server, 2.10 or newer',
    fallback: 'looked for, then made: see below',
  }),
  NEPHO_PGLITE_PASSWORD: variable(text.min(8), {
    kind: 'a password of at least 8 characters',
    example: 'a1b2c3d4e5f6',
    meaning: 'the password of the embedded PGlite, which `nepho start` makes and hands on',
    fallback: 'no password is asked for',
    secret: true,
  }),
  XDG_CACHE_HOME: variable(text, {
    kind: 'a folder',
    example: '/var/cache',
    meaning: 'programs that nepho makes or fetches are kept in `nepho/bin` under it',
    fallback: '`~/.cache`',
  }),
  PATH: variable(text, {
    kind: 'a list of folders',
    example: '/usr/bin:/usr/local/go/bin',
    meaning: 'where installed programs are looked for',
    fallback: 'nothing is looked for',
  }),
  HOME: variable(text, {
    kind: 'a folder',
    example: '/home/nepho',
    meaning: 'the home of the user, for the cache',
    fallback: "the system's temporary folder",
  }),
});

/** The note of each variable by name, in the order of the documentation. */
export function variableNotes(): [string, VariableNote][] {
  return Object.entries(environmentSchema.shape).map(([key, schema]) => {
    const note = notes.get(schema);
    assert(note !== undefined, `variable ${key} has a note`);
    return [key, note];
  });
}

function linesOf(value: string): string[] {
  return value.split(/\n|\\n/).map((line) => line.trim()).filter((line) => line !== '');
}

function areSecrets(lines: readonly string[]): boolean {
  return lines.length > 0 && !lines.some((line) => SHIPPED_SECRETS.includes(line));
}

function isVkey(value: string): boolean {
  try {
    return parseVkey(value).vkey === value;
  } catch {
    return false;
  }
}

function variable<T extends z.ZodType<unknown, string>>(schema: T, note: VariableNote) {
  const optional = schema.optional();
  notes.add(optional, note);
  return optional;
}

function urlsOf(...protocols: string[]) {
  const one = urlOf(...protocols);
  return z.string().refine((value) =>
    value.split(',').every((part) => one.safeParse(part).success)
  );
}

function urlOf(...protocols: string[]) {
  return z.string().refine((value) => {
    const url = URL.canParse(value) ? new URL(value) : null;
    return url !== null && url.hostname !== '' && protocols.includes(url.protocol);
  });
}
