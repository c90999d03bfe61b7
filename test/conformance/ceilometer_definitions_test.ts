import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadDefinitionDirectory, SHIPPED_DEFINITIONS } from '../../cli/definition_files.ts';
import { canonicalJson } from '../../ledger/canonical_json.ts';
import { compileDefinitions, type DefinitionSet } from '../../meters/definition_compile.ts';
import { isNephoError } from '../../meters/errors.ts';
import { parseExactJson } from '../../meters/exact_json.ts';
import { ExactNumber, isJsonObject, type JsonObject, type JsonValue } from '../../meters/json.ts';
import { decodeNotification, type Notification } from '../../meters/notification.ts';
import type { Reading } from '../../meters/sample.ts';
import { parseTimestamp } from '../../meters/timestamp.ts';
import { findCeilometer, runCeilometer } from '../support/ceilometer.ts';

// What Ceilometer 19.0.0 makes of recorded notifications, against what these definitions make of them
// here. The recorded answers are in test/golden; where Ceilometer is installed it is asked again.
// NEPHO_RECORD_CEILOMETER=1 records anew.

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const SUITES = [
  { definitions: 'ceilometer_meters', notifications: 'little_cloud' },
  { definitions: 'ceilometer_meters', notifications: 'services' },
  { definitions: 'language', notifications: 'language' },
];

/**
 * Where the outcome differs on purpose, by event type: the reason of the quarantine, or `sample` where
 * Ceilometer loses the notification. Each stands in docs/definitions.md.
 */
const DIFFERENCES: Readonly<Record<string, string>> = {
  'lang.bad_text': 'volume_invalid',
  'lang.bad_list': 'volume_invalid',
  'lang.nan_text': 'volume_invalid',
  'lang.huge': 'volume_invalid',
  'lang.resource_missing': 'resource_missing',
  'lang.timestamp_bad': 'timestamp_invalid',
  'lang.user_metadata_list': 'definition_failed',
  'lang.lookup_mismatch': 'definition_failed',
  'lang.index_of_null': 'sample',
  // By message id: a pool whose capacity is 'infinite'. Our own definitions leave such words out.
  '6d3f0089-7c1a-4b6e-9d2f-8a1b2c3d4e5f': 'volume_invalid',
};

for (const suite of SUITES) {
  const { golden, definitions, notifications } = pathsOf(suite);
  const title = `${suite.definitions}.yaml on ${suite.notifications}.jsonl`;

  test(`${title} gives the samples that Ceilometer was recorded to give`, () => {
    const set = compiled([{ name: definitions, text: readFileSync(definitions, 'utf8') }]);
    const messages = readNotifications(notifications);
    const answers = readLines(golden);
    assert.equal(answers.length, messages.length);
    for (const [i, message] of messages.entries()) {
      const answer = answers[i] as JsonObject;
      const difference = DIFFERENCES[message.eventType] ?? DIFFERENCES[message.messageId ?? ''];
      const where = `notification ${i + 1}, ${message.eventType}`;
      if (difference === 'sample') {
        assert.notEqual(answer['error'], null, where);
        assert.equal(set.extract(message).readings.length, 1, where);
      } else if (difference !== undefined) {
        assert.throws(
          () => set.extract(message),
          (error) => isNephoError(error) && error.code === difference,
          where,
        );
      } else {
        assert.equal(answer['error'], null, where);
        assert.deepEqual(
          sorted(set.extract(message).readings.map(comparable)),
          sorted(samplesIn(answer, 'samples').map((sample) => expected(sample, message))),
          where,
        );
      }
    }
  });
}

test('Ceilometer itself, asked again, gives what is recorded', (t) => {
  const missing = findCeilometer();
  if (missing !== null) {
    t.skip(missing);
    return;
  }
  const paths = SUITES.map(pathsOf);
  const answers = runCeilometer(
    'ceilometer_samples.py',
    paths.flatMap(({ definitions, notifications }) => [definitions, notifications]),
  ).split('\n');
  for (const { notifications, golden } of paths) {
    const own = `${answers.splice(0, readNotifications(notifications).length).join('\n')}\n`;
    if (process.env['NEPHO_RECORD_CEILOMETER'] === '1') writeFileSync(golden, own);
    assert.equal(own, readFileSync(golden, 'utf8'));
  }
});

test('shipped definitions give the figures of Ceilometer for every meter that both have', async () => {
  const set = compiled(await loadDefinitionDirectory([SHIPPED_DEFINITIONS]));
  const compared = new Set<string>();
  for (const name of ['little_cloud', 'services']) {
    const messages = readNotifications(`${ROOT}fixtures/notifications/${name}.jsonl`);
    const answers = readLines(`${ROOT}golden/ceilometer_meters_${name}.jsonl`);
    for (const [i, message] of messages.entries()) {
      const answer = answers[i] as JsonObject;
      const theirs = [...samplesIn(answer, 'samples'), ...samplesIn(answer, 'endpoints')]
        // Its expression for this name subtracts texts, so Ceilometer keeps the expression itself.
        .filter(({ name }) => !textOf(name).startsWith('$.payload.outcome'))
        .map((sample) => figure(expected(sample, message)));
      const ours = set.extract(message).readings.map((reading) => figure(comparable(reading)));
      for (const sample of theirs) {
        assert.ok(
          ours.includes(sample),
          `${message.eventType}: ${sample} not in\n${ours.join('\n')}`,
        );
        compared.add(textOf((JSON.parse(sample) as Comparable).name));
      }
    }
  }
  const missing = compiled([{
    name: 'ceilometer_meters.yaml',
    text: readFileSync(`${ROOT}fixtures/definitions/ceilometer_meters.yaml`, 'utf8'),
  }]).meters.filter((meter) => !meter.startsWith('$') && !compared.has(meter));
  assert.deepEqual(missing, [], 'a fixture for every meter of Ceilometer');
  for (
    const coded of ['http.request', 'http.response', 'hardware.ipmi.fan', 'hardware.ipmi.voltage']
  ) {
    assert.ok(compared.has(coded), coded);
  }
});

test('every shipped definition gives a sample for at least one fixture', async () => {
  const set = compiled(await loadDefinitionDirectory([SHIPPED_DEFINITIONS]));
  const given = new Set<string>();
  for (const name of ['little_cloud', 'services']) {
    for (const message of readNotifications(`${ROOT}fixtures/notifications/${name}.jsonl`)) {
      for (const { meter } of set.extract(message).readings) given.add(meter);
    }
  }
  const computed: Record<string, RegExp> = {
    "'instance:' + $.payload.instance_type": /^instance:/,
    "'identity.authenticate.' + $.payload.outcome": /^identity\.authenticate\./,
    "'profiler.' + $.payload.name": /^profiler\./,
    '@.name': /^memory_util$/,
  };
  const silent = set.meters.filter((meter) => {
    const pattern = computed[meter];
    return pattern === undefined
      ? !given.has(meter)
      : ![...given].some((name) => pattern.test(name));
  });
  assert.deepEqual(silent, []);
});

function pathsOf(suite: { definitions: string; notifications: string }) {
  return {
    golden: `${ROOT}golden/${suite.definitions}_${suite.notifications}.jsonl`,
    definitions: `${ROOT}fixtures/definitions/${suite.definitions}.yaml`,
    notifications: `${ROOT}fixtures/notifications/${suite.notifications}.jsonl`,
  };
}

interface Comparable {
  name: string;
  type: string;
  unit: string;
  volume: string;
  resource_id: string | null;
  project_id: string | null;
  user_id: string | null;
  timestamp: string;
  metadata: string;
}

function comparable({ meter, metadata, ...rest }: Reading): Comparable {
  return { name: meter, ...rest, metadata: canonicalJson(metadata) };
}

/** A sample of Ceilometer with the differences that docs/definitions.md lists applied. */
function expected(sample: JsonObject, { context }: Notification): Comparable {
  const user = sample['user_id'] ?? context['user_id'] ?? context['user'];
  const project = sample['project_id'] ?? context['project_id'] ?? context['tenant_id'];
  return {
    name: textOf(sample['name']),
    type: textOf(sample['type']),
    unit: textOf(sample['unit']),
    volume: volumeText(sample['volume'] ?? null),
    resource_id: idText(sample['resource_id']),
    project_id: idText(project),
    user_id: idText(user),
    timestamp: parseTimestamp(textOf(sample['timestamp'])),
    metadata: canonicalJson(sample['metadata'] ?? {}),
  };
}

function textOf(value: JsonValue | undefined): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function idText(value: JsonValue | undefined): string | null {
  if (value === null || value === undefined || value === '') return null;
  return value instanceof ExactNumber ? value.text : textOf(value);
}

/** Doubles carry at most 15 exact digits: beyond them Ceilometer's volume is rounded, ours is not. */
function volumeText(value: JsonValue): string {
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (value instanceof ExactNumber) return value.text;
  if (typeof value === 'string') return String(Number(value.trim().replaceAll('_', '')));
  const number = Number(value);
  return Number.isInteger(number) ? String(number) : String(Number(number.toPrecision(15)));
}

/** What is billed. The units of ours have their binary names, as Ceilometer's since 2025. */
function figure(sample: Comparable): string {
  const { metadata: _metadata, volume, unit, ...rest } = sample;
  const renamed = unit.replace(/^([GM])B$/, '$1iB');
  return JSON.stringify({ ...rest, volume: roundedVolume(volume), unit: renamed });
}

function roundedVolume(volume: string): string {
  return volume.includes('.') ? String(Number(Number(volume).toPrecision(15))) : volume;
}

function sorted(samples: Comparable[]): Comparable[] {
  return samples
    .map((sample) => ({ ...sample, volume: roundedVolume(sample.volume) }))
    .sort((a, b) => JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
}

function samplesIn(answer: JsonObject, key: string): JsonObject[] {
  const samples = answer[key];
  return Array.isArray(samples) ? samples.filter(isJsonObject) : [];
}

function compiled(files: { name: string; text: string }[]): DefinitionSet {
  const result = compileDefinitions(files);
  assert.ok(result.ok, result.ok ? '' : JSON.stringify(result.faults));
  return result.set;
}

function readLines(path: string): JsonValue[] {
  return readFileSync(path, 'utf8').trim().split('\n').map((line) => parseExactJson(line));
}

function readNotifications(path: string): Notification[] {
  const encoder = new TextEncoder();
  return readFileSync(path, 'utf8').trim().split('\n').map((line) => {
    const { body } = JSON.parse(line) as { body?: string };
    return decodeNotification(encoder.encode(body ?? line));
  });
}
