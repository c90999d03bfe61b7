/** What exists: notifications of a life and audits of it, by the shipped definitions and rules. */
import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import { loadDefinitionDirectory, SHIPPED_DEFINITIONS } from '../../cli/definition_files.ts';
import { loadUsageRules } from '../../cli/usage_rules_file.ts';
import { compileDefinitions } from '../../meters/definition_compile.ts';
import type { JsonObject } from '../../meters/json.ts';
import { formatQuantity } from '../../meters/quantity.ts';
import { formatMicros, parseTimestamp, toMicros } from '../../meters/timestamp.ts';
import { readingOf, ruleOf } from '../../meters/usage_rules.ts';
import { type ComputedWindow, computeWindows } from '../../meters/window_compute.ts';
import { EMPTY_FIGURES, mergeFigures, type WindowFigures } from '../../meters/window_figures.ts';

const HOUR = 3_600_000_000n;
const compiled = compileDefinitions(await loadDefinitionDirectory([SHIPPED_DEFINITIONS]));
assert.ok(compiled.ok);
const { set } = compiled;
const rules = await loadUsageRules();

interface Told {
  at: string;
  event: string;
  payload: JsonObject;
}

/** As Nova tells of an instance: empty texts for times that are not yet. */
function nova(at: string, event: string, payload: JsonObject = {}): Told {
  return {
    at,
    event: `compute.instance.${event}`,
    payload: {
      instance_id: 'i-1',
      tenant_id: 'p-1',
      user_id: 'u-1',
      instance_type: 'm1.tiny',
      memory_mb: 2_048,
      launched_at: '2026-03-01T10:00:02.000000',
      deleted_at: '',
      ...payload,
    },
  };
}

/** The windows of a meter, an hour each, from what notifications tell. */
function windowsOf(meter: string, told: readonly Told[], every = HOUR): ComputedWindow[] {
  const rule = ruleOf(rules, meter);
  const readings = told.flatMap(({ at, event, payload }, index) =>
    set.extract({
      messageId: `m-${index}`,
      cloudEvent: null,
      eventType: event,
      publisherId: 'compute.host-1',
      priority: 'INFO',
      timestamp: at,
      payload,
      context: {},
    }).readings.filter((reading) => reading.meter === meter).map((reading) =>
      readingOf(rule, {
        at: toMicros(reading.timestamp),
        volume: reading.volume,
        id: `m-${index}`,
        eventType: event,
        since: reading.metadata[rule.sinceKey ?? ''],
        until: reading.metadata[rule.untilKey ?? ''],
      })
    )
  );
  return computeWindows(readings, {
    type: 'gauge',
    from: toMicros(parseTimestamp('2026-03-01T00:00Z')),
    to: toMicros(parseTimestamp('2026-03-04T00:00Z')),
    every,
    stalenessMicros: rule.stalenessMicros,
    carry: null,
  });
}

function total(windows: readonly ComputedWindow[]): WindowFigures {
  return windows.reduce((sum, { figures }) => mergeFigures(sum, figures), EMPTY_FIGURES);
}

/** By hour: start, unit seconds, and what is to be seen. */
function table(windows: readonly ComputedWindow[]): string[] {
  return windows.map(({ start, figures }) =>
    [
      formatMicros(start).slice(11, 16),
      formatQuantity(figures.integral),
      ...(figures.expired ? ['expired'] : []),
      ...(figures.ended ? ['ended'] : []),
    ].join(' ')
  );
}

const DELETED = { deleted_at: '2026-03-01T10:07:02.000000', state: 'deleted' };
const SHORT_LIFE: Told[] = [
  nova('2026-03-01 10:00:05', 'create.end'),
  nova('2026-03-01 10:06:58', 'delete.start'),
  nova('2026-03-01 10:07:03', 'delete.end', DELETED),
  nova('2026-03-01 11:00:10', 'exists', DELETED),
];

test('an instance that lived 7 minutes is billed 7 minutes, whatever is lost but its end', () => {
  assert.deepEqual(table(windowsOf('instance', SHORT_LIFE)), ['10:00 420 ended', '11:00 0 ended']);
  fc.assert(
    fc.property(fc.subarray(SHORT_LIFE), (told) => {
      fc.pre(told.some(({ payload }) => payload['deleted_at'] !== ''));
      const figures = total(windowsOf('instance', told));
      assert.equal(formatQuantity(figures.integral), '420');
      assert.equal(figures.coveredMicros, 420_000_000n);
      assert.equal(figures.expired, false);
    }),
    { numRuns: 30 },
  );
});

test('one whose deletion was lost is billed until its staleness, and shows that it expired', () => {
  const windows = windowsOf('instance', SHORT_LIFE.slice(0, 1), 24n * HOUR);
  assert.deepEqual(table(windows), ['00:00 50398', '00:00 39605 expired']);
  // From the launch to 25 hours after the last word.
  assert.equal(total(windows).coveredMicros, 25n * HOUR + 3_000_000n);
});

test('an audit renews what holds, and tells of the time before it', () => {
  const told = [nova('2026-03-01 12:00:00', 'exists'), nova('2026-03-02 12:00:00', 'exists')];
  const windows = windowsOf('instance', told, 24n * HOUR);
  assert.deepEqual(table(windows), ['00:00 50398', '00:00 86400', '00:00 46800 expired']);
});

test('a resize counts from its end, in each size for its time', () => {
  const told = [
    nova('2026-03-01 10:00:02', 'create.end'),
    nova('2026-03-01 10:30:00', 'finish_resize.end', {
      memory_mb: 4_096,
      launched_at: '2026-03-01T10:30:00',
    }),
    nova('2026-03-01 11:00:00', 'delete.end', {
      memory_mb: 4_096,
      launched_at: '2026-03-01T10:30:00',
      deleted_at: '2026-03-01T11:00:00',
    }),
  ];
  const { integral } = total(windowsOf('memory', told));
  assert.equal(formatQuantity(integral), String(1_798 * 2_048 + 1_800 * 4_096));
});

test('a shelved instance rests although audits list it, until it is unshelved', () => {
  const again = { launched_at: '2026-03-01T13:15:00' };
  const told = [
    nova('2026-03-01 10:00:02', 'create.end'),
    nova('2026-03-01 11:30:00', 'shelve_offload.end', { state: 'shelved_offloaded' }),
    nova('2026-03-01 12:00:10', 'exists', { state: 'shelved_offloaded' }),
    nova('2026-03-01 13:00:10', 'exists', { state: 'shelved_offloaded' }),
    nova('2026-03-01 13:15:01', 'unshelve.end', again),
    nova('2026-03-01 14:00:10', 'exists', again),
    nova('2026-03-01 14:30:00', 'delete.end', { ...again, deleted_at: '2026-03-01T14:30:00' }),
  ];
  const hours = [
    '10:00 3598',
    '11:00 1800 ended',
    '12:00 0 ended',
    '13:00 2700',
    '14:00 1800 ended',
  ];
  assert.deepEqual(table(windowsOf('instance', told)), hours);
  const without = told.filter(({ event }) => !event.endsWith('unshelve.end'));
  // The audit tells since when it is there again.
  assert.equal(table(windowsOf('instance', without))[3], '13:00 2700 ended');
});

test('an instance that could not be made is billed nothing', () => {
  const told = [nova('2026-03-01 10:00:05', 'create.error', { launched_at: '' })];
  assert.deepEqual(table(windowsOf('instance', told)), ['10:00 0 ended']);
});

test('volumes, images and floating addresses end with their deletion', () => {
  const created_at = '2026-03-01T10:00:00+00:00';
  const volume = { volume_id: 'v', tenant_id: 'p', user_id: 'u', size: 10, created_at };
  const volumes = windowsOf('volume.size', [
    { at: '2026-03-01 10:00:03', event: 'volume.create.end', payload: volume },
    { at: '2026-03-01 10:30:00', event: 'volume.delete.end', payload: volume },
  ]);
  assert.deepEqual(table(volumes), ['10:00 18000 ended']);
  const image = { id: 'g', owner: 'p', size: 5, created_at, deleted_at: '2026-03-01T10:02:00Z' };
  const images = windowsOf('image.size', [
    { at: '2026-03-01 10:02:01', event: 'image.delete', payload: image },
  ]);
  assert.deepEqual(table(images), ['10:00 600 ended']);
  const floatingip = { id: 'f', project_id: 'p', created_at };
  const addresses = windowsOf('ip.floating', [
    { at: '2026-03-01 10:00:01', event: 'floatingip.create.end', payload: { floatingip } },
    {
      at: '2026-03-01 10:07:00',
      event: 'floatingip.delete.end',
      payload: { floatingip_id: 'f', floatingip },
    },
  ]);
  assert.deepEqual(table(addresses), ['10:00 420 ended']);
});
