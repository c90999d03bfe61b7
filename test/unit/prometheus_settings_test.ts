import assert from 'node:assert/strict';
import test from 'node:test';
import { prometheusSettingsSchema } from '../../collectors/prometheus/settings_schema.ts';
import { collectorFor } from '../support/exporter.ts';
import { discovered, recordingPollContext } from '../support/recording_poll_context.ts';

const exporter = { name: 'node1', url: 'http://node1:9100/metrics' };
const server = {
  name: 'prom',
  url: 'https://prom:9090',
  queries: [{ name: 'up', query: 'up' }, { name: 'load', query: 'node_load1' }],
};
const mapping = { series: 'up', meter: 'host.up', unit: 'host', resource_id: '${instance}' };

function faultsOf(settings: unknown): string[] {
  const parsed = prometheusSettingsSchema.safeParse(settings);
  return parsed.success
    ? []
    : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

test('settings: what is needed is enough, all else has a default', () => {
  assert.deepEqual(faultsOf({ endpoints: [exporter, server], mappings: [mapping] }), []);
});

test('settings: every fault has its place, and all are told together', () => {
  const cases: [unknown, RegExp[]][] = [
    [{ endpoints: [], mappings: [] }, [/^endpoints: /, /^mappings: /]],
    [{ endpoints: [exporter, exporter], mappings: [mapping] }, [/^endpoints\.1\.name: .*twice/]],
    [
      { endpoints: [{ ...exporter, name: 'queries' }], mappings: [mapping] },
      [/^endpoints\.0\.name: the name has a meaning/],
    ],
    [
      { endpoints: [{ ...exporter, name: 'a/b' }], mappings: [mapping] },
      [/^endpoints\.0\.name: /],
    ],
    [
      { endpoints: [{ ...exporter, url: 'http://me:secret@node1/metrics' }], mappings: [mapping] },
      [/^endpoints\.0\.url: .*password_file/],
    ],
    [
      { endpoints: [{ ...exporter, headers: { Host: 'x' } }], mappings: [mapping] },
      [/^endpoints\.0\.headers/],
    ],
    [
      { endpoints: [{ ...exporter, headers: { host: 'x' } }], mappings: [mapping] },
      [/^endpoints\.0\.headers/],
    ],
    [
      { endpoints: [{ ...exporter, username: 'me' }], mappings: [mapping] },
      [/^endpoints\.0\.username: .*password_file/],
    ],
    [
      {
        endpoints: [{ ...exporter, bearer_token_env: 'A', bearer_token_file: '/a' }],
        mappings: [mapping],
      },
      [/^endpoints\.0\.bearer_token_file: write either/],
    ],
    [
      { endpoints: [exporter], mappings: [{ ...mapping, endpoints: ['node2'] }] },
      [/^mappings\.0\.endpoints\.0: there is no endpoint or query 'node2'/],
    ],
    [
      { endpoints: [exporter], mappings: [{ ...mapping, series: 'rate(up[5m])' }] },
      [/^mappings\.0\.series: .*left over/],
    ],
    [
      { endpoints: [exporter], mappings: [{ ...mapping, meter: '${a', resource_id: '' }] },
      [/^mappings\.0\.meter: /, /^mappings\.0\.resource_id: /],
    ],
    [
      { endpoints: [exporter], mappings: [{ ...mapping, meter: '${device}.up' }] },
      [/^mappings\.0\.meter: begin with what is no label/],
    ],
    [
      { endpoints: [exporter], mappings: [{ ...mapping, scale: 'ten', skip: ['none'] }] },
      [/^mappings\.0\.scale: /, /^mappings\.0\.skip\.0: /],
    ],
    [
      { endpoints: [exporter], mappings: [mapping, { ...mapping, unit: 'B' }] },
      [/^mappings\.1\.meter: 'host\.up' is gauge in 'host' in another mapping/],
    ],
    [
      { endpoints: [exporter, server], mappings: [{ ...mapping, series: undefined }] },
      [/^mappings\.0\.meter: write 'series'/],
    ],
    [{ endpoints: [{ ...exporter, port: 1 }], mappings: [mapping] }, [/^endpoints\.0: .*port/]],
  ];
  for (const [settings, expected] of cases) {
    const faults = faultsOf(settings);
    assert.equal(faults.length, expected.length, faults.join('\n'));
    expected.forEach((pattern, i) => assert.match(faults[i] ?? '', pattern));
  }
});

test('collector: it declares the meters of its mappings, each to the pollster that can give it', () => {
  const { pollsters } = collectorFor({
    endpoints: [exporter, server],
    mappings: [
      mapping,
      { ...mapping, series: 'a_total', meter: 'a.${b}', unit: 'B', endpoints: ['node1'] },
      { ...mapping, series: undefined, meter: 'load', unit: '1', endpoints: ['prom/load'] },
      { ...mapping, series: 'g', type: 'delta', meter: 'g', unit: 's', endpoints: ['prom'] },
    ],
  });
  assert.deepEqual(
    pollsters.map(({ name, discovery, meters }) => [
      name,
      discovery,
      meters.map(({ name, type, unit }) => `${name} ${type} ${unit}`),
    ]),
    [
      ['prometheus.scrape', 'prometheus:exporters', [
        'host.up gauge host',
        'a.* cumulative B',
      ]],
      ['prometheus.query', 'prometheus:queries', [
        'host.up gauge host',
        'load gauge 1',
        'g delta s',
      ]],
    ],
  );
});

test('discovery: a unit is an endpoint or a query, and a parameter chooses', async () => {
  const collector = collectorFor({ endpoints: [exporter, server], mappings: [mapping] });
  const context = recordingPollContext();
  const find = async (parameter: string) => [
    ...(await discovered(collector, context, parameter)).keys(),
  ];
  assert.deepEqual(await find(''), ['node1', 'prom/up', 'prom/load']);
  assert.deepEqual(await find('exporters'), ['node1']);
  assert.deepEqual(await find('queries'), ['prom/up', 'prom/load']);
  assert.deepEqual(await find('prom'), ['prom/up', 'prom/load']);
  assert.deepEqual(await find('prom/load'), ['prom/load']);
  await assert.rejects(find('node2'), { code: 'request_refused' });
  const [discovery] = collector.discoveries;
  assert.equal(discovery?.resource?.('prom/up')?.id, 'prom/up');
  assert.equal(discovery?.resource?.('other'), null);
});
