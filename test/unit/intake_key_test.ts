import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { intakeKey, shardOf, shardOfBytes } from '../../meters/intake_key.ts';
import type { JsonObject, JsonValue } from '../../meters/json.ts';
import { decodeNotification } from '../../meters/notification.ts';
import { recordedNotifications } from '../support/fixtures.ts';

describe('intakeKey', () => {
  const cases: [string, JsonValue, string][] = [
    ['the project, first', { tenant_id: 't', project_id: 'p', owner: 'o', id: 'i' }, 't'],
    ['an image by its owner', { owner: 'o', id: 'i' }, 'o'],
    ['a network by its project', { network: { id: 'n', tenant_id: 't' } }, 't'],
    ['a bulk creation by its first', { ports: [{ tenant_id: 't' }, { tenant_id: 'u' }] }, 't'],
    ['versioned data', { 'nova_object.data': { tenant_id: 't', uuid: 'u' } }, 't'],
    ['CADF by its initiator', cadf({ initiator: { project_id: 'p' }, target: { id: 'x' } }), 'p'],
    ['CADF by its target', cadf({ initiator: { id: 'u' }, target: { id: 'x' } }), 'x'],
    ['a deletion by its resource', { network_id: 'n' }, 'n'],
    ['a nested resource by its own id', { port: { network_id: 'n', id: 'p', tenant_id: '' } }, 'p'],
    ['a payload that says nothing by the context', { changes: ['a'] }, 'context'],
    ['a text by the context', 'gone', 'context'],
    ['a list by the context', [{ tenant_id: 't' }], 'context'],
    ['keys that are no texts by the context', { tenant_id: 1, id: null, owner: {} }, 'context'],
  ];
  for (const [what, payload, expected] of cases) {
    test(`takes ${what}`, () => {
      assert.equal(intakeKey(notification(payload, { tenant_id: 'context' })), expected);
    });
  }

  test('without any of these takes the event type', () => {
    assert.equal(intakeKey(notification({}, {})), 'some.event');
    assert.equal(intakeKey(notification(null, { project_id: null, tenant: '' })), 'some.event');
  });

  test('of what a real cloud sent, all that names a project is sharded by it', () => {
    for (const { body } of recordedNotifications()) {
      const decoded = decodeNotification(new TextEncoder().encode(body));
      const project = /\\"(?:tenant_id|project_id|owner)\\": \\"([0-9a-f]{32})\\"/.exec(
        body.slice(body.indexOf('\\"payload\\"')),
      );
      // Beginnings of requests may name it deep in what was asked for; they are not metered.
      if (project === null || decoded.eventType.endsWith('.start')) continue;
      assert.equal(intakeKey(decoded), project[1], decoded.eventType);
    }
  });

  test('never throws, and is never empty', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const payload: JsonValue = JSON.parse(JSON.stringify(value));
        assert.notEqual(intakeKey(notification(payload, {})), '');
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('shardOf', () => {
  test('is FNV-1a, by its published vectors', () => {
    const vectors: [string, number][] = [
      ['', 0x811c9dc5],
      ['a', 0xe40c292c],
      ['foobar', 0xbf9cf968],
      ['chongo was here!\n', 0xd49930d5],
    ];
    for (const [key, hash] of vectors) assert.equal(shardOf(key, 2 ** 32), hash);
  });

  test('keeps its golden vectors', () => {
    const vectors: [string, number, number][] = [
      ['6a2fc9284103418cad09e73d72337262', 4, 1],
      ['6a2fc9284103418cad09e73d72337262', 16, 1],
      ['demo-project-1', 4, 0],
      ['projet-é', 16, 10],
    ];
    assert.deepEqual(
      vectors.map(([key, shards]) => shardOf(key, shards)),
      vectors.map(([, , shard]) => shard),
    );
  });

  test('spreads projects over the shards', () => {
    const counts = [0, 0, 0, 0, 0, 0, 0, 0];
    for (let index = 0; index < 8_000; index += 1) {
      const shard = shardOf(`project-${index}`, counts.length);
      counts[shard] = (counts[shard] ?? 0) + 1;
    }
    assert.ok(counts.every((count) => count > 900 && count < 1_100), counts.join());
  });

  test('is the same of a text and of its bytes', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 64 }), (key, shards) => {
        const shard = shardOf(key, shards);
        assert.ok(shard >= 0 && shard < shards);
        assert.equal(shardOfBytes(new TextEncoder().encode(key), shards), shard);
      }),
    );
  });
});

function cadf(parts: JsonObject): JsonObject {
  return { typeURI: 'http://schemas.dmtf.org/cloud/audit/1.0/event', id: 'event', ...parts };
}

function notification(payload: JsonValue, context: JsonObject) {
  return {
    messageId: null,
    cloudEvent: null,
    eventType: 'some.event',
    publisherId: '',
    priority: '',
    timestamp: null,
    payload,
    context,
  };
}
