/** What `nepho start` shows once the system runs: the demonstration, its figures, the addresses. */
import { readFile } from 'node:fs/promises';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/nats-core';
import { closeBus, connectBus } from '../bus/connection.ts';
import { IntakePublisher } from '../bus/publisher.ts';
import { createClient, type NephoClient } from '../client/client.ts';
import { loadSigners } from '../ledger/key_file.ts';
import { NephoError } from '../meters/errors.ts';
import { createApiIntake } from './api_intake.ts';
import { DemoActors } from './demo_actors.ts';
import { projectNames } from './demo_cloud.ts';
import { DEMO_SEED, DemoFeed } from './demo_feed.ts';
import { tellYesterday } from './demo_story.ts';
import { homePaths } from './embedded_state.ts';
import type { EmbeddedSystem } from './embedded.ts';
import type { Settings } from './env.ts';
import { formatReceipt, verifyOneReceipt } from './first_receipt.ts';
import { busOptions } from './nats_settings.ts';
import { withProgress } from './progress.ts';
import { isThere } from './regular_file.ts';
import { formatUsage, usageByProject } from './usage_table.ts';

export interface PresentOptions {
  /** Return after the first figure, with it as a line of JSON. */
  once: boolean;
  demo: boolean;
  /** Each day is a billing period, as the demonstration's own billing.yaml says. */
  billsDays: boolean;
  /** Of the demonstration, that this start published. */
  notifications: number;
  /** Asks for the end. */
  signal: AbortSignal;
}

const POLL_MS = 100;

/** Shows the first figures, and stays until it is told to end. */
export async function present(
  system: EmbeddedSystem,
  settings: Settings,
  options: PresentOptions,
): Promise<void> {
  const nats = await connectBus(await busOptions({ ...settings, ...system }, 'nepho-start'));
  try {
    await drained(nats, system, options.signal);
    // Told to end before there was a figure.
    if (options.signal.aborted) return;
    const token = (await readFile(system.tokenFile, 'utf8')).trim();
    const nepho = createClient({ url: system.url, token });
    const figure = await showFigures(nepho, { system, settings });
    if (options.demo && !figure.receipt_verified) throw noFigure();
    const statement = await goOn(nepho, { nats, system, settings, options });
    if (options.once) {
      const { notifications } = options;
      process.stdout.write(`${JSON.stringify({ ...figure, notifications, ...statement })}\n`);
      return;
    }
    showAddresses(system);
    if (options.demo) await live(nats, { system, settings, signal: options.signal });
    else await new Promise((resolve) => options.signal.addEventListener('abort', resolve));
  } finally {
    await closeBus(nats);
  }
}

/** Lets hours be sealed, which the feed of the demonstration has held up, and shows what comes of it. */
async function goOn(
  nepho: NephoClient,
  { nats, system, settings, options }: {
    nats: NatsConnection;
    system: EmbeddedSystem;
    settings: Settings;
    options: PresentOptions;
  },
): Promise<object> {
  const { demo, billsDays, signal } = options;
  // An earlier start with the demonstration may have ended in the middle.
  if (!demo && !await isThere(homePaths(settings.home).demo)) return {};
  const { temporalAddress, state: { shards } } = system;
  const actors = await DemoActors.connect({ ...settings, temporalAddress, shards });
  try {
    await actors.releaseKeepers();
    // Periods of the user's own need not end yesterday.
    if (!demo || !billsDays) return {};
    const { figure, text } = await tellYesterday({
      nepho,
      actors,
      vkeys: await verifierKeys(system, settings),
      publisher: new IntakePublisher(nats, { shards }),
      drained: () => drained(nats, system, signal),
      signal,
    });
    process.stdout.write(text);
    return { seconds_to_statement: secondsOfProcess(), ...figure };
  } finally {
    await actors.close();
  }
}

/** The cloud goes on in real time. */
async function live(
  nats: NatsConnection,
  { system, settings, signal }: { system: EmbeddedSystem; settings: Settings; signal: AbortSignal },
): Promise<void> {
  const feed = await DemoFeed.open({
    publisher: new IntakePublisher(nats, { shards: system.state.shards }),
    file: homePaths(settings.home).demo,
    nowMs: Date.now,
  });
  await feed.live(signal);
}

/** Waits until ingest has stored all that waits in the intake. */
async function drained(
  nats: NatsConnection,
  { state }: EmbeddedSystem,
  signal: AbortSignal,
): Promise<void> {
  const intake = createApiIntake(nats, { shards: state.shards, nowMs: Date.now });
  let waiting = 0;
  const empty = async (): Promise<void> => {
    // Twice, since JetStream counts what it has just stored a moment later.
    for (let seen = 0; seen < 2 && !signal.aborted; await delay(POLL_MS)) {
      const backlog = await intake.backlog();
      waiting = backlog.reduce((sum, each) => sum + each.pending + each.unacknowledged, 0);
      seen = waiting === 0 ? seen + 1 : 0;
    }
  };
  await withProgress('Signing and storing', empty, {
    detail: () => `${waiting} notifications wait`,
  });
}

function noFigure(): NephoError {
  return new NephoError(
    'no_figure',
    'Cannot show a verified figure: the demonstration gave no samples, see `npx nepho quarantine list`',
  );
}

interface Figure {
  seconds_to_first_figure: number;
  samples: number;
  receipt_verified: boolean;
}

async function showFigures(
  nepho: NephoClient,
  { system, settings }: { system: EmbeddedSystem; settings: Settings },
): Promise<Figure> {
  const usage = await usageByProject(nepho);
  const receipt = await verifyOneReceipt(nepho, await verifierKeys(system, settings));
  const seconds = secondsOfProcess();
  process.stdout.write(`\n${formatUsage(usage, projectNames(DEMO_SEED))}\n`);
  process.stdout.write(receipt === null ? 'There are no samples yet\n' : formatReceipt(receipt));
  return {
    seconds_to_first_figure: seconds,
    samples: usage.reduce((sum, { samples }) => sum + samples, 0),
    // It throws for one that is not.
    receipt_verified: receipt !== null,
  };
}

function secondsOfProcess(): number {
  return Number(process.uptime().toFixed(1));
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
