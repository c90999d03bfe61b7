/** A `nepho poller` in a process of its own, with a cloud of its own to poll. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { childEnvironment } from '../../cli/env.ts';
import { ownCommand } from '../../cli/own_program.ts';
import { CLOUD_USER, CloudApi } from './cloud_api.ts';

export interface PollerProcessOptions {
  cloud: string;
  instances: number;
  /** Milliseconds that counters of one instance take. */
  counterMs: number;
  databaseUrl: string;
  natsUrl: string;
  temporalAddress: string;
}

const READY_MS = 60_000;

/**
 * Clouds of two such processes are alike to the letter, so that it does not matter who polls; by its cloud
 * it is known who does.
 */
export class PollerProcess {
  readonly api: CloudApi;
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #ended: Promise<void>;
  #errors = '';
  #asked = 0;
  #waiting: { at: number; reached: () => void } | null = null;

  static async start(options: PollerProcessOptions): Promise<PollerProcess> {
    const folder = await mkdtemp(path.join(tmpdir(), 'nepho-poller-'));
    const api = await CloudApi.start({ instances: options.instances });
    const file = path.join(folder, 'polling.yaml');
    await writeFile(
      file,
      JSON.stringify({
        clouds: {
          [options.cloud]: {
            auth_url: api.authUrl,
            username: CLOUD_USER.name,
            password_env: 'TEST_CLOUD_PASSWORD',
            project_name: 'service',
          },
        },
        sources: [{ name: 'unused', interval: 60, meters: ['instance'] }],
      }),
    );
    const { command, args } = ownCommand('poller');
    const child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: childEnvironment({
        NEPHO_HOME: folder,
        NEPHO_POLLING_FILE: file,
        TEST_CLOUD_PASSWORD: CLOUD_USER.password,
        DATABASE_URL: options.databaseUrl,
        NEPHO_NATS_URL: options.natsUrl,
        NEPHO_TEMPORAL_ADDRESS: options.temporalAddress,
        NEPHO_LOG_LEVEL: 'warning',
      }),
    });
    const poller = new PollerProcess(api, child, folder);
    poller.api.fault = ({ path: asked }) => poller.#onAsked(asked, options.counterMs);
    try {
      await poller.#ready();
    } catch (error) {
      await poller.end('SIGKILL');
      throw error;
    }
    return poller;
  }

  private constructor(api: CloudApi, child: ChildProcess, folder: string) {
    this.api = api;
    this.#child = child;
    this.#folder = folder;
    const killNow = () => child.kill('SIGKILL');
    process.once('exit', killNow);
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-10_000);
    });
    this.#ended = new Promise((resolve) => {
      child.once('close', () => {
        process.off('exit', killNow);
        resolve();
      });
    });
  }

  /** Instances whose counters it has asked for. */
  get asked(): number {
    return this.#asked;
  }

  /** Resolves when it has asked for the counters of so many more instances: it is in a cycle then. */
  async hasAsked(more: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#waiting = { at: this.#asked + more, reached: resolve };
    });
  }

  /** Ends it by a signal, and its cloud. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    this.#child.kill(signal);
    await this.#ended;
    await this.api.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #onAsked(asked: string, counterMs: number) {
    if (!asked.endsWith('/diagnostics')) return null;
    this.#asked += 1;
    if (this.#asked === this.#waiting?.at) this.#waiting.reached();
    return { kind: 'late', milliseconds: counterMs } as const;
  }

  async #ready(): Promise<void> {
    const { stdout } = this.#child;
    if (stdout === null) throw new Error('the poller has no output');
    const said = new Promise<void>((resolve) => {
      createInterface(stdout).once('line', () => resolve());
    });
    const late = new AbortController();
    const limit = new Promise<never>((_, reject) => {
      const timer = setTimeout(() => reject(new Error('the poller is not ready')), READY_MS);
      late.signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
    });
    const ended = this.#ended.then(() => {
      throw new Error(`the poller has ended: ${this.#errors}`);
    });
    ended.catch(() => {});
    await Promise.race([said, ended, limit]);
    late.abort();
  }
}
