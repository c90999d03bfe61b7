import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';

import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, type QueryResult } from 'pg';
import { atExit } from './at_exit.ts';
import { freePort } from './free_port.ts';

/** A real PostgreSQL with an empty database of its own. */
export interface PostgresServer {
  readonly url: string;
  /** `15.18`, as the server says. */
  readonly version: string;
  /** False for a cluster given by DATABASE_URL, which is not ours to stop. */
  readonly canRestart: boolean;
  /** Stops cleanly ('fast') and starts again on the same port and data. */
  restart(): Promise<void>;
  /** kill -9 of the whole cluster, then a start that recovers from the write-ahead log. */
  crash(): Promise<void>;
  /** kill -9 of the whole cluster. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /**
   * Another database on the same cluster: empty, or a copy of the one at `template`, which nobody may be
   * connected to. @returns its address
   */
  createDatabase(options?: { template?: string }): Promise<string>;
  /** Drops what was made; of a private cluster nothing remains. */
  stop(): Promise<void>;
}

export interface PostgresOptions {
  /** True (the default) keeps `fsync` on, so that a benchmark measures what a deployment would. */
  fsync?: boolean;
  /** Further `name=value` settings of a private cluster. */
  settings?: readonly string[];
  /** True: always a private cluster, even if DATABASE_URL is set, for tests that stop it. */
  isPrivate?: boolean;
}

const START_TIMEOUT_MS = 30_000;

/**
 * Why no PostgreSQL can be had here, or null if one can: for `test(name, { skip }, …)`, which then says
 * so aloud.
 */
export function postgresSkipReason(options: PostgresOptions = {}): string | false {
  if (givenUrl(options) !== undefined) return false;
  if (findBinaries() === null) {
    return 'no PostgreSQL: install its server (Debian: postgresql) or set DATABASE_URL';
  }
  if (process.getuid?.() === 0 && unprivilegedUser() === null) {
    return 'no PostgreSQL: running as root and there is no user postgres or nobody to run it as';
  }
  return false;
}

/** An own database on the cluster of DATABASE_URL, else a private cluster from installed binaries. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const reason = postgresSkipReason(options);
  if (reason !== false) throw new Error(reason);
  const given = givenUrl(options);
  return given === undefined ? await startCluster(options) : await useCluster(given);
}

function givenUrl(options: PostgresOptions): string | undefined {
  return options.isPrivate === true ? undefined : process.env['DATABASE_URL'];
}

async function useCluster(given: string): Promise<PostgresServer> {
  const made: string[] = [];
  const create = async (options?: { template?: string }) => {
    const name = `nepho_test_${randomBytes(6).toString('hex')}`;
    await run(given, `CREATE DATABASE ${name}${templateClause(options)}`);
    made.push(name);
    const url = new URL(given);
    url.pathname = `/${name}`;
    return url.href;
  };
  const refuse = () => Promise.reject(new Error('The cluster of DATABASE_URL is not ours to stop'));
  return {
    url: await create(),
    version: await serverVersion(given),
    canRestart: false,
    restart: refuse,
    crash: refuse,
    kill: refuse,
    start: refuse,
    createDatabase: create,
    stop: async () => {
      for (const name of made) await run(given, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

function templateClause({ template }: { template?: string } = {}): string {
  return template === undefined ? '' : ` TEMPLATE ${new URL(template).pathname.slice(1)}`;
}

async function startCluster(options: PostgresOptions): Promise<PostgresServer> {
  const binaries = findBinaries();
  if (binaries === null) throw new Error('no PostgreSQL binaries');
  const directory = mkdtempSync(join(tmpdir(), 'nepho-postgres-'));
  const user = process.getuid?.() === 0 ? unprivilegedUser() : null;
  if (user !== null) chownSync(directory, user.uid, user.gid);
  chmodSync(directory, 0o700);
  const cluster = new Cluster({ binaries, directory, user, port: await freePort(), options });
  const forget = atExit(() => {
    cluster.endNow();
    rmSync(directory, { recursive: true, force: true });
  });
  const guard = startGuard(directory);
  cluster.initialise();
  await cluster.start();
  const admin = cluster.urlOf('postgres');
  const create = async (options?: { template?: string }) => {
    const name = `nepho_${randomBytes(6).toString('hex')}`;
    await run(admin, `CREATE DATABASE ${name}${templateClause(options)}`);
    return cluster.urlOf(name);
  };
  return {
    url: await create(),
    version: await serverVersion(admin),
    canRestart: true,
    restart: async () => {
      await cluster.stop('SIGINT');
      await cluster.start();
    },
    crash: async () => {
      await cluster.kill();
      await cluster.start();
    },
    kill: () => cluster.kill(),
    start: () => cluster.start(),
    createDatabase: create,
    stop: async () => {
      await cluster.stop('SIGQUIT');
      rmSync(directory, { recursive: true, force: true });
      forget();
      guard.kill('SIGKILL');
    },
  };
}

interface User {
  uid: number;
  gid: number;
}

interface ClusterOptions {
  binaries: string;
  directory: string;
  user: User | null;
  port: number;
  options: PostgresOptions;
}

class Cluster {
  readonly #options: ClusterOptions;
  #server: ChildProcess | undefined;
  #log = '';

  constructor(options: ClusterOptions) {
    this.#options = options;
  }

  urlOf(database: string): string {
    return `postgres://nepho@127.0.0.1:${this.#options.port}/${database}`;
  }

  initialise(): void {
    const { binaries, directory, user } = this.#options;
    const { status, stderr } = spawnSync(join(binaries, 'initdb'), [
      `--pgdata=${join(directory, 'data')}`,
      '--username=nepho',
      '--auth=trust',
      '--encoding=UTF8',
      '--no-locale',
      '--no-sync',
    ], { ...asUser(user), cwd: directory, encoding: 'utf8' });
    if (status !== 0) throw new Error(`initdb failed: ${stderr}`);
  }

  async start(): Promise<void> {
    const { binaries, directory, user, port, options } = this.#options;
    const settings = [
      'listen_addresses=127.0.0.1',
      `port=${port}`,
      `unix_socket_directories=${directory}`,
      `fsync=${options.fsync === false ? 'off' : 'on'}`,
      'timezone=UTC',
      'log_min_messages=warning',
      ...options.settings ?? [],
    ];
    const server = spawn(
      join(binaries, 'postgres'),
      ['-D', join(directory, 'data'), ...settings.flatMap((setting) => ['-c', setting])],
      { ...asUser(user), cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    this.#log = '';
    server.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#log = (this.#log + text).slice(-10_000);
    });
    this.#server = server;
    await this.#ready(server);
  }

  /** SIGINT is PostgreSQL's fast shutdown, SIGQUIT its immediate one. */
  async stop(signal: 'SIGINT' | 'SIGQUIT'): Promise<void> {
    const server = this.#server;
    if (server === undefined || hasExited(server)) return;
    const exited = new Promise((resolve) => server.once('exit', resolve));
    server.kill(signal);
    await exited;
  }

  /** For the moment in which this process ends: does not wait. */
  endNow(): void {
    this.#server?.kill('SIGQUIT');
  }

  async kill(): Promise<void> {
    const server = this.#server;
    if (server === undefined || hasExited(server)) return;
    const children = childrenOf(server.pid ?? -1);
    const exited = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGKILL');
    await exited;
    // Backends see that the postmaster is gone only when they next look; a power cut would not wait.
    for (const pid of children) killQuietly(pid);
    while (children.some(isAlive)) await delay(10);
  }

  async #ready(server: ChildProcess): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    for (;;) {
      if (hasExited(server)) throw new Error(`PostgreSQL ended while starting:\n${this.#log}`);
      const failure = await run(this.urlOf('postgres'), 'SELECT 1').then(() => null, String);
      if (failure === null) return;
      if (Date.now() > deadline) {
        throw new Error(`PostgreSQL is not ready: ${failure}\n${this.#log}`);
      }
      await delay(20);
    }
  }
}

/**
 * A shell that waits for the end of its standard input, which is the end of this process, be it by
 * kill -9; then it ends the server and removes the directory.
 */
function startGuard(directory: string): ChildProcess {
  const script = 'cat >/dev/null; kill -QUIT "$(head -n 1 "$0/data/postmaster.pid")"; rm -rf "$0"';
  const guard = spawn('sh', ['-c', script, directory], {
    stdio: ['pipe', 'ignore', 'ignore'],
    // Of a group of its own, so that what ends our group does not end it first.
    detached: true,
  });
  guard.unref();
  // The pipe must stay open and yet not keep this process from ending.
  (guard.stdin as Partial<Socket>).unref?.();
  return guard;
}

function asUser(user: User | null): { uid?: number; gid?: number } {
  return user === null ? {} : { uid: user.uid, gid: user.gid };
}

function hasExited(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** PostgreSQL refuses to run as root. */
function unprivilegedUser(): User | null {
  const accounts = existsSync('/etc/passwd') ? readFileSync('/etc/passwd', 'utf8') : '';
  for (const name of ['postgres', 'nobody']) {
    const fields = accounts.split('\n').find((line) => line.startsWith(`${name}:`))?.split(':');
    if (fields !== undefined) return { uid: Number(fields[2]), gid: Number(fields[3]) };
  }
  return null;
}

/** The directory that holds `initdb` and `postgres`: the newest of Debian's, else one of PATH. */
function findBinaries(): string | null {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian) : [];
  const newestFirst = versions.sort((a, b) => Number(b) - Number(a))
    .map((version) => join(debian, version, 'bin'));
  const path = (process.env['PATH'] ?? '').split(delimiter);
  const isWhole = (directory: string) =>
    ['initdb', 'postgres'].every((binary) => existsSync(join(directory, binary)));
  return [...newestFirst, ...path].find(isWhole) ?? null;
}

function childrenOf(parent: number): number[] {
  const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', String(parent)], {
    encoding: 'utf8',
  });
  return (stdout ?? '').split('\n').map((line) => Number(line.trim())).filter((pid) => pid > 0);
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself meanwhile.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function run(url: string, statement: string): Promise<QueryResult> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    return await client.query(statement);
  } finally {
    await client.end().catch(() => {});
  }
}

async function serverVersion(url: string): Promise<string> {
  const { rows } = await run(url, 'SHOW server_version');
  return String(rows[0].server_version).split(' ')[0] ?? '';
}
