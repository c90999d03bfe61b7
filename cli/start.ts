import { readFile } from 'node:fs/promises';
import process from 'node:process';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Command } from 'commander';
import { setTimeout as delay } from 'node:timers/promises';
import { closeBus, connectBus } from '../bus/connection.ts';
import { IntakePublisher } from '../bus/publisher.ts';
import { intakeShards } from '../bus/streams.ts';
import { createClient, type NephoClient } from '../client/client.ts';
import { loadSigners } from '../ledger/key_file.ts';
import { errorMessage, NephoError } from '../meters/errors.ts';
import { portOf } from './api.ts';
import { createApiIntake } from './api_intake.ts';
import { projectNames } from './demo_cloud.ts';
import { DemoFeed } from './demo_feed.ts';
import { homePaths } from './embedded_state.ts';
import { type EmbeddedSystem, startEmbedded } from './embedded.ts';
import { readSettings, type Settings, unknownVariables } from './env.ts';
import { type FirstReceipt, formatReceipt, verifyOneReceipt } from './first_receipt.ts';
import { busOptions } from './nats_settings.ts';
import { tell, withProgress } from './progress.ts';
import { endOfService } from './signals.ts';
import { formatUsage, usageByProject } from './usage_table.ts';

interface Options {
  once: boolean;
  demo: boolean;
  port?: number;
}

const POLL_MS = 100;
/** The status of a shell's command that Ctrl-C ended: there is no figure then. */
const INTERRUPTED = 130;

export function register(program: Command): void {
  program.command('start')
    .description('run everything on this machine, and show usage of a demonstration cloud')
    .option('--once', 'end after the first verified figure; the last line is JSON', false)
    .option('--no-demo', 'without the demonstration cloud')
    .option('--port <port>', 'of the API, instead of NEPHO_HTTP_PORT', portOf)
    .action(start);
}

async function start(options: Options): Promise<void> {
  const settings = readSettings();
  for (const name of unknownVariables()) {
    tell(`Variable ${name} is set, but means nothing to nepho`);
  }
  const end = endOfService();
  let failure: NephoError | null = null;
  let failed: () => void = () => {};
  const failing = new Promise<void>((resolve) => failed = resolve);
  const onFailure = (error: NephoError): void => {
    failure ??= error;
    failed();
  };
  let system: EmbeddedSystem | null = null;
  try {
    system = await startEmbedded(settings, {
      port: options.port ?? null,
      say: tell,
      signal: end.signal,
      onFailure,
    });
    await Promise.race([present(system, settings, { ...options, signal: end.signal }), failing]);
  } catch (error) {
    // What breaks because we are told to end is no failure.
    if (!end.signal.aborted) failure ??= asFailure(error);
  } finally {
    if (!options.once) tell('Stopping');
    await system?.stop();
    end.dispose();
  }
  if (failure !== null) throw failure;
  if (options.once && end.signal.aborted) process.exitCode = INTERRUPTED;
  if (!options.once) {
    tell(`Stopped. The data is in ${settings.home}; \`npm start\` goes on with it`);
  }
}

/** Feeds the demonstration, shows the first figures, and stays until it is told to end. */
async function present(
  system: EmbeddedSystem,
  settings: Settings,
  options: Options & { signal: AbortSignal },
): Promise<void> {
  const nats = await connectBus(await busOptions({ ...settings, ...system }, 'nepho-start'));
  try {
    const feed = await openFeed(settings, nats);
    if (options.demo) {
      await withProgress('Feeding a day of the demonstration cloud', () => feed.catchUp(), {
        detail: () => `${feed.counts.published} notifications`,
      });
    }
    await drained(nats, system, options.signal);
    // Told to end before there was a figure.
    if (options.signal.aborted) return;
    const token = (await readFile(system.tokenFile, 'utf8')).trim();
    const nepho = createClient({ url: system.url, token });
    const figure = await showFigures(nepho, { system, settings, feed });
    if (options.once) {
      process.stdout.write(
        `${JSON.stringify({ ...figure, notifications: feed.counts.published })}\n`,
      );
      return;
    }
    showAddresses(system);
    if (options.demo) await feed.live(options.signal);
    else await new Promise((resolve) => options.signal.addEventListener('abort', resolve));
  } finally {
    await closeBus(nats);
  }
}

async function openFeed(settings: Settings, nats: NatsConnection): Promise<DemoFeed> {
  const shards = await intakeShards(await jetstreamManager(nats));
  return await DemoFeed.open({
    publisher: new IntakePublisher(nats, { shards }),
    file: homePaths(settings.home).demo,
    nowMs: Date.now,
  });
}

/** Waits until ingest has stored all that waits in the intake. */
async function drained(
  nats: NatsConnection,
  { state }: EmbeddedSystem,
  signal: AbortSignal,
): Promise<void> {
  const intake = createApiIntake(nats, { shards: state.shards, nowMs: Date.now });
  let waiting = Infinity;
  const empty = async (): Promise<void> => {
    while (waiting > 0 && !signal.aborted) {
      const backlog = await intake.backlog();
      waiting = backlog.reduce(
        (sum, { pending, unacknowledged }) => sum + pending + unacknowledged,
        0,
      );
      if (waiting > 0) await delay(POLL_MS);
    }
  };
  await withProgress('Signing and storing', empty, {
    detail: () => `${waiting} notifications wait`,
  });
}

interface Figure {
  seconds_to_first_figure: number;
  samples: number;
  receipt_verified: boolean;
}

async function showFigures(
  nepho: NephoClient,
  { system, settings, feed }: { system: EmbeddedSystem; settings: Settings; feed: DemoFeed },
): Promise<Figure> {
  const usage = await usageByProject(nepho);
  const receipt = await verifyOneReceipt(nepho, await verifierKeys(system, settings));
  const seconds = Number(process.uptime().toFixed(1));
  process.stdout.write(`\n${formatUsage(usage, projectNames(feed.memory.seed))}\n`);
  process.stdout.write(receipt === null ? 'There are no samples yet\n' : formatReceipt(receipt));
  return {
    seconds_to_first_figure: seconds,
    samples: usage.reduce((sum, { samples }) => sum + samples, 0),
    receipt_verified: isVerified(receipt),
  };
}

/** `verifyOneReceipt` throws for one that is not. */
function isVerified(receipt: FirstReceipt | null): boolean {
  return receipt !== null;
}

/** The public halves of our own key files: what the API says is not to be believed for this. */
async function verifierKeys(system: EmbeddedSystem, settings: Settings): Promise<string[]> {
  const signers = await loadSigners({
    name: system.state.deployment,
    values: settings.signingKeys,
    files: system.signingKeyFiles,
  });
  return signers.map(({ vkey }) => vkey);
}

function showAddresses({ url, tokenFile, temporalAddress, natsMonitorUrl }: EmbeddedSystem): void {
  process.stdout.write(`
API           ${url}   (health: ${url}/health, metrics: ${url}/metrics)
Signed logs   ${url}/log/0/checkpoint
Operator key  ${tokenFile}
Temporal      ${temporalAddress}
NATS          ${natsMonitorUrl ?? 'as configured'}

Try           npx nepho meters · npx nepho samples --meter vcpus · npx nepho actors list
A real cloud  npx nepho bridge --rabbitmq amqp://user:password@host:5672/
Ctrl-C ends everything and loses nothing
`);
}

function asFailure(error: unknown): NephoError {
  return error instanceof NephoError
    ? error
    : new NephoError('start_failed', `Cannot start: ${errorMessage(error)}`, { cause: error });
}
