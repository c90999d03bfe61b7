import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type SampleSignaturePolicy,
  sampleSignatures,
} from '../../activities/sample_signatures.ts';
import { isReject, understand, type Understood } from '../../activities/understand.ts';
import type { PreparedReject } from '../../db/prepared_batch.ts';
import { compileDefinitions } from '../../meters/definition_compile.ts';
import { readVolume } from '../../meters/definition_volume.ts';
import { intakeKey } from '../../meters/intake_key.ts';
import type { JsonValue } from '../../meters/json.ts';
import { decodeNotification } from '../../meters/notification.ts';
import { parseTimestamp } from '../../meters/timestamp.ts';
import { recordedAgentMessages } from '../support/ceilometer_agents.ts';

const [POLLING, METERING, UNSIGNED] = recordedAgentMessages();
const { secret: SECRET } = POLLING;
const VERIFY: SampleSignaturePolicy = { secrets: [SECRET], acceptUnsigned: false };
const TAKE_ALL: SampleSignaturePolicy = { secrets: [], acceptUnsigned: true };

// A definition that matches everything, to see that it is not asked.
const compiled = compileDefinitions([{
  name: 'any.yaml',
  text:
    "metric: [{name: any, event_type: '.*', type: gauge, unit: x, volume: 1, resource_id: $.a}]",
}]);
assert(compiled.ok);
const definitions = compiled.set;

function take(body: string, policy: SampleSignaturePolicy = VERIFY): Understood | PreparedReject {
  const delivery = {
    bytes: new TextEncoder().encode(body),
    via: 'rabbitmq',
    streamSequence: 1,
    deliveryCount: 1,
    fault: null,
  };
  return understand(delivery, {
    definitions,
    source: 'openstack',
    span: { earliest: '2026-01-01T00:00:00.000000Z', latest: '2026-03-01T00:00:00.000000Z' },
    checkSignatures: sampleSignatures(policy),
  });
}

function taken(body: string, policy?: SampleSignaturePolicy): Understood {
  const result = take(body, policy);
  assert(!isReject(result), isReject(result) ? result.detail : '');
  return result;
}

function refused(body: string, policy?: SampleSignaturePolicy): PreparedReject {
  const result = take(body, policy);
  assert(isReject(result), 'it was taken');
  return result;
}

const PLAIN = {
  counter_name: 'cpu',
  counter_type: 'cumulative',
  counter_unit: 'ns',
  counter_volume: 1 as JsonValue,
  resource_id: 'r1',
  timestamp: '2026-01-31T12:00:00',
};

function polling(...samples: JsonValue[]): string {
  return JSON.stringify({
    message_id: 'm1',
    event_type: 'telemetry.polling',
    payload: { samples },
  });
}

describe('samples of Ceilometer agents', () => {
  test('become the readings that its notification agent makes of them', () => {
    const { readings, matched, origin } = taken(POLLING.body);
    const expected = POLLING.samples?.map((sample) => ({
      meter: sample['name'],
      type: sample['type'],
      unit: sample['unit'],
      volume: readVolume(sample['volume'] ?? null),
      resource_id: sample['resource_id'],
      project_id: sample['project_id'],
      user_id: sample['user_id'],
      timestamp: parseTimestamp(sample['timestamp'] as string),
      metadata: sample['resource_metadata'],
    }));
    assert.deepEqual(readings, expected);
    assert.equal(readings[0]?.volume, '9007199254740993', 'a volume beyond 2^53 is exact');
    assert(matched);
    assert.equal(origin, '0c5ad2a0-0000-4000-8000-000000000011');
  });

  test('from the notifier publisher are read as those from a poller', () => {
    assert.deepEqual(taken(METERING.body).readings, taken(POLLING.body).readings);
  });

  test('repeated by per_meter_topic are not counted twice', () => {
    const body = METERING.body.replace('"metering\\"', '"metering.cpu\\"');
    assert.notEqual(body, METERING.body);
    const { eventType } = decodeNotification(new TextEncoder().encode(body));
    assert.equal(eventType, 'metering.cpu');
    assert(refused(body).reason !== 'signature_invalid', 'an ordinary notification to definitions');
  });

  test('without a volume are counted, not refused', () => {
    const { readings, withoutVolume } = taken(
      polling({ ...PLAIN, counter_volume: null }, PLAIN),
      TAKE_ALL,
    );
    assert.deepEqual([readings.length, withoutVolume], [1, 1]);
  });

  test('of one series stay in one shard, whichever sample is the first of a message', () => {
    const keyOf = (...samples: JsonValue[]) =>
      intakeKey(decodeNotification(new TextEncoder().encode(polling(...samples))));
    const [one, other] = [{ ...PLAIN, project_id: 'p1' }, { ...PLAIN, project_id: 'p2' }];
    assert.equal(keyOf(one, other), keyOf(other, one));
  });

  const faults: [string, JsonValue, string, string][] = [
    ['payload without samples', {}, 'envelope_invalid', 'payload.samples'],
    ['payload that is a list', [PLAIN], 'envelope_invalid', 'payload.samples'],
    ['sample that is none', { samples: [1] }, 'envelope_invalid', 'payload.samples[0]'],
    ['name', one({ counter_name: null }), 'envelope_invalid', 'samples[1].counter_name'],
    [
      'name that is a list',
      one({ counter_name: [] }),
      'envelope_invalid',
      'samples[1].counter_name',
    ],
    ['type', one({ counter_type: 'rate' }), 'envelope_invalid', 'samples[1].counter_type'],
    ['volume', one({ counter_volume: 'NaN' }), 'volume_invalid', 'samples[1].counter_volume'],
    ['resource', one({ resource_id: null }), 'resource_missing', 'samples[1].resource_id'],
    ['time', one({ timestamp: null }), 'timestamp_missing', 'samples[1].timestamp'],
    ['unreadable time', one({ timestamp: 'noon' }), 'timestamp_invalid', 'samples[1].timestamp'],
    ['distant time', one({ timestamp: '1999-01-01' }), 'timestamp_out_of_range', 'timestamp'],
    [
      'metadata',
      one({ resource_metadata: 'x' }),
      'envelope_invalid',
      'samples[1].resource_metadata',
    ],
    ['NUL', one({ project_id: 'a\0' }), 'text_invalid', 'samples[1].project_id'],
    ['long id', one({ user_id: 'x'.repeat(2_000) }), 'name_too_long', 'samples[1].user_id'],
    [
      'too many',
      { samples: Array.from({ length: 10_001 }, () => PLAIN) },
      'too_many_samples',
      'payload.samples',
    ],
  ];
  for (const [what, payload, reason, place] of faults) {
    test(`with a wrong ${what} go to quarantine as ${reason}`, () => {
      const body = JSON.stringify({ message_id: 'm', event_type: 'telemetry.polling', payload });
      const reject = refused(body, TAKE_ALL);
      assert.deepEqual([reject.reason, reject.place], [reason, place], reject.detail);
    });
  }
});

/** A payload whose second sample differs. */
function one(change: Record<string, JsonValue>): JsonValue {
  return { samples: [PLAIN, { ...PLAIN, ...change }] };
}

describe('signatures of Ceilometer agents', () => {
  test('are verified by any of the configured secrets, so that a secret can be changed', () => {
    taken(POLLING.body, { secrets: ['next', SECRET], acceptUnsigned: false });
    taken(METERING.body, { secrets: [SECRET, 'former'], acceptUnsigned: false });
  });

  test('are looked at on every sample, and refuse the whole message by the place', () => {
    const forged = POLLING.body.replace(
      '\\"u1\\", \\"project_id\\": null',
      '\\"u2\\", \\"project_id\\": null',
    );
    assert.notEqual(forged, POLLING.body);
    const { reason, place, origin } = refused(forged);
    assert.deepEqual([reason, place], ['signature_invalid', 'samples[3].message_signature']);
    assert.equal(origin, '0c5ad2a0-0000-4000-8000-000000000011');
    assert.equal(
      refused(POLLING.body, { ...VERIFY, secrets: ['other'] }).reason,
      'signature_invalid',
    );
  });

  test('tell 12.0 from 12: the text of a number is signed, not its value', () => {
    const changed = POLLING.body.replace('\\"counter_volume\\": 12.0', '\\"counter_volume\\": 12');
    assert.notEqual(changed, POLLING.body);
    assert.equal(refused(changed).reason, 'signature_invalid');
  });

  test('that lack are refused where a secret is configured', () => {
    for (const body of [UNSIGNED.body, polling(PLAIN)]) {
      const { reason, detail } = refused(body);
      assert.equal(reason, 'signature_invalid');
      assert.match(detail, /not signed/);
    }
  });

  test('without a secret to verify them keep a message in quarantine, with the remedy', () => {
    for (const { body } of [POLLING, METERING, UNSIGNED]) {
      const { reason, detail } = refused(body, { secrets: [], acceptUnsigned: false });
      assert.equal(reason, 'signature_unverifiable');
      assert.match(detail, /NEPHO_TELEMETRY_SECRET.*NEPHO_TELEMETRY_UNSIGNED=accept/);
    }
  });

  test('are passed over only where the deployer said so, and never if they are wrong', () => {
    taken(POLLING.body, TAKE_ALL);
    const both: SampleSignaturePolicy = { secrets: [SECRET], acceptUnsigned: true };
    taken(UNSIGNED.body, both);
    taken(POLLING.body, both);
    const forged = POLLING.body.replace('vm-1', 'vm-9');
    assert.equal(refused(forged, both).reason, 'signature_invalid');
  });
});
