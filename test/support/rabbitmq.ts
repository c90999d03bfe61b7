import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'amqplib';
import { freePort } from './free_port.ts';

/** A RabbitMQ for tests: one of our own where Debian's package is, else one that somebody runs. */
export interface RabbitServer {
  readonly url: string;
  /** Null where the broker is not ours to stop: then leave no queue or exchange behind. */
  readonly control: RabbitControl | null;
  stop(): Promise<void>;
}

export interface RabbitControl {
  /** Ends it as an operator would, and returns when it has. */
  shutDown(): Promise<void>;
  /** kill -9. */
  kill(): Promise<void>;
  /** Starts it again on the same port with the same disk. */
  start(): Promise<void>;
}

const SERVER_SCRIPT = '/usr/lib/rabbitmq/bin/rabbitmq-server';
const START_TIMEOUT_MS = 60_000;
const ANSWER_TIMEOUT_MS = 3_000;

/** Why no RabbitMQ can be had here, or false if one can. */
export async function rabbitSkipReason(): Promise<string | false> {
  if (existsSync(SERVER_SCRIPT)) return false;
  const url = foreignUrl();
  return await answers(url)
    ? false
    : 'no RabbitMQ: install the package rabbitmq-server, or set NEPHO_TEST_AMQP';
}

export async function startRabbit(): Promise<RabbitServer> {
  if (process.env['NEPHO_TEST_AMQP'] !== undefined || !existsSync(SERVER_SCRIPT)) {
    return { url: foreignUrl(), control: null, stop: () => Promise.resolve() };
  }
  const directory = mkdtempSync(join(tmpdir(), 'nepho-rabbitmq-'));
  const [port, distPort, epmdPort] = [await freePort(), await freePort(), await freePort()];
  const url = `amqp://guest:guest@127.0.0.1:${port}/`;
  const env = environment(directory, { port, distPort, epmdPort });
  let server: ChildProcess | null = null;
  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<void> => {
    if (server?.pid === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const ended = new Promise((resolve) => server?.once('exit', resolve));
    server.kill(signal);
    await ended;
  };
  const killNow = (): void => {
    server?.kill('SIGKILL');
    spawnSync('epmd', ['-port', String(epmdPort), '-kill'], { stdio: 'ignore' });
  };
  const start = async (): Promise<void> => {
    server = spawn(SERVER_SCRIPT, [], { env, cwd: directory, stdio: 'ignore' });
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!await answers(url)) {
      if (Date.now() > deadline || server.exitCode !== null) {
        throw new Error(`RabbitMQ did not start: ${logOf(directory)}`);
      }
      await delay(100);
    }
  };
  process.once('exit', killNow);
  await start();
  return {
    url,
    control: { start, kill: () => end('SIGKILL'), shutDown: () => end('SIGTERM') },
    stop: async () => {
      await end('SIGKILL');
      killNow();
      process.off('exit', killNow);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Everything of its own: node name, ports, port mapper, cookie, disk; and nothing from /etc. */
function environment(
  directory: string,
  ports: { port: number; distPort: number; epmdPort: number },
): NodeJS.ProcessEnv {
  const log = join(directory, 'log');
  mkdirSync(log);
  return {
    PATH: process.env['PATH'],
    LANG: 'C.UTF-8',
    HOME: directory,
    ERL_EPMD_PORT: String(ports.epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: `nepho${ports.port}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(ports.port),
    RABBITMQ_DIST_PORT: String(ports.distPort),
    RABBITMQ_MNESIA_BASE: join(directory, 'mnesia'),
    RABBITMQ_LOG_BASE: log,
    RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, 'enabled_plugins'),
    RABBITMQ_CONF_ENV_FILE: join(directory, 'rabbitmq-env.conf'),
    RABBITMQ_CONFIG_FILE: join(directory, 'rabbitmq'),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '+S 2:2',
    // Then the script becomes the server instead of keeping it as a child, and signals reach it.
    RUNNING_UNDER_SYSTEMD: 'true',
  };
}

function foreignUrl(): string {
  return process.env['NEPHO_TEST_AMQP'] ?? 'amqp://guest:guest@127.0.0.1:5672/';
}

async function answers(url: string): Promise<boolean> {
  if (!await listens(new URL(url))) return false;
  try {
    const connection = await connect(url, { timeout: ANSWER_TIMEOUT_MS });
    connection.on('error', () => {});
    await connection.close();
    return true;
  } catch {
    return false;
  }
}

/** Asked first: it is quick, and amqplib's attempt is not. */
function listens(url: URL): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTcp({ host: url.hostname, port: Number(url.port || 5672) });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function logOf(directory: string): string {
  const log = join(directory, 'log');
  return readdirSync(log).map((name) => readFileSync(join(log, name), 'utf8').slice(-2_000)).join();
}
