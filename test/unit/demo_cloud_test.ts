import assert from 'node:assert/strict';
import test from 'node:test';
import { lateUpload, lifeOfCloud, projectNames } from '../../cli/demo_cloud.ts';
import type { DemoNotification } from '../../cli/demo/oslo.ts';
import { loadDefinitionDirectory, SHIPPED_DEFINITIONS } from '../../cli/definition_files.ts';
import { compileDefinitions } from '../../meters/definition_compile.ts';
import { intakeKey, shardOf } from '../../meters/intake_key.ts';
import { decodeNotification, type Notification } from '../../meters/notification.ts';

const SEED = 'five projects';
const START_MS = Date.UTC(2026, 0, 31, 10, 17);
const DAY_MS = 24 * 3_600_000;

/** A day of a cloud's life. */
function dayOf(startMs = START_MS): DemoNotification[] {
  const day: DemoNotification[] = [];
  for (const notification of lifeOfCloud({ seed: SEED, startMs })) {
    if (notification.atMs > startMs + DAY_MS) break;
    day.push(notification);
  }
  return day;
}

function decode(day: readonly DemoNotification[]): Notification[] {
  return day.map(({ body }) => decodeNotification(new TextEncoder().encode(body)));
}

const day = dayOf();
const notifications = decode(day);

test('lifeOfCloud gives the same bytes for the same seed and start', () => {
  assert.deepEqual(dayOf(), day);
});

test('lifeOfCloud gives other ids for another start, or the content would conflict', () => {
  const ids = new Set(notifications.map(({ messageId }) => messageId));
  assert.equal(ids.size, day.length);
  const shared = decode(dayOf(START_MS + 1)).filter(({ messageId }) => ids.has(messageId));
  assert.equal(shared.length, 0);
});

test('lifeOfCloud goes forward in time, no two at the same microsecond', () => {
  const times = notifications.map(({ timestamp }) => timestamp ?? '');
  assert.deepEqual(times, [...new Set(times)].sort());
  assert.match(times[0] ?? '', /^2026-01-31 10:17:00\.\d{6}$/);
});

test('the cloud has five projects and some forty instances, and Nova reports hourly', () => {
  const projects = projectNames(SEED);
  assert.equal(projects.size, 5);
  const audits = notifications.filter(({ eventType }) => eventType === 'compute.instance.exists');
  const lastHour = audits.slice(-50).filter(({ timestamp }) =>
    timestamp?.startsWith('2026-02-01 10:')
  );
  assert.ok(lastHour.length >= 30 && lastHour.length <= 45, `${lastHour.length} instances`);
  const exchanges = new Set(day.map(({ exchange }) => exchange));
  assert.deepEqual([...exchanges].sort(), ['cinder', 'glance', 'neutron', 'nova', 'swift']);
});

test('every shard of two gets its part of the cloud', () => {
  const counts = [0, 0];
  for (const notification of notifications) {
    const shard = shardOf(intakeKey(notification), 2);
    counts[shard] = (counts[shard] ?? 0) + 1;
  }
  assert.ok(Math.min(...counts) > day.length / 5, counts.join(' and '));
});

test('every meter that the cloud shows comes of the shipped definitions, none is refused', async () => {
  const compiled = compileDefinitions(await loadDefinitionDirectory([SHIPPED_DEFINITIONS]));
  assert.ok(compiled.ok);
  const meters = new Map<string, number>();
  const projects = new Set<string>();
  for (const notification of notifications) {
    for (const { meter, project_id } of compiled.set.extract(notification).readings) {
      meters.set(meter, (meters.get(meter) ?? 0) + 1);
      projects.add(String(project_id));
    }
  }
  const expected = 'instance vcpus memory volume.size snapshot.size image.size image.download ' +
    'network subnet router port ip.floating bandwidth storage.objects.incoming.bytes ' +
    'storage.objects.outgoing.bytes';
  for (const meter of expected.split(' ')) assert.ok((meters.get(meter) ?? 0) > 0, meter);
  assert.deepEqual([...projects].sort(), [...projectNames(SEED).keys()].sort());
});

test('a late upload is the same each time, at noon, and its bytes come of the shipped definitions', async () => {
  const dayMs = Date.UTC(2026, 0, 31);
  const late = lateUpload(SEED, dayMs);
  assert.deepEqual(lateUpload(SEED, dayMs), late);
  const [notification] = decode([late]);
  assert.ok(notification !== undefined);
  const [next] = decode([lateUpload(SEED, dayMs + DAY_MS)]);
  assert.notEqual(notification.messageId, next?.messageId);
  const compiled = compileDefinitions(await loadDefinitionDirectory([SHIPPED_DEFINITIONS]));
  assert.ok(compiled.ok);
  const bytes = compiled.set.extract(notification).readings
    .find(({ meter }) => meter === 'storage.objects.incoming.bytes');
  assert.equal(bytes?.volume, '3221225472');
  assert.match(bytes?.timestamp ?? '', /^2026-01-31T12:00:00/);
});
