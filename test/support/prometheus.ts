import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { atExit } from './at_exit.ts';
import { freePort } from './free_port.ts';

/** Where Debian puts it; it is in no PATH of an unprivileged shell's surprises. */
const PROMETHEUS = '/usr/bin/prometheus';
const PROMTOOL = '/usr/bin/promtool';
const PYTHON = '/usr/bin/python3';
const START_TIMEOUT_MS = 20_000;

/** Why Prometheus cannot be run here, or false if it can. */
export function prometheusSkipReason(): string | false {
  return existsSync(PROMETHEUS) && existsSync(PROMTOOL)
    ? false
    : 'Prometheus is not installed: apt-get install --no-install-recommends prometheus';
}

/** Why Python's prometheus_client cannot be asked here, or false if it can. */
export function prometheusClientSkipReason(): string | false {
  if (!existsSync(PYTHON)) return `${PYTHON} is not there`;
  const asked = spawnSync(PYTHON, ['-c', 'import prometheus_client.openmetrics.parser']);
  return asked.status === 0
    ? false
    : 'prometheus_client is not installed: apt-get install python3-prometheus-client';
}

/** A Prometheus of the test's own on the loopback address. */
export interface PrometheusServer {
  readonly url: string;
  stop(): Promise<void>;
}

export interface PrometheusOptions {
  /** `host:port` of an exporter to scrape every second. */
  target?: string;
  /** OpenMetrics text with timestamps, put into its memory before it starts. */
  history?: string;
}

export async function startPrometheus(options: PrometheusOptions = {}): Promise<PrometheusServer> {
  const directory = mkdtempSync(join(tmpdir(), 'nepho-prometheus-'));
  const data = join(directory, 'data');
  const config = join(directory, 'prometheus.yml');
  const port = await freePort();
  if (options.history !== undefined) importHistory(directory, data, options.history);
  writeFileSync(config, configOf(options.target));
  const server = spawn(PROMETHEUS, [
    `--config.file=${config}`,
    `--storage.tsdb.path=${data}`,
    '--storage.tsdb.retention.time=10y',
    `--web.listen-address=127.0.0.1:${port}`,
    '--log.level=error',
  ], { stdio: 'ignore' });
  const forget = atExit(() => server.kill('SIGKILL'));
  const url = `http://127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    await ended(server);
    forget();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await ready(url);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, stop };
}

function importHistory(directory: string, data: string, history: string): void {
  const file = join(directory, 'history.txt');
  writeFileSync(file, history);
  const run = spawnSync(PROMTOOL, ['tsdb', 'create-blocks-from', 'openmetrics', file, data], {
    encoding: 'utf8',
    timeout: START_TIMEOUT_MS,
  });
  if (run.status !== 0) throw new Error(`promtool failed: ${run.stderr}`);
}

function configOf(target: string | undefined): string {
  if (target === undefined) return 'global: {}\n';
  return JSON.stringify({
    global: { scrape_interval: '1s', scrape_timeout: '1s' },
    scrape_configs: [{ job_name: 'test', static_configs: [{ targets: [target] }] }],
  });
}

async function ready(url: string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      const answer = await fetch(`${url}/-/ready`);
      await answer.body?.cancel();
      if (answer.ok) return;
    } catch {
      // Not listening yet.
    }
    if (Date.now() > deadline) throw new Error('prometheus did not start');
    await delay(50);
  }
}

async function ended(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const gone = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGKILL');
  await gone;
}

/** True if Go's own parser of the text format takes the text; what it thinks of names is not asked. */
export function promtoolTakes(text: string): boolean {
  const run = spawnSync(PROMTOOL, ['check', 'metrics'], { input: text, encoding: 'utf8' });
  return !run.stderr.includes('error while linting') && run.status !== 1;
}
