/**
 * What may come instead of a notification: a case for each kind of bad input, and a fuzz of them. All
 * stand on a notification that gives one sample by {@link INPUT_DEFINITIONS}.
 */
import { makeFleet } from '../../bench/fleet.ts';
import { SeededRandom } from '../../cli/demo/random.ts';
import type { DefinitionFile } from '../../meters/definition_compile.ts';
import { MAX_NOTIFICATION_BYTES } from '../../meters/limits.ts';
import type { Parcel } from './fault_workload.ts';

/** Beside the shipped ones: definitions that can be made to fail by what they read. */
export const INPUT_DEFINITIONS: DefinitionFile = {
  name: 'bad_input.yaml',
  text: `metric:
  - name: input.one
    event_type: input.one
    type: gauge
    unit: B
    volume: $.payload.size
    resource_id: $.payload.id
    project_id: $.payload.tenant_id
    metadata: {name: $.payload.name, any: $.payload.any}
  - name: input.timed
    event_type: input.timed
    type: gauge
    unit: B
    volume: 1
    resource_id: $.payload.id
    timestamp: $.payload.when
  - name: $.payload.items[*].n
    event_type: input.many
    type: gauge
    unit: B
    volume: $.payload.items[*].v
    resource_id: $.payload.id
    lookup: [name, volume]
  - name: $.payload.kinds[*].n
    event_type: input.typed
    type: $.payload.kinds[*].t
    unit: B
    volume: $.payload.kinds[*].v
    resource_id: $.payload.id
    lookup: [name, volume, type]
`,
};

/** Everything that an ingested message can be refused for. */
export const QUARANTINE_REASONS: ReadonlySet<string> = new Set([
  'not_utf8',
  'not_json',
  'not_an_object',
  'envelope_invalid',
  'too_deep',
  'too_large',
  'too_many_samples',
  'volume_invalid',
  'timestamp_missing',
  'timestamp_invalid',
  'timestamp_out_of_range',
  'resource_missing',
  'text_invalid',
  'name_too_long',
  'definition_failed',
  'content_conflict',
  'delivery_exhausted',
  'object_missing',
  'storage_refused',
]);

export interface InputCase extends Parcel {
  title: string;
}

const ENCODER = new TextEncoder();
const DAY_MS = 86_400_000;
/** Levels of nesting that end a parser which recurses. */
const LEVELS = 100_000;

type Json = Record<string, unknown>;

const YESTERDAY = oslo(Date.now() - DAY_MS);

/** A notification that gives one sample, changed. */
export function inputMessage(changes: Json = {}, payload: Json = {}): Json {
  return {
    message_id: 'a-message',
    event_type: 'input.one',
    publisher_id: 'test.host',
    priority: 'INFO',
    timestamp: YESTERDAY,
    payload: { id: 'a-resource', tenant_id: 'a-project', size: 1, name: 'a', ...payload },
    ...changes,
  };
}

function oslo(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').replace('Z', '000');
}

function json(value: unknown): Uint8Array {
  return ENCODER.encode(JSON.stringify(value));
}

/** A case for each row of what may be wrong; `message_id` tells them apart. */
export function inputCases(): InputCase[] {
  const cases: InputCase[] = [];
  const bytes = (title: string, reason: string | null, body: Uint8Array): void => {
    cases.push({ title, reason, bytes: body });
  };
  const text = (title: string, reason: string | null, body: string): void =>
    bytes(title, reason, ENCODER.encode(body));
  const message = (title: string, reason: string | null, changes: Json, payload: Json = {}): void =>
    bytes(title, reason, json(inputMessage({ message_id: title, ...changes }, payload)));
  const volume = (title: string, reason: string | null, size: unknown): void =>
    message(title, reason, {}, { size });
  /** A token that JSON.stringify cannot write in the place of the volume. */
  const token = (title: string, reason: string | null, written: string): void =>
    text(
      title,
      reason,
      JSON.stringify(inputMessage({ message_id: title }, { size: '@' })).replace('"@"', written),
    );
  addUnreadable({ bytes, text, message });
  addVolumes({ volume, token });
  addTimes(message);
  addTexts({ message, text });
  addLarge({ bytes, text, message });
  message('a type that is none', 'definition_failed', { event_type: 'input.typed' }, {
    kinds: [{ n: 'a', v: 1, t: 'gauge' }, { n: 'b', v: 1, t: 'speed' }],
  });
  message('lists that do not pair', 'definition_failed', { event_type: 'input.many' }, {
    items: [{ n: 'a', v: 1 }, { n: 'b' }],
  });
  message('an event type without a definition', null, { event_type: 'nobody.knows' });
  message('a debug notification', null, { priority: 'DEBUG' });
  return cases;
}

interface Writers {
  bytes: (title: string, reason: string | null, body: Uint8Array) => void;
  text: (title: string, reason: string | null, body: string) => void;
  message: (title: string, reason: string | null, changes: Json, payload?: Json) => void;
  volume: (title: string, reason: string | null, size: unknown) => void;
  token: (title: string, reason: string | null, written: string) => void;
}

function addUnreadable({ bytes, text, message }: Pick<Writers, 'bytes' | 'text' | 'message'>) {
  const good = JSON.stringify(inputMessage({ message_id: 'truncated' }));
  bytes('nothing', 'not_json', new Uint8Array());
  bytes('bytes that are not UTF-8', 'not_utf8', Uint8Array.of(0x7b, 0xff, 0xfe, 0x7d));
  text('text', 'not_json', 'hello');
  text('truncated', 'not_json', good.slice(0, -20));
  text('two notifications', 'not_json', good + good);
  text('a byte order mark alone', 'not_json', '\uFEFF');
  for (const value of ['null', '1', '"text"', '[]', 'true']) text(value, 'not_an_object', value);
  text('an empty object', 'envelope_invalid', '{}');
  message('no event type', 'envelope_invalid', { event_type: undefined });
  message('an event type that is a number', 'envelope_invalid', { event_type: 7 });
  message('no payload', 'envelope_invalid', { payload: undefined });
  message('an id that is a list', 'envelope_invalid', { message_id: ['a'] });
  const inner = JSON.stringify(inputMessage({ message_id: 'enveloped' }));
  const envelope = (title: string, reason: string | null, outer: Json) =>
    bytes(title, reason, json(outer));
  envelope('an envelope', null, { 'oslo.version': '2.0', 'oslo.message': inner });
  envelope('an envelope of version 3', 'envelope_invalid', {
    'oslo.version': '3.0',
    'oslo.message': inner,
  });
  envelope('an envelope without its message', 'envelope_invalid', { 'oslo.version': '2.0' });
  envelope('an envelope around rubbish', 'not_json', {
    'oslo.version': '2.0',
    'oslo.message': inner.slice(0, -9),
  });
  envelope('an envelope around a list', 'not_an_object', {
    'oslo.version': '2.0',
    'oslo.message': '[]',
  });
  envelope('a CloudEvent without its id', 'envelope_invalid', {
    specversion: '1.0',
    source: 'x',
    data: inputMessage({ message_id: 'ce' }),
  });
  envelope('a CloudEvent', null, {
    specversion: '1.0',
    id: 'an-event',
    source: '/a/cloud',
    type: 'x',
    data: inputMessage({ message_id: 'in a CloudEvent' }),
  });
}

function addVolumes({ volume, token }: Pick<Writers, 'volume' | 'token'>): void {
  volume('volume is a number as text', null, ' 12.50 ');
  volume('volume is null', null, null);
  volume('volume is absent', null, undefined);
  volume('volume is text', 'volume_invalid', 'many');
  volume('volume is an empty text', 'volume_invalid', '');
  volume('volume is the text NaN', 'volume_invalid', 'NaN');
  volume('volume is the text Infinity', 'volume_invalid', '-Infinity');
  volume('volume is a list', 'volume_invalid', [1]);
  volume('volume is an object', 'volume_invalid', { value: 1 });
  volume('volume has 400 digits as text', 'volume_invalid', '9'.repeat(400));
  token('volume has 400 digits', 'volume_invalid', '9'.repeat(400));
  token('volume has 400 decimals', 'volume_invalid', `0.${'1'.repeat(400)}`);
  token('volume is 1e400', 'volume_invalid', '1e400');
  token('volume is 1e999999999', 'volume_invalid', '1e999999999');
  token('volume is beyond a double', null, '123456789012345678901234567890.123456789');
  token('volume is the token NaN', 'not_json', 'NaN');
  token('volume is the token Infinity', 'not_json', 'Infinity');
  token('volume is hexadecimal', 'not_json', '0x10');
}

function addTimes(message: Writers['message']): void {
  const now = Date.now();
  message('no timestamp', 'timestamp_missing', { timestamp: undefined });
  message('an empty timestamp', 'timestamp_missing', { timestamp: '' });
  message('a timestamp that is a number', 'timestamp_invalid', { timestamp: 1_700_000_000 });
  message('a timestamp that is text', 'timestamp_invalid', { timestamp: 'yesterday' });
  message('the 30th of February', 'timestamp_invalid', { timestamp: '2026-02-30 00:00:00' });
  message('401 days ago', 'timestamp_out_of_range', { timestamp: oslo(now - 401 * DAY_MS) });
  message('399 days ago', null, { timestamp: oslo(now - 399 * DAY_MS) });
  message('in two days', 'timestamp_out_of_range', { timestamp: oslo(now + 2 * DAY_MS) });
  message('in the year 9999', 'timestamp_out_of_range', { timestamp: '9999-12-31 23:59:59' });
  message('in the year 0000', 'timestamp_out_of_range', { timestamp: '0000-01-01 00:00:00' });
  message('before the year 0000', 'timestamp_invalid', {
    timestamp: '0000-01-01 00:00:00+12:00',
  });
  message('a list in the place of a time', 'timestamp_invalid', { event_type: 'input.timed' }, {
    when: [1],
  });
}

function addTexts({ message, text }: Pick<Writers, 'message' | 'text'>): void {
  message('no message_id', null, { message_id: undefined });
  message('no resource', 'resource_missing', {}, { id: null });
  message('a resource that is a list', 'definition_failed', {}, { id: ['a'] });
  message('NUL in a resource', 'text_invalid', {}, { id: 'a\0b' });
  message('half a surrogate pair in a project', 'text_invalid', {}, { tenant_id: 'a\ud800' });
  message('NUL in a message_id', 'text_invalid', { message_id: 'a\0b' });
  message('half a surrogate pair in an event type', 'text_invalid', { event_type: '\udc00' });
  message('NUL in metadata', 'text_invalid', {}, { name: 'a\0b' });
  message('half a surrogate pair in metadata', 'text_invalid', {}, { any: { deep: ['\udfff'] } });
  message('half a surrogate pair in a name of metadata', 'text_invalid', {}, {
    any: { '\ud83d': 1 },
  });
  message('half a surrogate pair that nobody reads', null, {}, { unread: '\ud800' });
  message('a resource of 2,000 characters', 'name_too_long', {}, { id: 'r'.repeat(2_000) });
  message('an event type of 300 characters', 'name_too_long', { event_type: 'e'.repeat(300) });
  message('a message_id of 2,000 characters', 'name_too_long', { message_id: 'm'.repeat(2_000) });
  message('the event type __proto__', null, { event_type: '__proto__' });
  message('the resource __proto__', null, {}, { id: '__proto__', tenant_id: 'constructor' });
  const proto = JSON.stringify(inputMessage({ message_id: '__proto__' }, { any: '@' }))
    .replace(
      '"@"',
      '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}',
    );
  text('members named __proto__', null, proto);
  text(
    'a notification whose __proto__ is one',
    'envelope_invalid',
    `{"__proto__":${JSON.stringify(inputMessage())}}`,
  );
}

function addLarge({ bytes, text, message }: Pick<Writers, 'bytes' | 'text' | 'message'>): void {
  const nested = '['.repeat(LEVELS) + ']'.repeat(LEVELS);
  text('100,000 levels of lists', 'too_deep', nested);
  text('100,000 levels of objects', 'too_deep', '{"a":'.repeat(LEVELS) + '1' + '}'.repeat(LEVELS));
  text('100,000 levels that never end', 'too_deep', '['.repeat(LEVELS));
  text(
    '100,000 levels in a payload',
    'too_deep',
    JSON.stringify(inputMessage({ payload: '@' })).replace('"@"', nested),
  );
  bytes(
    '100,000 levels in an envelope',
    'too_deep',
    json({ 'oslo.version': '2.0', 'oslo.message': nested }),
  );
  const items = Array.from({ length: 1_000_000 }, () => ({ n: 1, v: 1 }));
  message('a million samples', 'too_many_samples', { event_type: 'input.many' }, { items });
  message('10,000 samples', null, { event_type: 'input.many' }, {
    items: items.slice(0, 10_000),
  });
  message('10,001 samples', 'too_many_samples', { event_type: 'input.many' }, {
    items: items.slice(0, 10_001),
  });
  bytes(
    'more bytes than are read',
    'too_large',
    json(inputMessage({ message_id: 'large' }, { pad: 'x'.repeat(MAX_NOTIFICATION_BYTES) })),
  );
  message('a megabyte that nobody reads', null, {}, { unread: 'x'.repeat(1_500_000) });
  message('metadata of a megabyte', 'too_large', {}, { any: 'x'.repeat(1_000_000) });
}

/** Values that have broken programs, for any place of a notification. */
const NASTY: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1e308,
  -0.1,
  '',
  ' ',
  'NaN',
  '1e400',
  '9'.repeat(400),
  '\0',
  '\ud800',
  '\u202e\u0000\uffff',
  '__proto__',
  'constructor',
  "'; DROP TABLE samples; --",
  '{"$ref":"#"}',
  'x'.repeat(1_100),
  [],
  [[]],
  {},
  { __proto__: null },
  '2026-02-30 00:00:00',
  '1969-12-31T23:59:59Z',
  '9999-12-31 23:59:59',
];

/** `count` inputs of all kinds, the same for the same seed; every tenth or so is a good one. */
export function fuzzInputs(seed: string, count: number): Parcel[] {
  const random = new SeededRandom(`${seed}/fuzz`);
  const bodies = makeFleet({
    seed: random.between(1, 1_000_000),
    count: Math.min(count, 2_000),
    startMs: Date.now() - 2 * DAY_MS,
  }).map(({ body }) => body);
  return Array.from({ length: count }, (_, index) => {
    const body = random.pick(bodies);
    return { bytes: random.pick(MUTATIONS)(body, random, index), reason: '' };
  });
}

type Mutation = (body: Uint8Array, random: SeededRandom, index: number) => Uint8Array;

const MUTATIONS: readonly Mutation[] = [
  (body) => body,
  (_, random) => Uint8Array.from({ length: random.between(0, 300) }, () => random.between(0, 255)),
  (body, random) => body.slice(0, random.between(0, body.length)),
  (body, random) => body.slice(random.between(0, body.length)),
  (body, random) => {
    const flipped = body.slice();
    for (let flips = random.between(1, 8); flips > 0; flips -= 1) {
      flipped[random.between(0, flipped.length - 1)] = random.between(0, 255);
    }
    return flipped;
  },
  (body, random) => mutated(body, random, 1),
  (body, random) => mutated(body, random, 1),
  (body, random) => mutated(body, random, random.between(2, 10)),
  (_, random, index) =>
    json(inputMessage(
      {
        message_id: `fuzz-${index % 500}`,
        ...random.next() < 0.5 ? {} : { timestamp: random.pick(NASTY) },
      },
      { size: random.pick(NASTY), id: random.pick(NASTY), any: random.pick(NASTY) },
    )),
  (_, random, index) =>
    json(inputMessage(
      { message_id: `fuzz-${index % 500}` },
      { size: random.between(0, 9), id: random.pick(['a', 'b', 'ü', '\u{1F600}']) },
    )),
];

/** A real notification in which some values, wherever they are, were replaced or taken away. */
function mutated(body: Uint8Array, random: SeededRandom, changes: number): Uint8Array {
  const envelope = JSON.parse(new TextDecoder().decode(body)) as { 'oslo.message': string };
  const message = JSON.parse(envelope['oslo.message']) as object;
  for (let left = changes; left > 0; left -= 1) mutate(message, random);
  const inner = JSON.stringify(message);
  return random.next() < 0.5 ? ENCODER.encode(inner) : json({ ...envelope, 'oslo.message': inner });
}

function mutate(node: object, random: SeededRandom): void {
  const keys = Object.keys(node);
  if (keys.length === 0) return;
  const key = random.pick(keys);
  const value: unknown = Reflect.get(node, key);
  if (typeof value === 'object' && value !== null && random.next() < 0.7) mutate(value, random);
  else if (random.next() < 0.2) Reflect.deleteProperty(node, key);
  else {
    // A copy: a list or an object may be changed itself by the next mutation.
    Reflect.set(node, key, structuredClone(random.pick(NASTY)));
  }
}
