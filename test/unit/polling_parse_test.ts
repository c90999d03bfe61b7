import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { formatFault } from '../../meters/definition_fault.ts';
import type { PollingConfig } from '../../meters/polling_config.ts';
import { parsePolling } from '../../meters/polling_parse.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/polling/', import.meta.url));
const FAULTY = `${FIXTURES}faulty/`;

function parsed(text: string): { config: PollingConfig; warnings: string[] } {
  const result = parsePolling(text, { file: 'polling.yaml' });
  assert.ok(result.ok, result.ok ? '' : result.faults.map(formatFault).join('\n'));
  return { config: result.config, warnings: result.warnings.map(formatFault) };
}

function faultsOf(text: string): string[] {
  const result = parsePolling(text, { file: 'p' });
  return result.ok ? [] : result.faults.map(formatFault);
}

const fixture = (name: string) => parsed(readFileSync(`${FIXTURES}${name}`, 'utf8'));

// Each file has its faults and warnings beside it. NEPHO_RECORD_FAULTS=1 writes them anew: read the change.
for (const name of readdirSync(FAULTY).filter((file) => file.endsWith('.yaml'))) {
  test(`parsePolling tells all faults of ${name} with their places`, () => {
    const result = parsePolling(readFileSync(`${FAULTY}${name}`, 'utf8'), { file: name });
    assert.equal(result.ok, false);
    const told = [
      ...(result.ok ? [] : result.faults).map(formatFault),
      ...result.warnings.map((warning) => `warning: ${formatFault(warning)}`),
    ].map((line) => `${line}\n`).join('');
    const expected = `${FAULTY}${name.replace('.yaml', '.txt')}`;
    if (process.env['NEPHO_RECORD_FAULTS'] === '1') writeFileSync(expected, told);
    assert.equal(told, readFileSync(expected, 'utf8'));
    assert.doesNotMatch(told, /hunter2/, 'no secret is told');
  });
}

test("Ceilometer's own files are read as they are", () => {
  const { config, warnings } = fixture('ceilometer.yaml');
  assert.deepEqual(warnings, []);
  const [source] = config.sources;
  assert.equal(config.sources.length, 1);
  assert.equal(source?.name, 'some_pollsters');
  assert.equal(source.meters.length, 29);
  assert.deepEqual(
    { ...source, meters: source.meters.slice(0, 2), place: source.place.line },
    {
      name: 'some_pollsters',
      cloud: 'openstack',
      intervalSeconds: 300,
      meters: ['cpu', 'cpu_l3_cache'],
      resources: [],
      discovery: [],
      groups: 1,
      concurrency: 16,
      expect: [],
      place: 6,
    },
  );
  assert.deepEqual(fixture('all.yaml').config.sources.map(({ meters }) => meters), [['*']]);
});

test('static resources, discoveries, exclusions and a quoted interval are read', () => {
  const { config, warnings } = fixture('hosts.yaml');
  assert.deepEqual(config.sources.map((source) => source.intervalSeconds), [60, 300, 3600, 600]);
  assert.deepEqual(config.sources[1]?.resources, ['snmp://198.51.100.11', 'snmp://198.51.100.12']);
  assert.deepEqual(config.sources[2]?.discovery, [
    { name: 'endpoint', parameter: 'image' },
    { name: 'volumes', parameter: '' },
    { name: 'tenant', parameter: '' },
  ]);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /:23:7: key_ignored: .*group_id_coordination.*\. Write groups:/);
});

test('a pipeline.yaml of old is read with its default interval, and its sinks are passed over', () => {
  const sinks = fixture('pipeline_sinks.yaml');
  assert.deepEqual(
    sinks.config.sources.map(({ name, intervalSeconds }) => [name, intervalSeconds]),
    [['meter_source', 600], ['cpu_source', 120]],
  );
  assert.equal(sinks.warnings.filter((line) => line.includes('key_ignored')).length, 3);
  const flat = fixture('pipeline_flat.yaml');
  assert.deepEqual(
    flat.config.sources.map(({ meters, intervalSeconds }) => [meters, intervalSeconds]),
    [[['*'], 60], [['image', 'image.size'], 600]],
  );
});

test('what nepho adds is read, merge keys too, and settings keep their values and places', () => {
  const { config, warnings } = fixture('nepho.yaml');
  // A group knows nothing of the others.
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /:31:5: key_ignored: 'expect' is passed over /);
  const [compute, edge] = config.sources;
  assert.deepEqual(
    [compute?.groups, compute?.concurrency, compute?.intervalSeconds, compute?.expect],
    [4, 32, 60, [{ meter: 'instance', atLeast: 10 }]],
  );
  assert.deepEqual([edge?.cloud, edge?.intervalSeconds, edge?.name], [
    'edge-1',
    600,
    'edge compute',
  ]);
  assert.deepEqual([...config.clouds.keys()], ['openstack', 'edge-1']);
  assert.deepEqual(config.collectors.get('snmp')?.value, {
    access: { version: '2c', community_file: '/etc/nepho/snmp.community' },
    targets: [{ host: '198.51.100.11' }],
  });
  assert.equal(config.collectors.get('snmp')?.path, 'collectors.snmp');
});

test('without clouds the one of the OS_* variables is meant, with one it need not be named', () => {
  const source = (extra: string) => `sources: [{name: a, interval: 60, meters: ['*']${extra}}]`;
  const cloudOf = (text: string) => parsed(text).config.sources[0]?.cloud;
  assert.equal(cloudOf(source('')), 'openstack');
  assert.equal(cloudOf(source(', cloud: openstack')), 'openstack');
  assert.equal(cloudOf(`clouds: {west: {}}\n${source('')}`), 'west');
  assert.match(faultsOf(source(', cloud: west'))[0] ?? '', /cloud_unknown/);
});

test('no source at all is a configuration: nothing is polled', () => {
  assert.deepEqual(parsed('sources: []').config.sources, []);
});

test('numbers, lists and files beyond their limits are refused', () => {
  const source = (index: number, rest: string) => `  - {name: s${index}, interval: 60, ${rest}}\n`;
  const many = (count: number, rest: string) =>
    `sources:\n${Array.from({ length: count }, (_, i) => source(i, rest)).join('')}`;
  assert.match(faultsOf(many(1_001, "meters: ['*']"))[0] ?? '', /too_many: .*1001 sources/);
  assert.deepEqual(faultsOf(many(1_000, "meters: ['*']")), []);
  assert.match(
    faultsOf(many(11, "groups: 100, meters: ['*']"))[0] ?? '',
    /too_many: .* 1100 groups/,
  );
  const meters = `meters: [${Array.from({ length: 5_001 }, (_, i) => `m${i}`).join(', ')}]`;
  assert.match(faultsOf(many(2, meters))[0] ?? '', /too_many: .* 10002 meters/);
  const name = 'x'.repeat(129);
  assert.match(
    faultsOf(`sources: [{name: ${name}, interval: 60, meters: ['*']}]`)[0] ?? '',
    /value_invalid: .*1 to 128 characters/,
  );
  assert.match(faultsOf('#'.repeat(1_048_577))[0] ?? '', /file_too_large/);
});
