import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isNephoError } from '../../meters/errors.ts';
import { ExactNumber } from '../../meters/json.ts';
import { MAX_ID_LENGTH, MAX_NAME_LENGTH, MAX_NOTIFICATION_BYTES } from '../../meters/limits.ts';
import { decodeNotification } from '../../meters/notification.ts';
import { recordedNotifications } from '../support/fixtures.ts';

const ENCODER = new TextEncoder();
const FLAT = {
  message_id: '5460acce-4fd6-480d-ab18-9735ec7b1996',
  event_type: 'compute.instance.create.end',
  publisher_id: 'compute.host1',
  priority: 'info',
  timestamp: '2026-11-22 08:19:08.476776',
  payload: { instance_id: 'i', memory_mb: 512 },
  _unique_id: 'abc',
  _context_project_id: 'p1',
  _context_roles: ['admin'],
};
const EXPECTED = {
  messageId: '5460acce-4fd6-480d-ab18-9735ec7b1996',
  cloudEvent: null,
  eventType: 'compute.instance.create.end',
  publisherId: 'compute.host1',
  priority: 'INFO',
  timestamp: '2026-11-22 08:19:08.476776',
  payload: { instance_id: 'i', memory_mb: 512 },
  context: { project_id: 'p1', roles: ['admin'] },
};
const EVENT = { specversion: '1.0', id: 'e1', source: '/cloud/a', type: 'org.openstack' };

describe('decodeNotification', () => {
  test('reads the flat form, the envelope, and a CloudEvent around either the same', () => {
    assert.deepEqual(decode(FLAT), EXPECTED);
    assert.deepEqual(decode(enveloped(FLAT)), EXPECTED);
    const cloudEvent = { id: 'e1', source: '/cloud/a' };
    for (const inner of [FLAT, enveloped(FLAT)]) {
      const text = JSON.stringify(inner);
      const base64 = Buffer.from(text).toString('base64');
      for (const data of [{ data: inner }, { data: text }, { data_base64: base64 }]) {
        assert.deepEqual(decode({ ...EVENT, ...data }), { ...EXPECTED, cloudEvent });
      }
    }
  });

  test("reads Ceilometer's own form with metadata and ctxt", () => {
    const { message_id, timestamp, event_type, publisher_id, priority, payload } = FLAT;
    const notification = decode({
      metadata: { message_id, timestamp },
      ctxt: { project_id: 'p1', roles: ['admin'] },
      event_type,
      publisher_id,
      priority,
      payload,
    });
    assert.deepEqual(notification, EXPECTED);
  });

  test('reads every notification that a real cloud sent', () => {
    for (const { body } of recordedNotifications()) {
      const message = JSON.parse(JSON.parse(body)['oslo.message']);
      const notification = decodeNotification(ENCODER.encode(body));
      assert.equal(notification.messageId, message.message_id);
      assert.equal(notification.eventType, message.event_type);
      assert.equal(notification.timestamp, message.timestamp);
      assert.deepEqual(notification.payload, message.payload);
      assert.equal(notification.context['request_id'] ?? null, message._context_request_id ?? null);
      assert.equal('auth_token' in notification.context, '_context_auth_token' in message);
    }
  });

  test('leaves out what the sender left out', () => {
    const bare = { event_type: 'a', payload: null };
    const expected = {
      messageId: null,
      cloudEvent: null,
      eventType: 'a',
      publisherId: '',
      priority: '',
      timestamp: null,
      payload: null,
      context: {},
    };
    assert.deepEqual(decode(bare), expected);
    assert.deepEqual(
      decode({ ...bare, message_id: '', publisher_id: null, priority: null, timestamp: null }),
      expected,
    );
  });

  test('keeps numbers that a double does not hold, in either form', () => {
    const text = JSON.stringify(FLAT).replace('512', '92233720368547758079');
    for (const body of [text, JSON.stringify({ 'oslo.version': '2.0', 'oslo.message': text })]) {
      const { payload } = decodeNotification(ENCODER.encode(body));
      assert.deepEqual(payload, {
        instance_id: 'i',
        memory_mb: new ExactNumber('92233720368547758079'),
      });
    }
  });

  test('a context or payload named __proto__ changes no prototype', () => {
    const body = '{"event_type":"a","payload":{"__proto__":{"x":1}},' +
      '"_context___proto__":{"y":1},"ctxt":{"__proto__":{"z":1}},"__proto__":{"message_id":"m"}}';
    const notification = decodeNotification(ENCODER.encode(body));
    assert.equal(notification.messageId, null);
    for (const value of [notification.context, notification.payload]) {
      assert.equal(Object.getPrototypeOf(value), Object.prototype);
    }
    assert.equal(Object.getPrototypeOf({}), Object.prototype);
    assert.deepEqual(Object.keys(notification.context), ['__proto__']);
  });

  const faults: [string, unknown, string, string?][] = [
    ['a list', [], 'not_an_object', ''],
    ['a text', 'x', 'not_an_object', ''],
    ['a number beyond a double', '@12345678901234567890', 'not_an_object', ''],
    ['null', null, 'not_an_object', ''],
    ['half of an object', '@{"event_type":', 'not_json', 'line 1 column 15'],
    ['nothing', '@', 'not_json', 'line 1 column 1'],
    ['no event type', { ...FLAT, event_type: undefined }, 'envelope_invalid', 'event_type'],
    ['an empty event type', { ...FLAT, event_type: '' }, 'envelope_invalid', 'event_type'],
    ['a number as event type', { ...FLAT, event_type: 1 }, 'envelope_invalid', 'event_type'],
    ['no payload', { ...FLAT, payload: undefined }, 'envelope_invalid', 'payload'],
    ['an id that is no text', { ...FLAT, message_id: 1 }, 'envelope_invalid', 'message_id'],
    ['a time that is no text', { ...FLAT, timestamp: 1.5 }, 'timestamp_invalid', 'timestamp'],
    ['NUL in the id', { ...FLAT, message_id: 'a\0' }, 'text_invalid', 'message_id'],
    ['half a pair', { ...FLAT, event_type: 'a\ud800' }, 'text_invalid', 'event_type'],
    ['a long id', { ...FLAT, message_id: 'x'.repeat(MAX_ID_LENGTH + 1) }, 'name_too_long'],
    ['a long type', { ...FLAT, event_type: 'x'.repeat(MAX_NAME_LENGTH + 1) }, 'name_too_long'],
    ['a new envelope', envelope('3.0', '{}'), 'envelope_invalid', 'oslo.version'],
    ['an envelope without version', { 'oslo.message': '{}' }, 'envelope_invalid', 'oslo.version'],
    ['an envelope around an object', envelope('2.0', {}), 'envelope_invalid', 'oslo.message'],
    ['an envelope around a list', envelope('2.0', '[]'), 'not_an_object', 'oslo.message'],
    [
      'an envelope around half a text',
      envelope('2.0', '{"a":\n'),
      'not_json',
      'oslo.message: line 2 column 1',
    ],
    ['depth in an envelope', envelope('2.0', '['.repeat(99)), 'too_deep'],
    ['a CloudEvent without data', EVENT, 'envelope_invalid', 'data'],
    ['a CloudEvent with both', { ...EVENT, data: {}, data_base64: '' }, 'envelope_invalid', 'data'],
    ['a CloudEvent without id', { ...EVENT, id: '', data: FLAT }, 'envelope_invalid', 'id'],
    ['a CloudEvent of 0.3', { ...EVENT, specversion: '0.3' }, 'envelope_invalid', 'specversion'],
    ['no base64', { ...EVENT, data_base64: '*' }, 'envelope_invalid', 'data_base64'],
    ['base64 of rubbish', { ...EVENT, data_base64: '//8=' }, 'not_utf8', 'data_base64'],
    ['a CloudEvent of something else', { ...EVENT, data: { a: 1 } }, 'envelope_invalid'],
    ['100,000 levels', `@${'{"a":'.repeat(100_000)}`, 'too_deep'],
  ];
  for (const [what, input, code, place] of faults) {
    test(`refuses ${what} as ${code}`, () => {
      assert.throws(() => decode(input), (error) => {
        assert.ok(isNephoError(error));
        assert.equal(error.code, code);
        if (place !== undefined) assert.equal(error.context['place'], place);
        assert.equal(typeof error.context['place'], 'string');
        return true;
      });
    });
  }

  test('refuses what is not UTF-8 and says at which byte', () => {
    const bytes = ENCODER.encode(JSON.stringify({ ...FLAT, publisher_id: 'ä'.repeat(50) }));
    fc.assert(
      fc.property(fc.nat({ max: bytes.length - 1 }), (at) => {
        const broken = Uint8Array.from(bytes);
        broken[at] = 0xff;
        assert.throws(() => decodeNotification(broken), { code: 'not_utf8' });
      }),
    );
    assert.throws(() => decodeNotification(Uint8Array.of(0x22, 0xc3, 0xa4, 0xff, 0x22)), {
      code: 'not_utf8',
      context: { place: 'byte 3' },
    });
    assert.throws(() => decodeNotification(Uint8Array.of(0x22, 0xc3)), { code: 'not_utf8' });
  });

  test('refuses a body over the limit unread', () => {
    assert.throws(() => decodeNotification(new Uint8Array(MAX_NOTIFICATION_BYTES + 1)), {
      code: 'too_large',
    });
  });
});

function envelope(version: string, message: unknown): Record<string, unknown> {
  return { 'oslo.version': version, 'oslo.message': message };
}

function enveloped(message: unknown): Record<string, unknown> {
  return envelope('2.0', JSON.stringify(message));
}

/** A text that begins with `@` stands for itself. */
function decode(value: unknown) {
  const text = typeof value === 'string' && value.startsWith('@')
    ? value.slice(1)
    : JSON.stringify(value);
  return decodeNotification(ENCODER.encode(text));
}
