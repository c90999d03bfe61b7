import assert from 'node:assert/strict';
import test from 'node:test';
import { compileMapping, MappingIndex } from '../../collectors/prometheus/mapping.ts';
import { MappedReadings } from '../../collectors/prometheus/mapped_readings.ts';
import { readExposition } from '../../meters/exposition.ts';
import { meterTypeOf } from '../../meters/exposition_type.ts';
import type { Reading } from '../../meters/sample.ts';
import { prometheusSettings } from '../support/exporter.ts';
import {
  type RecordingPollContext,
  recordingPollContext,
} from '../support/recording_poll_context.ts';

const base = { series: 'a', meter: 'm', unit: 'B', resource_id: '${id}' };

function map(
  text: string,
  mappings: Record<string, unknown>[],
  options: { labels?: Record<string, string>; context?: RecordingPollContext } = {},
): { readings: Reading[]; context: RecordingPollContext } {
  const context = options.context ?? recordingPollContext();
  const settings = prometheusSettings({
    endpoints: [{ name: 'node1', url: 'http://node1/metrics' }],
    mappings: mappings.map((mapping) => ({ ...base, ...mapping })),
  });
  const readings = new MappedReadings(
    new MappingIndex(settings.mappings.map(compileMapping)),
    { unitId: 'node1', endpoint: 'node1', labels: options.labels ?? {}, readAt: context.now() },
    context,
  );
  readExposition(text, 'prometheus', (sample, family) => {
    readings.take({ ...sample, type: meterTypeOf(sample.name, family) });
  });
  return { readings: readings.finish(), context };
}

test('mapping: name, ids, metadata and time come from the series', () => {
  const { readings, context } = map(
    '# TYPE a counter\na{id="r",p="tenant",u="",dev="vda"} 18446744073709551617 1769860800123\n',
    [{
      meter: 'disk.${dev}.bytes',
      resource_id: '${__endpoint__}-${id}',
      project_id: '${p}',
      user_id: '${u}',
      metadata: ['dev', 'missing', '__name__'],
    }],
  );
  assert.deepEqual(readings, [{
    meter: 'disk.vda.bytes',
    type: 'cumulative',
    unit: 'B',
    volume: '18446744073709551617',
    resource_id: 'node1-r',
    project_id: 'tenant',
    user_id: null,
    timestamp: '2026-01-31T12:00:00.123000Z',
    metadata: { dev: 'vda', __name__: 'a' },
  }]);
  assert.deepEqual([context.gaps, context.remarks], [[], []]);
});

test('mapping: factors are exact, and a value may mean that there is none', () => {
  const scaled = (value: string, scale: unknown) =>
    map(`a{id="r"} ${value}\n`, [{ scale }]).readings[0]?.volume;
  assert.equal(scaled('9007199254740993', '1e-9'), '9007199.254740993');
  assert.equal(scaled('12345.678901234567', 1_000_000_000), '12345678901234.567');
  assert.equal(scaled('3', 0.1), '0.3');
  const { readings, context } = map('a{id="r"} -1.0\na{id="s"} NaN\na{id="t"} 5\n', [{
    skip: [-1, 'NaN'],
  }]);
  assert.deepEqual(readings.map(({ resource_id }) => resource_id), ['t']);
  assert.deepEqual(context.gaps, []);
});

test('mapping: what has no number, no name or no possible time is missing, once for each reason', () => {
  const { readings, context } = map(
    'a{id="r"} NaN\na{id="s"} +Inf\na{id="t"} 1e300\na 1\na{id="u"} 1 1\na{id="v"} 7\n',
    [{}],
  );
  assert.deepEqual(readings.map(({ resource_id }) => resource_id), ['v']);
  assert.deepEqual(context.gaps, [
    {
      unit: 'node1',
      meter: 'm',
      reason: 'value_invalid',
      detail: `4 times, first 'a{id="r"}': its value is NaN`,
    },
    {
      unit: 'node1',
      meter: 'm',
      reason: 'timestamp_invalid',
      detail: `'a{id="u"}': its time is 1000 µs since 1970`,
    },
  ]);
});

test('mapping: two series for one reading are a gap unless they are to be summed', () => {
  const text =
    'a{id="r",cpu="0",h="x"} 1.5\na{id="r",cpu="1",h="x"} 2.25 1769860800000\na{id="s"} 1\n';
  const apart = map(text, [{}]);
  assert.deepEqual(apart.readings.map(({ resource_id }) => resource_id), ['s']);
  assert.match(apart.context.gaps[0]?.detail ?? '', /both give 'm' of 'r'/);
  const { readings, context } = map(text, [{ sum: true, metadata: 'all' }]);
  assert.deepEqual(
    readings.map(({ resource_id, volume, metadata }) => [resource_id, volume, metadata]),
    [['r', '3.75', { id: 'r', h: 'x' }], ['s', '1', { id: 's' }]],
  );
  assert.deepEqual(context.gaps, []);
});

test('mapping: a sum that lacks an addend is missing, and none is added twice', () => {
  const { readings, context } = map(
    'a{id="r",c="0"} 1\na{id="r",c="1"} NaN\na{id="s",c="0"} 1\na{c="0",id="s"} 1\na{id="s",c="1"} 1\na{id="s",c="1"} 1\n',
    [{ sum: true }],
  );
  assert.deepEqual(readings.map(({ resource_id, volume }) => [resource_id, volume]), [['s', '2']]);
  assert.deepEqual(context.gaps.map(({ reason }) => reason), ['value_invalid']);
  assert.deepEqual(context.remarks, [{
    code: 'listed_twice',
    unit: 'node1',
    detail: '2 series stand there twice',
  }]);
});

test('mapping: the labels of the settings overrule those of the endpoint', () => {
  const { readings } = map('a{id="forged"} 1\n', [{ series: 'a{id="host1"}' }], {
    labels: { id: 'host1' },
  });
  assert.equal(readings[0]?.resource_id, 'host1');
});

test('mapping: too few readings are a gap, and what is not wanted is not read', () => {
  const context = recordingPollContext({ wants: (meter) => meter !== 'other' });
  const { readings } = map('a{id="r"} 1\nb{id="r"} NaN\n', [
    { at_least: 2 },
    { series: 'b', meter: 'other' },
    { series: 'c', meter: 'third', at_least: 1 },
    { series: 'd', meter: 'fourth' },
  ], { context });
  assert.equal(readings.length, 1);
  assert.deepEqual(context.gaps.map(({ meter, reason, detail }) => [meter, reason, detail]), [
    ['m', 'below_expectation', 'Got 1 readings, at least 2 are expected'],
    ['third', 'below_expectation', 'Got 0 readings, at least 1 are expected'],
  ]);
});

test('mapping: readings of the same labels share one metadata object', () => {
  const { readings } = map('a{id="r",x="1"} 1\nb{id="r",x="1"} 2\n', [
    { metadata: 'all' },
    { series: 'b', meter: 'n', metadata: { id: '${id}', x: '${x}' } },
  ]);
  assert.equal(readings.length, 2);
  assert.equal(readings[0]?.metadata, readings[1]?.metadata);
});

test('mapping: a pattern that runs away fails its mapping and no other', () => {
  const text = Array.from({ length: 500 }, (_, i) => `a{id="${'a'.repeat(200)}${i}"} 1\n`).join('');
  const start = performance.now();
  const { readings, context } = map(text, [
    { series: 'a{id=~"(a*)*(a*)*(a*)*b"}', meter: 'slow' },
    {},
  ]);
  assert.ok(performance.now() - start < 1_000);
  assert.equal(readings.length, 500);
  assert.deepEqual(context.gaps.map(({ meter, reason }) => [meter, reason]), [
    ['slow', 'pollster_failed'],
  ]);
});
