import { readFile } from 'node:fs/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import { type Command, Option } from 'commander';
import { closeBus, connectBus } from '../bus/connection.ts';
import { IntakePublisher } from '../bus/publisher.ts';
import { intakeShards } from '../bus/streams.ts';
import { readSyncInterval } from '../bus/sync_interval.ts';
import { type Bridge, startBridge } from '../collectors/rabbitmq/bridge.ts';
import { NephoError } from '../meters/errors.ts';
import { readSettings, type Settings } from './env.ts';
import { configureLogging, logger } from './logging.ts';
import { busOptions } from './nats_settings.ts';
import { withRunningParts } from './running_parts.ts';
import { announceReady, endOfService } from './signals.ts';

interface Options {
  rabbitmq?: string;
  queue?: string;
  queueType?: 'classic' | 'quorum';
  exchange?: string[];
  topic?: string[];
  ca?: string;
  wait: boolean;
}

const REPORT_EVERY_MS = 10_000;

export function register(program: Command): void {
  program.command('bridge')
    .description("carry a cloud's notifications from its RabbitMQ into the intake")
    .option('--rabbitmq <url>', 'amqp://user:password@host:5672/vhost, or a transport_url')
    .option('--queue <name>', 'our own durable queue, made if it is missing')
    .addOption(
      new Option('--queue-type <type>', 'of a queue that is made').choices(['classic', 'quorum']),
    )
    .option('--exchange <name...>', "exchanges to listen on, instead of all of OpenStack's")
    .option('--topic <name...>', 'topics, instead of notifications and versioned_notifications')
    .option('--ca <file>', "the certificate of RabbitMQ's authority, in PEM")
    .option('--wait', 'keep trying if RabbitMQ is not there at the start', false)
    .action(runBridge);
}

async function runBridge(options: Options): Promise<void> {
  const settings = await withRunningNats(readSettings());
  const amqpUrl = options.rabbitmq ?? settings.rabbitmqUrl;
  if (amqpUrl === null) {
    throw new NephoError(
      'usage_invalid',
      "Cannot bridge without RabbitMQ's address: give --rabbitmq or set NEPHO_RABBITMQ_URL",
    );
  }
  await configureLogging(settings, 'bridge');
  const end = endOfService();
  const log = logger('bridge');
  const nats = await connectBus({
    ...await busOptions(settings, 'nepho-bridge'),
    onStatus: ({ event, detail }) => log.warn(event, { detail }),
  });
  try {
    const { warning } = await readSyncInterval(nats, settings.natsMonitorUrl);
    if (warning !== null) log.warn('acknowledged_before_synced', { detail: warning });
    const shards = await intakeShards(await jetstreamManager(nats));
    const bridge = await startBridge({
      amqpUrl,
      publisher: new IntakePublisher(nats, { shards }),
      log,
      waitForServer: options.wait,
      ...options.queue === undefined ? {} : { queue: options.queue },
      ...options.queueType === undefined ? {} : { queueType: options.queueType },
      ...options.exchange === undefined ? {} : { exchanges: options.exchange },
      ...options.topic === undefined ? {} : { topics: options.topic },
      ...options.ca === undefined ? {} : { caCertificate: await readCertificate(options.ca) },
    });
    announceReady({ shards });
    const reporting = setInterval(reporter(bridge), REPORT_EVERY_MS);
    await end.asked;
    clearInterval(reporting);
    await bridge.stop();
  } finally {
    await closeBus(nats);
    end.dispose();
  }
}

/** Logs what the bridge did, whenever it did something. */
function reporter(bridge: Bridge): () => void {
  let last = bridge.stats().received;
  return () => {
    const stats = bridge.stats();
    if (stats.received === last) return;
    const perSecond = Math.round((stats.received - last) / (REPORT_EVERY_MS / 1_000));
    last = stats.received;
    logger('bridge').info('bridge_carried', { ...stats, per_second: perSecond });
  };
}

/** Beside an embedded system the bridge finds its NATS by itself. */
async function withRunningNats(settings: Settings): Promise<Settings & { natsUrl: string }> {
  const found = await withRunningParts(settings);
  if (found.natsUrl !== null) return { ...found, natsUrl: found.natsUrl };
  throw new NephoError(
    'not_running',
    'Cannot find the intake: start nepho by `npm start`, or set NEPHO_NATS_URL',
  );
}

async function readCertificate(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new NephoError('file_unreadable', `Cannot read the certificate '${file}'`, { cause });
  }
}
