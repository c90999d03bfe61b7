import assert from 'node:assert/strict';
import { test } from 'node:test';
import process from 'node:process';
import { isNephoError } from '../../meters/errors.ts';
import { intakeKey } from '../../meters/intake_key.ts';
import { decodeNotification } from '../../meters/notification.ts';
import { recordedNotifications } from '../support/fixtures.ts';

/** `NEPHO_FUZZ_SEED` repeats a run, `NEPHO_FUZZ_INPUTS` makes it longer. */
const SEED = Number(process.env['NEPHO_FUZZ_SEED'] ?? 20_261_122);
const INPUTS = Number(process.env['NEPHO_FUZZ_INPUTS'] ?? 12_000);
/** For one input of up to a megabyte, on a slow and busy machine. */
const SLOWEST_MS = 2_000;
/** Every reason for which a notification may be refused here. */
const CODES = new Set(
  ('not_utf8 not_json not_an_object envelope_invalid too_deep too_large timestamp_invalid ' +
    'text_invalid name_too_long').split(' '),
);
const ENCODER = new TextEncoder();
const BODIES = recordedNotifications().map(({ body }) => body);

test(`decodeNotification answers or refuses each of ${INPUTS} hostile inputs, seed ${SEED}`, () => {
  const random = mulberry32(SEED);
  const seen = new Map<string, number>();
  for (let index = 0; index < INPUTS; index += 1) {
    const make = MAKERS[Math.floor(random() * MAKERS.length)] ?? rubbish;
    const bytes = make(random);
    const started = performance.now();
    const outcome = outcomeOf(bytes, index);
    assert.ok(performance.now() - started < SLOWEST_MS, `input ${index} of seed ${SEED} is slow`);
    seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
  }
  // Guards the fuzz itself: it must reach the parser's every way out, and the good way too.
  for (const code of ['decoded', ...CODES]) {
    if (code !== 'too_large') assert.ok((seen.get(code) ?? 0) > 5, `${code}: ${[...seen].join()}`);
  }
  assert.equal(JSON.stringify(Object.getOwnPropertyNames(Object.prototype)), PROTOTYPE);
});

const PROTOTYPE = JSON.stringify(Object.getOwnPropertyNames(Object.prototype));

function outcomeOf(bytes: Uint8Array, index: number): string {
  try {
    const notification = decodeNotification(bytes);
    assert.equal(typeof notification.eventType, 'string');
    assert.notEqual(intakeKey(notification), '');
    return 'decoded';
  } catch (error) {
    const code = isNephoError(error) ? error.code : String(error);
    assert.ok(CODES.has(code), `input ${index} of seed ${SEED} threw ${code}`);
    return code;
  }
}

type Random = () => number;

const MAKERS: readonly ((random: Random) => Uint8Array)[] = [
  mutatedBytes,
  mutatedBytes,
  mutatedText,
  mutatedText,
  mutatedValue,
  mutatedValue,
  mutatedValue,
  truncated,
  nested,
  numbers,
  rubbish,
];

/** A few bytes of a real body changed, removed or doubled. */
function mutatedBytes(random: Random): Uint8Array {
  const bytes = [...ENCODER.encode(pick(random, BODIES))];
  for (let times = 1 + below(random, 4); times > 0; times -= 1) {
    const at = below(random, bytes.length);
    const kind = below(random, 3);
    if (kind === 0) bytes[at] = below(random, 256);
    else if (kind === 1) bytes.splice(at, 1 + below(random, 50));
    else bytes.splice(at, 0, ...bytes.slice(at, at + below(random, 50)));
  }
  return Uint8Array.from(bytes);
}

const PIECES = [
  ...'{ } [ ] " , : \\ \\u0000 \\ud800 1e999 NaN null "__proto__": "event_type":1, - //'.split(' '),
  ' ',
  '\0',
  '\u2028',
  '\ufeff',
  '\u{1F600}',
];

/** A piece that means something put into a real message, in its envelope or out of it. */
function mutatedText(random: Random): Uint8Array {
  let text = inner(pick(random, BODIES));
  for (let times = 1 + below(random, 3); times > 0; times -= 1) {
    const at = below(random, text.length);
    text = text.slice(0, at) + pick(random, PIECES) + text.slice(at + below(random, 3));
  }
  return ENCODER.encode(below(random, 2) === 0 ? text : envelope(text));
}

const VALUES: readonly unknown[] = JSON.parse(
  '[null, 0, -1.5, true, "", "x", "a\\u0000b", "\\ud800", "\\udc00a", [], {}, [[]], 1e300,' +
    '{"message_id": 1}, {"timestamp": []}, {"toString": 1}]',
).concat('x'.repeat(2_000), [Array.from({ length: 1_000 }, () => ({}))]);

/** One member of a real message replaced by something else that is JSON. */
function mutatedValue(random: Random): Uint8Array {
  const message: Record<string, unknown> = JSON.parse(inner(pick(random, BODIES)));
  const keys = [...Object.keys(message), '__proto__', 'constructor', 'ctxt', 'metadata', 'context'];
  const important = ['event_type', 'message_id', 'timestamp', 'payload', 'publisher_id'];
  const key = below(random, 2) === 0 ? pick(random, important) : pick(random, keys);
  const value = pick(random, VALUES);
  Object.defineProperty(message, key, { value, enumerable: true });
  const text = JSON.stringify(message);
  const wrapped = below(random, 2) === 0 ? text : envelope(text);
  if (below(random, 3) > 0) return ENCODER.encode(wrapped);
  const around = { specversion: '1.0', id: 'e', source: 's', type: 't' };
  const data = below(random, 2) === 0
    ? { data: wrapped }
    : { data_base64: pick(random, [Buffer.from(wrapped).toString('base64'), '*', '/w==']) };
  return ENCODER.encode(JSON.stringify({ ...around, ...data }));
}

function truncated(random: Random): Uint8Array {
  const bytes = ENCODER.encode(pick(random, BODIES));
  return bytes.subarray(0, below(random, bytes.length));
}

/** From some levels to a hundred thousand, closed or not, in an envelope or not. */
function nested(random: Random): Uint8Array {
  const depth = pick(random, [10, 63, 64, 65, 1_000, 100_000]);
  const [open, close] = pick(random, [['[', ']'], ['{"a":', '}'], ['[{"":', '}]']] as const);
  const whole = open.repeat(depth) + (below(random, 2) === 0 ? '1' : '"') + close.repeat(depth);
  const text = pick(random, [whole, `{"event_type":"a","payload":${whole}}`, open.repeat(depth)]);
  return ENCODER.encode(below(random, 2) === 0 ? text : envelope(text));
}

function numbers(random: Random): Uint8Array {
  const digits = '9'.repeat(pick(random, [1, 15, 16, 17, 400, 100_000]));
  const token = pick(random, [
    digits,
    `-${digits}.5`,
    `0.${digits}`,
    `1e${digits}`,
    `${digits}E-5`,
  ]);
  const text = `{"event_type":"a","message_id":"m","payload":{"v":${token},"w":[${token}]}}`;
  return ENCODER.encode(below(random, 2) === 0 ? text : envelope(text));
}

function rubbish(random: Random): Uint8Array {
  return Uint8Array.from({ length: below(random, 400) }, () => below(random, 256));
}

function inner(body: string): string {
  const outer: Record<string, unknown> = JSON.parse(body);
  return String(outer['oslo.message']);
}

function envelope(message: string): string {
  return JSON.stringify({ 'oslo.version': '2.0', 'oslo.message': message });
}

function pick<T>(random: Random, items: readonly T[]): T {
  const item = items[below(random, items.length)];
  assert.ok(item !== undefined);
  return item;
}

function below(random: Random, limit: number): number {
  return Math.floor(random() * limit);
}

/** Small, seeded, and good enough to choose inputs by. */
function mulberry32(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
