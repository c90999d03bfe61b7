import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { loadDefinitionDirectory, SHIPPED_DEFINITIONS } from '../../cli/definition_files.ts';
import { compileDefinitions } from '../../meters/definition_compile.ts';
import { isNephoError } from '../../meters/errors.ts';
import { parseExactJson } from '../../meters/exact_json.ts';
import type { JsonObject, JsonValue } from '../../meters/json.ts';
import { MAX_SAMPLES_PER_NOTIFICATION } from '../../meters/limits.ts';
import type { Notification } from '../../meters/notification.ts';
import { isCanonicalQuantity } from '../../meters/quantity.ts';
import { isCanonicalTimestamp } from '../../meters/timestamp.ts';
import { definition, notificationOf, setOf } from '../support/definitions.ts';

const PLAIN = setOf(definition({}));
const LISTS = setOf(definition({
  name: '$.payload.list[*].name',
  volume: '$.payload.list[*].value',
  resource_id: '$.payload.id',
  metadata: '{id: $.payload.id}',
  lookup: '[name, volume]',
}));
const EACH = setOf(definition({
  each: '[$.payload.thing, "$.payload.things[*]"]',
  volume: 'size',
  resource_id: 'id',
  project_id: '[owner, $.payload.owner]',
  metadata: '{name: name, host: $.publisher_id}',
}));

test('extract gives a sample with everything that the definition reads', () => {
  assert.deepEqual(PLAIN.extract(notificationOf({ payload: { id: 'r-1', size: 5 } })), {
    matched: true,
    readings: [{
      meter: 'x.size',
      type: 'gauge',
      unit: 'B',
      volume: '5',
      resource_id: 'r-1',
      project_id: 'p-1',
      user_id: 'u-1',
      timestamp: '2026-03-01T12:00:00.500000Z',
      metadata: { id: 'r-1', size: 5, event_type: 'x.end', host: 'service.host' },
    }],
    withoutVolume: [],
  });
});

test('extract matches nothing of another event type or an error priority', () => {
  const nothing = { matched: false, readings: [], withoutVolume: [] };
  assert.deepEqual(PLAIN.extract(notificationOf({ eventType: 'y.end' })), nothing);
  assert.deepEqual(PLAIN.extract(notificationOf({ priority: 'ERROR' })), nothing);
  for (const priority of ['INFO', 'SAMPLE', '']) {
    assert.equal(PLAIN.extract(notificationOf({ priority })).readings.length, 1, priority);
  }
});

const VOLUMES: readonly [json: string, volume: string][] = [
  ['0', '0'],
  ['-0.0', '0'],
  ['1e21', '1000000000000000000000'],
  ['1e-7', '0.0000001'],
  ['9223372036854775807', '9223372036854775807'],
  ['0.1000000000000000055511151231257827', '0.1000000000000000055511151231257827'],
  ['"12"', '12'],
  ['" 1_000.50\\n"', '1000.5'],
  ['"-.5e1"', '-5'],
  ['true', '1'],
  ['false', '0'],
];

test('extract keeps volumes exact and canonical', () => {
  for (const [json, volume] of VOLUMES) {
    const payload = parseExactJson(`{"id": "r", "size": ${json}}`);
    const [reading] = PLAIN.extract(notificationOf({ payload })).readings;
    assert.equal(reading?.volume, volume, json);
  }
});

test('a volume that is null or absent gives no sample and is told', () => {
  for (const payload of [{ id: 'r', size: null }, { id: 'r' }, {}, null, 'text', [1]]) {
    assert.deepEqual(PLAIN.extract(notificationOf({ payload })), {
      matched: true,
      readings: [],
      withoutVolume: ['x.size'],
    });
  }
});

const REFUSED: readonly [
  title: string,
  parts: Partial<Notification>,
  code: string,
  place: string,
][] = [
  ['text', { payload: { id: 'r', size: 'many' } }, 'volume_invalid', 'volume'],
  ['empty text', { payload: { id: 'r', size: '' } }, 'volume_invalid', 'volume'],
  ['NaN', { payload: { id: 'r', size: 'NaN' } }, 'volume_invalid', 'volume'],
  ['infinity', { payload: { id: 'r', size: 'inf' } }, 'volume_invalid', 'volume'],
  ['a list', { payload: { id: 'r', size: [1] } }, 'volume_invalid', 'volume'],
  ['an object', { payload: { id: 'r', size: {} } }, 'volume_invalid', 'volume'],
  [
    '400 digits',
    { payload: parseExactJson(`{"id": "r", "size": ${'9'.repeat(400)}}`) },
    'volume_invalid',
    'volume',
  ],
  ['1e400', { payload: parseExactJson('{"id": "r", "size": 1e400}') }, 'volume_invalid', 'volume'],
  ['no resource', { payload: { size: 1 } }, 'resource_missing', 'resource_id'],
  ['null resource', { payload: { size: 1, id: null } }, 'resource_missing', 'resource_id'],
  ['empty resource', { payload: { size: 1, id: '' } }, 'resource_missing', 'resource_id'],
  ['object resource', { payload: { size: 1, id: {} } }, 'definition_failed', 'resource_id'],
  [
    'long resource',
    { payload: { size: 1, id: 'x'.repeat(2_000) } },
    'name_too_long',
    'resource_id',
  ],
  ['NUL in resource', { payload: { size: 1, id: 'a\0b' } }, 'text_invalid', 'resource_id'],
  [
    'lone surrogate in resource',
    { payload: { size: 1, id: 'a\ud800' } },
    'text_invalid',
    'resource_id',
  ],
  ['NUL in user', { context: { user_id: '\0' } }, 'text_invalid', 'user_id'],
  [
    'NUL in metadata',
    { payload: { size: 1, id: 'r', deep: [{ x: '\0' }] } },
    'text_invalid',
    'metadata',
  ],
  ['NUL in a key', { payload: { size: 1, id: 'r', 'a\0': 1 } }, 'text_invalid', 'metadata'],
  [
    'long metadata',
    { payload: { size: 1, id: 'r', x: 'y'.repeat(200_000), z: 'y'.repeat(200_000) } },
    'too_large',
    'metadata',
  ],
  ['no time', { timestamp: null }, 'timestamp_missing', 'timestamp'],
  ['unreadable time', { timestamp: 'yesterday' }, 'timestamp_invalid', 'timestamp'],
  ['impossible time', { timestamp: '2026-02-30T00:00:00' }, 'timestamp_invalid', 'timestamp'],
];

test('extract refuses what cannot be a sample, with reason, meter, place and definition', () => {
  for (const [title, parts, code, place] of REFUSED) {
    assert.throws(() => PLAIN.extract(notificationOf(parts)), (error) => {
      assert.ok(isNephoError(error), title);
      assert.equal(error.code, code, title);
      assert.deepEqual(
        error.context,
        { meter: 'x.size', place, definition: 'test.yaml:2:5' },
        title,
      );
      return true;
    });
  }
});

test('an empty project is nobody, and not replaced by who asked', () => {
  const set = setOf(definition({ project_id: '$.payload.owner', user_id: '$.payload.user' }));
  const of = (payload: JsonValue) => set.extract(notificationOf({ payload })).readings[0];
  assert.equal(of({ id: 'r', size: 1, owner: '', user: '' })?.project_id, null);
  assert.equal(of({ id: 'r', size: 1, owner: '', user: '' })?.user_id, null);
  assert.equal(of({ id: 'r', size: 1, owner: null })?.project_id, 'p-1');
  assert.equal(of({ id: 'r', size: 1, owner: 'o' })?.project_id, 'o');
});

test('a field named __proto__ changes no prototype and is kept', () => {
  const payload = JSON.parse(
    '{"id": "r", "size": 1, "__proto__": {"polluted": true}}',
  ) as JsonObject;
  const [reading] = PLAIN.extract(notificationOf({ payload })).readings;
  assert.ok(reading !== undefined);
  assert.equal(Object.getPrototypeOf(reading.metadata), Object.prototype);
  assert.deepEqual(Object.getOwnPropertyDescriptor(reading.metadata, '__proto__')?.value, {
    polluted: true,
  });
  assert.equal(({} as JsonObject)['polluted'], undefined);
  const set = setOf(
    definition({ user_metadata: '$.payload.tags', metadata: '{__proto__: $.payload.id}' }),
  );
  const tags = JSON.parse('{"metering.__proto__": {"polluted": true}}') as JsonObject;
  const [other] = set.extract(notificationOf({ payload: { id: 'r', size: 1, tags } })).readings;
  assert.ok(other !== undefined && Object.hasOwn(other.metadata, '__proto__'));
  assert.equal(({} as JsonObject)['polluted'], undefined);
});

test('lookup pairs lists, and leaves out the nulls among the volumes', () => {
  const list = [{ name: 'a', value: 1 }, { name: 'b', value: null }, { name: 'c', value: 3 }];
  const { readings, withoutVolume } = LISTS.extract(notificationOf({ payload: { id: 'r', list } }));
  assert.deepEqual(readings.map(({ meter, volume }) => `${meter}=${volume}`), ['a=1', 'c=3']);
  assert.equal(withoutVolume.length, 1);
  const empty = LISTS.extract(notificationOf({ payload: { id: 'r', list: [] } }));
  assert.deepEqual([empty.readings.length, empty.withoutVolume.length], [0, 1]);
});

test('lookup refuses lists that do not pair', () => {
  const list = [{ name: 'a', value: 1 }, { name: 'b' }];
  assert.throws(
    () => LISTS.extract(notificationOf({ payload: { id: 'r', list } })),
    (error) =>
      isNephoError(error) && error.code === 'definition_failed' &&
      error.context['place'] === 'volume',
  );
});

test('a million elements are refused at once, as many as are allowed are taken', () => {
  const payload = (count: number, key: string): JsonObject => ({
    id: 'r',
    [key]: Array.from(
      { length: count },
      (_, i) => ({ id: `r${i}`, name: `m${i % 3}`, value: i, size: i }),
    ),
  });
  for (const [set, key] of [[LISTS, 'list'], [EACH, 'things']] as const) {
    const most = set.extract(
      notificationOf({ payload: payload(MAX_SAMPLES_PER_NOTIFICATION, key) }),
    );
    assert.equal(most.readings.length, MAX_SAMPLES_PER_NOTIFICATION);
    const million = notificationOf({ payload: payload(1_000_000, key) });
    const started = performance.now();
    assert.throws(
      () => set.extract(million),
      (error) => isNephoError(error) && error.code === 'too_many_samples',
    );
    assert.ok(performance.now() - started < 1_000);
  }
});

test('samples of several definitions count together against the limit', () => {
  const twice = setOf(
    definition({ each: '$.payload.things[*]', volume: '1', resource_id: '$.payload.id' }),
    definition({
      name: 'y',
      each: '$.payload.things[*]',
      volume: '1',
      resource_id: '$.payload.id',
    }),
  );
  const things = Array.from({ length: 6_000 }, () => 1);
  assert.throws(
    () => twice.extract(notificationOf({ payload: { id: 'r', things } })),
    (error) => isNephoError(error) && error.code === 'too_many_samples',
  );
});

test('each gives one sample for each thing, with paths that start at it', () => {
  const things = [{ id: 'a', size: 1, name: 'one', owner: 'o-1' }, { id: 'b', size: 2, name: '' }];
  const { readings } = EACH.extract(notificationOf({ payload: { things, owner: 'o-2' } }));
  assert.deepEqual(
    readings.map((
      { resource_id, volume, project_id, metadata },
    ) => [resource_id, volume, project_id, metadata]),
    [
      ['a', '1', 'o-1', { name: 'one', host: 'service.host' }],
      ['b', '2', 'o-2', { host: 'service.host' }],
    ],
  );
  const one = EACH.extract(notificationOf({ payload: { thing: { id: 'c', size: 3 } } }));
  assert.deepEqual(one.readings.map(({ resource_id }) => resource_id), ['c']);
  const none = EACH.extract(notificationOf({ payload: {} }));
  assert.deepEqual(none, { matched: true, readings: [], withoutVolume: ['x.size'] });
});

test('definitions with the same metadata rules share one object, others do not', () => {
  const set = setOf(
    definition({ metadata: '{id: $.payload.id}' }),
    definition({ name: 'y', volume: '1', metadata: '{id: $.payload.id}' }),
    definition({ name: 'z', volume: '1', metadata: '{size: $.payload.size}' }),
  );
  const [a, b, c] = set.extract(notificationOf({})).readings;
  assert.equal(a?.metadata, b?.metadata);
  assert.notEqual(a?.metadata, c?.metadata);
});

test('many event types do not fill the memory, nor change the answer', () => {
  for (let i = 0; i < 25_000; i += 1) PLAIN.extract(notificationOf({ eventType: `t${i}` }));
  assert.equal(PLAIN.extract(notificationOf({})).readings.length, 1);
});

test('whatever a notification holds, extract gives canonical samples or a reason', async () => {
  const compiled = compileDefinitions(await loadDefinitionDirectory([SHIPPED_DEFINITIONS]));
  assert.ok(compiled.ok);
  const { set } = compiled;
  const eventType = fc.constantFrom(
    'compute.instance.exists',
    'compute.metrics.update',
    'image.upload',
    'volume.create.end',
    'network.create.end',
    'objectstore.http.request',
    'magnum.bay.metrics.update',
    'hardware.ipmi.metrics.update',
    'identity.authenticate',
    'profiler.x',
    'dns.domain.exists',
    'capacity.pool.x',
    'http.request',
  );
  const key = fc.constantFrom(
    'id',
    'instance_id',
    'size',
    'metrics',
    'name',
    'value',
    'networks',
    'network',
    'payload',
    'Temperature',
    'Sensor ID',
    'Sensor Reading',
    'measurements',
    'metric',
    'result',
    'metadata',
    'metering.x',
    'vcpus',
    'volume_id',
    'tenant_id',
    'created_at',
    'launched_at',
    'outcome',
    'initiator',
    'timestamp',
    '__proto__',
    'constructor',
  );
  const scalar = fc.oneof(
    fc.string(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.constantFrom(
      '12',
      'cpu.percent',
      '2026-03-01T00:00:00',
      '\0',
      '\ud800',
      '26 (+/- 0.5) degrees C',
      'nan',
    ),
  );
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 5 },
      scalar,
      fc.array(tie('value'), { maxLength: 4 }),
      fc.array(fc.tuple(key, tie('value')), { maxLength: 8 }).map((pairs) =>
        Object.fromEntries(pairs)
      ),
    ),
  }));
  const reasons = [
    'volume_invalid',
    'timestamp_missing',
    'timestamp_invalid',
    'resource_missing',
    'too_many_samples',
    'text_invalid',
    'name_too_long',
    'definition_failed',
    'too_large',
  ];
  fc.assert(
    fc.property(eventType, value, (type, payload) => {
      try {
        const { readings, withoutVolume } = set.extract(
          notificationOf({ eventType: type, payload: payload as JsonValue }),
        );
        assert.ok(readings.length + withoutVolume.length > 0);
        for (const reading of readings) {
          assert.ok(isCanonicalQuantity(reading.volume), reading.volume);
          assert.ok(isCanonicalTimestamp(reading.timestamp), reading.timestamp);
          assert.ok(reading.resource_id.length > 0 && reading.meter.length > 0);
        }
      } catch (error) {
        assert.ok(isNephoError(error), String(error));
        assert.ok(reasons.includes(error.code), error.code);
      }
    }),
    { numRuns: 3_000 },
  );
});
