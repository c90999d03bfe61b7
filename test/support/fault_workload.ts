/** What the fault tests send: a fleet's notifications, some rubbish, and some contradictions. */
import { makeFleet } from '../../bench/fleet.ts';
import { SeededRandom } from '../../cli/demo/random.ts';
import type { DefinitionFile } from '../../meters/definition_compile.ts';
import type { JsonObject } from '../../meters/json.ts';
import { shippedDefinitions } from './ingest_setup.ts';

/** A body and what must become of it. */
export interface Parcel {
  bytes: Uint8Array;
  /** The reason by which it must be in quarantine, null for what is understood, '' for either. */
  reason: string | null;
}

export interface Workload {
  /** Everything once. */
  parcels: Parcel[];
  /** What is stored before any fault: part of the above. */
  before: Parcel[];
  /** What is published while faults happen: all of it, most of it twice, in no order. */
  during: Parcel[];
}

const DAY_MS = 86_400_000;
const ENCODER = new TextEncoder();

/** Those of the shipped definitions that the fleet needs: every process compiles them anew. */
export async function fleetDefinitions(): Promise<DefinitionFile[]> {
  return (await shippedDefinitions()).filter(({ name }) => FLEET_DEFINITIONS.test(name));
}

const FLEET_DEFINITIONS = /^(compute|image|network|object_storage|volume)\.yaml$/;

export function makeWorkload(seed: string, count: number): Workload {
  const random = new SeededRandom(`${seed}/workload`);
  const fleet = makeFleet({
    seed: random.between(1, 1_000_000),
    count,
    startMs: Math.floor(Date.now() / DAY_MS) * DAY_MS - 2 * DAY_MS,
  }).map(({ body }) => body);
  const bodies = fleet.map((body) => random.next() < 0.05 ? edited(body, withoutId) : body);
  const contradictions = bodies.filter(() => random.next() < 0.03)
    .map((body) => edited(body, (message) => contradict(message, random)));
  const understood = [...bodies, ...contradictions].map((bytes) => ({ bytes, reason: null }));
  const parcels = [...understood, ...rubbish(bodies, random)];
  const before = random.next() < 0.15 ? [] : parcels.filter(() => random.next() < 0.3);
  const repeated = parcels.filter(() => random.next() < 0.8);
  return { parcels, before, during: shuffled([...parcels, ...repeated], random) };
}

export function shuffled<T>(items: readonly T[], random: SeededRandom): T[] {
  const rest = [...items];
  for (let last = rest.length - 1; last > 0; last -= 1) {
    const other = random.between(0, last);
    const [a, b] = [rest[last], rest[other]];
    if (a !== undefined && b !== undefined) [rest[last], rest[other]] = [b, a];
  }
  return rest;
}

/** Changes the notification inside oslo's envelope. */
export function edited(body: Uint8Array, change: (message: JsonObject) => void): Uint8Array {
  const envelope = JSON.parse(new TextDecoder().decode(body)) as { 'oslo.message': string };
  const message = JSON.parse(envelope['oslo.message']) as JsonObject;
  change(message);
  return ENCODER.encode(JSON.stringify({ ...envelope, 'oslo.message': JSON.stringify(message) }));
}

function withoutId(message: JsonObject): void {
  delete message['message_id'];
}

/** The same id with other content; now and then of another project, hence in another shard. */
function contradict(message: JsonObject, random: SeededRandom): void {
  message['publisher_id'] = `contradiction.${random.hex(8)}`;
  const payload = message['payload'] as JsonObject;
  if (random.next() < 0.5) payload['tenant_id'] = random.hex(32);
}

function rubbish(bodies: readonly Uint8Array[], random: SeededRandom): Parcel[] {
  const some = (): Uint8Array => {
    const body = random.pick(bodies);
    return edited(body, (message) => {
      message['message_id'] = random.uuid();
    });
  };
  return [
    { bytes: Uint8Array.of(0xff, 0xfe, random.between(0, 255)), reason: 'not_utf8' },
    { bytes: some().subarray(0, -random.between(1, 50)), reason: 'not_json' },
    { bytes: ENCODER.encode(`[${random.between(0, 9)}]`), reason: 'not_an_object' },
    { bytes: ENCODER.encode(`{"a": "${random.hex(8)}"}`), reason: 'envelope_invalid' },
    { bytes: edited(some(), withNul), reason: 'text_invalid' },
    { bytes: new Uint8Array(), reason: 'not_json' },
  ];
}

function withNul(message: JsonObject): void {
  message['event_type'] = 'compute.\0';
}
