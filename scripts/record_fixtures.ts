/**
 * Records real notifications of a cloud into a fixture file, one JSON object a line:
 * `{"exchange", "routing_key", "body"}` with the body's text exactly as it was on the wire, but for
 * tokens, which are blanked.
 *
 *     node --import tsx scripts/record_fixtures.ts AMQP_URL FILE [--keep 4]
 *
 * It reads through a queue of its own, which disappears with it, and takes nothing from the queues of
 * others. Make the cloud work meanwhile, then stop it with Ctrl-C: it writes the file and prints how
 * many of which event type it kept (at most `--keep` of each).
 */
import { connect } from 'amqplib';
import type { ChannelModel, ConsumeMessage } from 'amqplib';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { DEFAULT_EXCHANGES } from '../collectors/rabbitmq/topology.ts';
import { decodeNotification } from '../meters/notification.ts';

const LOOK_EVERY_MS = 300;
/** Fernet tokens wherever they stand, and the values of keys that hold secrets. */
const FERNET_TOKEN = /gAAAA[\w-]{40,}={0,2}/g;
const SECRET_FIELD =
  /((?:auth_token|service_token|adminPass|admin_pass|password)\\?": \\?")([^"\\]+)/g;

interface Recorded {
  exchange: string;
  routing_key: string;
  body: string;
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { keep: { type: 'string', default: '4' } },
});
const [url, file] = positionals;
if (url === undefined || file === undefined) {
  console.error('Usage: record_fixtures.ts AMQP_URL FILE [--keep 4]');
  process.exit(2);
}

const kept: Recorded[] = [];
const counts = new Map<string, number>();
const seen = new Set<string>();

const connection = await connect(url);
const channel = await connection.createChannel();
const { queue } = await channel.assertQueue('', { exclusive: true });
await channel.consume(queue, (message) => message && record(message), { noAck: true });
let finishing = false;
const bound = new Set<string>();
await bindNew();
const timer = setInterval(() => void bindNew(), LOOK_EVERY_MS);
console.error(`Recording from ${[...bound].join(', ')}; stop with Ctrl-C`);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, finish);

function record(message: ConsumeMessage): void {
  const body = message.content.toString('utf8')
    .replace(FERNET_TOKEN, 'BLANKED')
    .replace(SECRET_FIELD, '$1BLANKED');
  const { messageId, eventType } = decodeNotification(new TextEncoder().encode(body));
  const id = messageId ?? body;
  const count = counts.get(eventType) ?? 0;
  if (seen.has(id) || count >= Number(values.keep)) return;
  seen.add(id);
  counts.set(eventType, count + 1);
  kept.push({
    exchange: message.fields.exchange,
    routing_key: message.fields.routingKey,
    body,
  });
}

async function bindNew(): Promise<void> {
  for (const exchange of DEFAULT_EXCHANGES) {
    if (bound.has(exchange) || !await exists(connection, exchange)) continue;
    await channel.bindQueue(queue, exchange, 'notifications.*');
    await channel.bindQueue(queue, exchange, 'versioned_notifications.*');
    bound.add(exchange);
    console.error(`Bound to ${exchange}`);
  }
}

/** On a channel of its own: asking for a missing exchange closes the channel that asked. */
async function exists(model: ChannelModel, exchange: string): Promise<boolean> {
  const probe = await model.createChannel();
  probe.on('error', () => undefined);
  try {
    await probe.checkExchange(exchange);
    await probe.close();
    return true;
  } catch {
    return false;
  }
}

function finish(): void {
  if (file === undefined || finishing) return;
  finishing = true;
  clearInterval(timer);
  writeFileSync(file, kept.map((line) => `${JSON.stringify(line)}\n`).join(''));
  for (const [eventType, count] of [...counts].sort(byName)) console.log(`${count}\t${eventType}`);
  void connection.close().then(() => process.exit(0));
}

function byName([left]: [string, number], [right]: [string, number]): number {
  return left < right ? -1 : 1;
}
