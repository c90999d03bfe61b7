/**
 * The configuration: environment variables, read in this file alone, once, and checked together.
 */
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { assert } from '../meters/assert.ts';
import { NephoError } from '../meters/errors.ts';

/** The folder that holds package.json. */
export const PROJECT_DIR: string = path.resolve(
  path.dirname(fileURLToPath(import.meta.url)),
  '..',
);

export const DEFAULT_HTTP_PORT = 8777;
export const MAX_SHARDS = 256;

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

const notes = z.registry<VariableNote>();

const text = z.string();
const port = z.string().regex(/^\d{1,5}$/).transform(Number).pipe(z.int().max(65_535));
const count = z.string().regex(/^\d{1,9}$/).transform(Number);
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
  NEPHO_NATS_URL: variable(urlOf('nats:', 'tls:', 'ws:', 'wss:'), {
    kind: 'a NATS address',
    example: 'nats://nats.example:4222',
    meaning: 'the NATS server with JetStream',
    fallback: 'started by the embedded system; required when deployed',
    secret: true,
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
  NEPHO_RABBITMQ_URL: variable(urlOf('amqp:', 'amqps:'), {
    kind: 'an AMQP address',
    example: 'amqp://nepho:…@rabbit.example:5672/',
    meaning: "the cloud's RabbitMQ, for `nepho bridge`",
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
  NEPHO_SIGNING_KEY: variable(text.min(16), {
    kind: 'a signing key as `nepho keys new` prints it',
    example: 'PRIVATE+KEY+…',
    meaning: 'the key that signs the logs',
    fallback: 'made at the first embedded start; this or the file is required when deployed',
    secret: true,
  }),
  NEPHO_SIGNING_KEY_FILE: variable(text, {
    kind: 'a file',
    example: '/run/secrets/nepho-signing-key',
    meaning: 'a file that holds the signing key, readable by its owner only',
    fallback: '`keys/signing.key` under NEPHO_HOME in the embedded system',
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

type Environment = z.output<typeof environmentSchema>;

/** The configuration as the rest of the program sees it. */
export interface Settings {
  home: string;
  url: string | null;
  token: string | null;
  databaseUrl: string | null;
  natsUrl: string | null;
  temporalAddress: string | null;
  temporalNamespace: string;
  rabbitmqUrl: string | null;
  shards: number;
  source: string;
  definitionDirs: string[];
  signingKey: string | null;
  signingKeyFile: string | null;
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

/** The whole environment for a child process, with `changes` over it. */
export function childEnvironment(changes: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return { ...process.env, ...changes };
}

/** The notes of every variable by name, in the order of the documentation. */
export function variableNotes(): [string, VariableNote][] {
  return Object.entries(environmentSchema.shape).map(([key, schema]) => [key, noteOf(schema)]);
}

function faultsOf(given: Record<string, string | undefined>): string[] {
  const parsed = environmentSchema.safeParse(given);
  const names = new Set(parsed.success ? [] : parsed.error.issues.map((issue) => issue.path[0]));
  const faults = Object.entries(environmentSchema.shape)
    .filter(([key]) => names.has(key))
    .map(([key, schema]) => {
      const note = noteOf(schema);
      const value = note.secret ? 'its value' : `'${given[key]}'`;
      return `${key}: ${value} is not ${note.kind}, as in ${note.example}`;
    });
  if (given['NEPHO_SIGNING_KEY'] !== undefined && given['NEPHO_SIGNING_KEY_FILE'] !== undefined) {
    faults.push('NEPHO_SIGNING_KEY: NEPHO_SIGNING_KEY_FILE is set too, set only one of them');
  }
  return faults;
}

function settingsOf(env: Environment): Settings {
  const cache = env.XDG_CACHE_HOME ??
    (env.HOME === undefined ? null : path.join(env.HOME, '.cache'));
  return {
    home: path.resolve(env.NEPHO_HOME ?? path.join(PROJECT_DIR, '.nepho')),
    url: env.NEPHO_URL ?? null,
    token: env.NEPHO_TOKEN ?? null,
    databaseUrl: env.DATABASE_URL ?? null,
    natsUrl: env.NEPHO_NATS_URL ?? null,
    temporalAddress: env.NEPHO_TEMPORAL_ADDRESS ?? null,
    temporalNamespace: env.NEPHO_TEMPORAL_NAMESPACE ?? 'default',
    rabbitmqUrl: env.NEPHO_RABBITMQ_URL ?? null,
    shards: env.NEPHO_SHARDS ?? 2,
    source: env.NEPHO_SOURCE ?? 'openstack',
    definitionDirs: env.NEPHO_DEFINITIONS?.split(path.delimiter).filter((dir) => dir !== '') ??
      [path.join(PROJECT_DIR, 'definitions')],
    signingKey: env.NEPHO_SIGNING_KEY ?? null,
    signingKeyFile: env.NEPHO_SIGNING_KEY_FILE ?? null,
    deployment: env.NEPHO_DEPLOYMENT ?? 'nepho.example',
    httpHost: env.NEPHO_HTTP_HOST ?? '127.0.0.1',
    httpPort: env.NEPHO_HTTP_PORT ?? null,
    logLevel: env.NEPHO_LOG_LEVEL ?? 'info',
    logFormat: env.NEPHO_LOG_FORMAT ?? 'auto',
    temporalCli: env.NEPHO_TEMPORAL_CLI ?? null,
    natsServer: env.NEPHO_NATS_SERVER ?? null,
    binDir: path.join(cache ?? path.join(PROJECT_DIR, '.nepho', 'cache'), 'nepho', 'bin'),
    searchPath: env.PATH?.split(path.delimiter).filter((dir) => dir !== '') ?? [],
  };
}

function variable<T extends z.ZodType<unknown, string>>(schema: T, note: VariableNote) {
  const optional = schema.optional();
  notes.add(optional, note);
  return optional;
}

function noteOf(schema: z.ZodType): VariableNote {
  const note = notes.get(schema);
  assert(note !== undefined, 'a variable of the configuration has a note');
  return note;
}

function urlOf(...protocols: string[]) {
  return z.string().refine((value) => {
    const url = URL.canParse(value) ? new URL(value) : null;
    return url !== null && url.hostname !== '' && protocols.includes(url.protocol);
  });
}
