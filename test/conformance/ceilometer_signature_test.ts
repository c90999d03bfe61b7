import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  ceilometerSignature,
  signedMeteringMessage,
  verifyCeilometerSignature,
} from '../../ledger/ceilometer_signature.ts';
import { sampleSignatures } from '../../activities/sample_signatures.ts';
import { publishedSamples, readPublishedSamples } from '../../meters/ceilometer_samples.ts';
import { parseNumbersAsText } from '../../meters/exact_json.ts';
import { isJsonObject, type JsonObject } from '../../meters/json.ts';
import { decodeNotification } from '../../meters/notification.ts';
import { findCeilometer, runCeilometer } from '../support/ceilometer.ts';
import { parseAgentMessages, recordedAgentMessages } from '../support/ceilometer_agents.ts';

/** Ceilometer's own code signs and verifies beside ours; the recorded vectors are in test/unit. */
const skip = findCeilometer() ?? false;

interface Answer {
  signature: string;
  verifies: boolean;
  signed: string;
}

function ask(tasks: readonly { message: string; secret: string }[]): Answer[] {
  return JSON.parse(runCeilometer('ceilometer_signatures.py', [], JSON.stringify(tasks)));
}

function objectOf(text: string): JsonObject {
  const value = parseNumbersAsText(text);
  assert(isJsonObject(value));
  return value;
}

/** Numbers as they may stand in JSON, ints and floats of all sizes that Python writes as JSON again. */
const number = fc.oneof(
  fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }).map(String),
  fc.integer().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  fc.tuple(fc.integer({ min: -999, max: 999 }), fc.integer({ min: -330, max: 300 }))
    .map(([digits, power]) => `${digits}.0e${power}`),
  fc.constantFrom('1.0', '-0', '-0.0', '1e16', '0.0001', '0.00001', '1E+2', '9999999999999999.5'),
);
// Characters of all planes and of every class that the escapes of bytes tell apart.
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.string({
    unit: fc.constantFrom("'", '"', '\\', '\t', '\x7f', 'é', '\uff5e', '😀'),
    maxLength: 6,
  }),
);
const string = text.map((value) => JSON.stringify(value));

const { json } = fc.letrec<{ json: string; list: string; object: string }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    number,
    string,
    fc.constantFrom('null', 'true', 'false'),
    tie('list'),
    tie('object'),
  ),
  list: fc.array(tie('json'), { maxLength: 4 }).map((items) => `[${items.join(',')}]`),
  object: fc.dictionary(text, tie('json'), { maxKeys: 4, noNullPrototype: true }).map(writeObject),
}));
const messages = fc.dictionary(text, json, { minKeys: 1, maxKeys: 6, noNullPrototype: true });

function writeObject(members: Record<string, string>): string {
  const written = Object.entries(members).map(([key, value]) => `${JSON.stringify(key)}:${value}`);
  return `{${written.join(',')}}`;
}

test("any message has the signature that Ceilometer's code gives it", { skip }, () => {
  const tasks = fc.sample(fc.record({ message: messages.map(writeObject), secret: text }), {
    numRuns: 5_000,
    seed: 20_260_131,
  }).filter(({ secret }) => secret !== '');
  const answers = ask(tasks);
  tasks.forEach(({ message, secret }, index) => {
    assert.equal(
      ceilometerSignature(objectOf(message), secret),
      answers[index]?.signature,
      message,
    );
    const signed = objectOf(answers[index]?.signed ?? '');
    assert(verifyCeilometerSignature(signed, secret), 'what Ceilometer signed and wrote verifies');
  });
});

test("what is offered to old consumers passes Ceilometer's verification", { skip }, () => {
  const secret = 'late-night secret é';
  const metadatas = fc.sample(fc.dictionary(text, fc.jsonValue({ maxDepth: 3 })), {
    numRuns: 300,
    seed: 7,
  });
  const volumes = [
    '0',
    '1',
    '-5',
    '0.5',
    '12345678901234567890.123',
    '0.000001',
    '1000000000000000000',
  ];
  const texts = metadatas.map((metadata, index) =>
    signedMeteringMessage({
      id: index.toString(16).padStart(32, '0'),
      source: 'openstack',
      meter: 'cpu',
      type: 'cumulative',
      unit: 'ns',
      volume: volumes[index % volumes.length] ?? '0',
      resource_id: 'späti ☃',
      project_id: index % 2 === 0 ? null : 'p1',
      user_id: 'u1',
      timestamp: '2026-01-31T23:59:59.123456Z',
      recorded_at: '2026-02-01T00:00:01.000000Z',
      metadata: objectOf(JSON.stringify(metadata)),
    }, secret)
  );
  const right = ask(texts.map((message) => ({ message, secret })));
  assert.deepEqual(right.filter(({ verifies }) => !verifies), []);
  const altered = texts.map((message) => ({ message: message.replace('"cpu"', '"cpv"'), secret }));
  assert.deepEqual(ask(altered).filter(({ verifies }) => verifies), []);
});

test("messages of Ceilometer's agents as they are today verify and read as the recorded ones", {
  skip,
}, () => {
  const today = parseAgentMessages(runCeilometer('ceilometer_agents.py', []));
  today.forEach(({ body, secret }, index) => {
    const recorded = recordedAgentMessages()[index];
    const bytes = new TextEncoder().encode(body);
    sampleSignatures({ secrets: secret === '' ? [] : [secret], acceptUnsigned: true })(bytes);
    assert.deepEqual(readingsOf(body), readingsOf(recorded?.body ?? ''));
  });
});

function readingsOf(body: string) {
  const { eventType, payload } = decodeNotification(new TextEncoder().encode(body));
  return readPublishedSamples(publishedSamples(eventType, payload)).readings;
}
