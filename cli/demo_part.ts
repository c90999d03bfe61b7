/** What the demonstration brings into an embedded system before its own parts start. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { closeBus, connectBus } from '../bus/connection.ts';
import { IntakePublisher } from '../bus/publisher.ts';
import { ensureIntakeStream } from '../bus/streams.ts';
import { DemoActors } from './demo_actors.ts';
import { DemoFeed, type FeedCounts } from './demo_feed.ts';
import { homePaths } from './embedded_state.ts';
import type { Settings } from './env.ts';
import { busOptions } from './nats_settings.ts';
import { withProgress } from './progress.ts';
import { isThere } from './regular_file.ts';

/** Closes each day at once, so that there is a statement to show. */
const BILLING =
  `# Written by \`npm start\` for its demonstration: a statement a day, as soon as the day is sealed.
# A billing.yaml of your own beside this file takes its place: docs/statements.md.
periods:
  default:
    length: day
grace: 0s
`;

/**
 * Variables for the worker and the API, beneath those that the user set: hours are sealed and days billed
 * within seconds instead of days.
 */
export async function demoEnvironment(settings: Settings): Promise<Record<string, string>> {
  const wanted: Record<string, string> = { NEPHO_SEAL_GRACE: '10s' };
  if (!await hasBilling(settings)) wanted['NEPHO_BILLING'] = await writeBilling(settings.home);
  return Object.fromEntries(Object.entries(wanted).filter(([name]) => !settings.given.has(name)));
}

/**
 * Publishes what happened in the demonstration cloud until now, before the worker starts: meanwhile no hour
 * may be sealed, or what is told after that would be late.
 */
export async function feedDemo(
  settings: Settings,
  { natsUrl, temporalAddress, shards }: {
    natsUrl: string;
    temporalAddress: string;
    shards: number;
  },
): Promise<FeedCounts> {
  const actors = await DemoActors.connect({ ...settings, temporalAddress, shards });
  try {
    await actors.holdKeepers();
  } finally {
    await actors.close();
  }
  const nats = await connectBus(await busOptions({ ...settings, natsUrl }, 'nepho-demo'));
  try {
    await ensureIntakeStream(await jetstreamManager(nats), {
      shards,
      maxBytes: settings.intakeBytes,
    });
    const feed = await DemoFeed.open({
      publisher: new IntakePublisher(nats, { shards }),
      file: homePaths(settings.home).demo,
      nowMs: Date.now,
    });
    await withProgress('Feeding two days of the demonstration cloud', () => feed.catchUp(), {
      detail: () => `${feed.counts.published} notifications`,
    });
    return feed.counts;
  } finally {
    await closeBus(nats);
  }
}

async function hasBilling({ billingFiles }: Settings): Promise<boolean> {
  const found = await Promise.all(billingFiles.map((file) => isThere(file)));
  return found.includes(true);
}

/** @returns the file */
async function writeBilling(home: string): Promise<string> {
  const file = path.join(home, 'demo_billing.yaml');
  await mkdir(home, { recursive: true, mode: 0o700 });
  await writeFile(file, BILLING);
  return file;
}
