/**
 * Notifications of a fleet, in the shapes and sizes that a real cloud sends: each is a recorded body with
 * other ids and times. Deterministic by seed. For the benchmark and the fault tests.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const RECORDED = new URL('../test/fixtures/notifications/little_cloud.jsonl', import.meta.url);

/** How often each event type comes, of 100; as in a cloud of audits each hour and little change. */
const MIX: readonly (readonly [string, number])[] = [
  ['compute.instance.exists', 66],
  ['compute.instance.create.end', 3],
  ['compute.instance.power_off.end', 2],
  ['compute.instance.power_on.end', 2],
  ['volume.create.end', 4],
  ['snapshot.create.end', 2],
  ['port.exists', 6],
  ['network.exists', 3],
  ['router.exists', 2],
  ['floatingip.exists', 3],
  ['image.upload', 2],
  ['objectstore.http.request', 4],
  ['scheduler.select_destinations.end', 1],
];

/** Notifications that each resource sends, so that a series has as many samples. */
const EACH = 40;
const PROJECTS = 50;
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const HEX_ID = /(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])/g;

export interface FleetOptions {
  seed: number;
  count: number;
  /** The number of the first one; 0 unless given. The same fleet goes on with another wave. */
  first?: number;
  /** Milliseconds since 1970 of notification 0. */
  startMs: number;
  /** Milliseconds between two; 6 seconds unless given. */
  stepMs?: number;
}

export interface FleetMessage {
  messageId: string;
  projectId: string;
  body: Uint8Array;
}

interface Template {
  eventType: string;
  /** The inner message as JSON text. */
  text: string;
}

/** `count` notifications in the order of their times, envelopes and all. */
export function makeFleet(options: FleetOptions): FleetMessage[] {
  const templates = readTemplates();
  const messages: FleetMessage[] = [];
  const sent = new Map<string, number>();
  const first = options.first ?? 0;
  for (let index = first; index < first + options.count; index += 1) {
    const template = pick(templates, Math.floor(random(options.seed, index) * 100));
    const number = sent.get(template.eventType) ?? 0;
    sent.set(template.eventType, number + 1);
    const fleetSize = Math.max(
      1,
      Math.ceil(options.count * weightOf(template.eventType) / EACH / 100),
    );
    const resource = `${template.eventType.split('.')[0]}-${number % fleetSize}`;
    messages.push(makeMessage(template, { ...options, index, resource }));
  }
  return messages;
}

function makeMessage(
  template: Template,
  options: FleetOptions & { index: number; resource: string },
): FleetMessage {
  const { seed, index, resource } = options;
  const messageId = uuidOf(`${seed}/message/${index}`);
  const projectId = hash(`${seed}/project/${hashNumber(resource) % PROJECTS}`).slice(0, 32);
  const time = new Date(options.startMs + index * (options.stepMs ?? 6_000)).toISOString();
  // One real id becomes one made id of the resource, wherever it stands; so shapes and sizes stay.
  const text = template.text
    .replace(UUID, (id) => uuidOf(`${seed}/${resource}/${id}`))
    .replace(HEX_ID, projectId);
  const message = {
    ...JSON.parse(text) as Record<string, unknown>,
    message_id: messageId,
    timestamp: time.replace('T', ' ').replace('Z', '000'),
  };
  const body = JSON.stringify({ 'oslo.version': '2.0', 'oslo.message': JSON.stringify(message) });
  return { messageId, projectId, body: new TextEncoder().encode(body) };
}

function readTemplates(): ReadonlyMap<string, Template> {
  const templates = new Map<string, Template>();
  for (const line of readFileSync(RECORDED, 'utf8').split('\n').filter((text) => text !== '')) {
    const { body } = JSON.parse(line) as { body: string };
    const envelope = JSON.parse(body) as { 'oslo.message': string };
    const text = envelope['oslo.message'];
    const { event_type: eventType } = JSON.parse(text) as { event_type: string };
    templates.set(eventType, { eventType, text });
  }
  return templates;
}

function pick(templates: ReadonlyMap<string, Template>, draw: number): Template {
  let left = draw;
  for (const [eventType, weight] of MIX) {
    left -= weight;
    const template = templates.get(eventType);
    if (template === undefined) throw new Error(`no recorded notification of type '${eventType}'`);
    if (left < 0) return template;
  }
  throw new Error('the mix adds up to 100');
}

function weightOf(eventType: string): number {
  return MIX.find(([name]) => name === eventType)?.[1] ?? 0;
}

function random(seed: number, index: number): number {
  return hashNumber(`${seed}/${index}`) / 2 ** 32;
}

function hashNumber(text: string): number {
  return Number.parseInt(hash(text).slice(0, 8), 16);
}

function uuidOf(text: string): string {
  const hex = hash(text);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${
    hex.slice(20, 32)
  }`;
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
