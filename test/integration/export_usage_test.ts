import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { csvLine } from '../../api/csv.ts';
import { FOCUS_COLUMNS, focusUnit } from '../../api/focus_columns.ts';
import { formatMillis } from '../../meters/timestamp.ts';
import { DATABASES } from '../support/api_databases.ts';
import { type ApiSystem, imageUpload, startApiSystem } from '../support/api_system.ts';
import { type NatsServer, natsSkipReason, startNats } from '../support/nats_server.ts';

const HOUR_MS = 3_600_000;
const FIRST = Math.floor(Date.now() / HOUR_MS) * HOUR_MS - 30 * HOUR_MS;
const RANGE = { from: formatMillis(FIRST), to: formatMillis(FIRST + 30 * HOUR_MS) };

describe('exports of usage', { skip: DATABASES[0]?.skip || natsSkipReason() }, () => {
  let nats: NatsServer;
  let server: { url: string; stop(): Promise<void> };
  let system: ApiSystem;

  before(async () => {
    nats = await startNats();
    server = await (DATABASES[0] as (typeof DATABASES)[number]).start();
    system = await startApiSystem({ databaseUrl: server.url, natsUrl: nats.url });
    await system.send(Array.from({ length: 40 }, (_, n) =>
      imageUpload({
        imageId: n === 7 ? '=HYPERLINK("http://evil")' : `image-${n % 10}`,
        projectId: n % 2 === 0 ? 'alpha' : 'beta',
        size: 1024 * (n + 1),
        atMs: FIRST + n * 40 * 60_000,
      })));
    await system.ingest();
  });

  after(async () => {
    await system.stop();
    await server.stop();
    await nats.stop();
  });

  async function fetchExport(
    name: string,
    parameters: Record<string, string>,
    token: string | null = system.operatorToken,
  ): Promise<Response> {
    const url = new URL(`/export/${name}`, system.url);
    url.search = new URLSearchParams(parameters).toString();
    return await fetch(
      url,
      token === null ? {} : { headers: { authorization: `Bearer ${token}` } },
    );
  }

  /** Enough of RFC 4180 for what the export writes. */
  function readCsv(text: string): string[][] {
    return text.trimEnd().split('\r\n').map((line) =>
      [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) =>
        quoted?.replaceAll('""', '"') ?? plain ?? ''
      )
    );
  }

  const question = {
    ...RANGE,
    meters: 'image.size,image.upload',
    every: 'hour',
    group_by: 'project_id,resource_id',
  };

  test('JSON lines and CSV hold the rows of usage.query, whole', async () => {
    const { usage, checkpoints } = await system.operator.usage.query.query({
      ...question,
      meters: ['image.size', 'image.upload'],
      every: 'hour',
      group_by: ['project_id', 'resource_id'],
      limit: 1_000,
    });
    assert.ok(usage.length > 100);
    const lines = await fetchExport('usage.jsonl', question);
    assert.deepEqual(
      JSON.parse(lines.headers.get('x-nepho-checkpoints') ?? ''),
      checkpoints.map(({ origin, size }) => ({ origin, size })),
    );
    const rows = (await lines.text()).trimEnd().split('\n').map((line) => JSON.parse(line));
    assert.deepEqual(rows, usage);
    const csv = await fetchExport('usage.csv', question);
    assert.equal(csv.headers.get('content-type'), 'text/csv; charset=utf-8; header=present');
    const [head = [], ...cells] = readCsv(await csv.text());
    assert.deepEqual(head.slice(0, 3), ['project_id', 'resource_id', 'start']);
    assert.equal(cells.length, usage.length);
    const quantity = head.indexOf('quantity');
    assert.deepEqual(cells.map((row) => row[quantity]), usage.map((row) => row.quantity));
    assert.ok(cells.every((row) => row.length === head.length));
  });

  test('FOCUS has a charge for each resource and day, within its billing period', async () => {
    const { from, to } = RANGE;
    const response = await fetchExport('usage.focus.csv', { from, to, meters: 'image.size' });
    const [head = [], ...charges] = readCsv(await response.text());
    assert.deepEqual(head, FOCUS_COLUMNS);
    assert.ok(charges.length >= 20);
    for (const charge of charges) {
      const cells: Record<string, string> = Object.fromEntries(
        head.map((name, index) => [name, charge[index] ?? '']),
      );
      assert.equal(cells['ChargeCategory'], 'Usage');
      assert.equal(cells['ConsumedUnit'], 'B-Hours');
      assert.equal(cells['ServiceCategory'], 'Storage');
      assert.match(cells['BillingPeriodStart'] ?? '', /^\d{4}-\d\d-01T00:00:00Z$/);
      assert.ok((cells['BillingPeriodStart'] ?? '') <= (cells['ChargePeriodStart'] ?? ''));
      assert.ok((cells['ChargePeriodEnd'] ?? '') <= (cells['BillingPeriodEnd'] ?? ''));
    }
  });

  test('no cell begins a formula, and no name breaks a line', async () => {
    const text = await (await fetchExport('usage.csv', question)).text();
    assert.match(text, /"'=HYPERLINK\(""http:\/\/evil""\)"/);
    assert.equal(
      csvLine(['-1+1', '@x', 'a,b', 'c\r\nd', { number: '-5' }]),
      `'-1+1,'@x,"a,b","c\r\nd",-5\r\n`,
    );
  });

  test('a project exports its own, and nobody anything without a key', async () => {
    const token = await system.projectToken('alpha');
    const lines = (await (await fetchExport('usage.jsonl', question, token)).text()).trimEnd();
    const projects = lines.split('\n').map((line) => JSON.parse(line).group.project_id);
    assert.deepEqual(new Set(projects), new Set(['alpha']));
    assert.equal((await fetchExport('usage.jsonl', question, null)).status, 401);
    assert.equal((await fetchExport('usage.jsonl', question, 'nepho_wrong')).status, 401);
  });

  test('what cannot be exported is told by its code before the file begins', async () => {
    const refused: [string, string, Record<string, string>][] = [
      ['usage.csv', 'input_invalid', { meters: 'image.size' }],
      ['usage.csv', 'input_invalid', { ...question, colour: 'red' }],
      ['usage.csv', 'range_invalid', { ...question, to: RANGE.from }],
      ['usage.csv', 'zone_unknown', { ...question, zone: 'Mars/Olympus' }],
      ['usage.jsonl', 'group_unknown', { ...question, group_by: 'colour' }],
      ['usage.jsonl', 'as_of_in_future', { ...question, as_of: '2999-01-01' }],
      ['usage.jsonl', 'input_invalid', { ...question, as_of: '[{]' }],
      ['usage.focus.csv', 'input_invalid', question],
      ['usage.focus.csv', 'input_invalid', { ...RANGE, meters: 'image.size', every: 'week' }],
      ['usage.parquet', 'not_found', question],
    ];
    for (const [name, code, parameters] of refused) {
      const response = await fetchExport(name, parameters);
      const { error } = await response.json() as { error: { data: { error_code: string } } };
      assert.equal(error.data.error_code, code, JSON.stringify([name, parameters]));
    }
  });

  test('units are told as FOCUS writes them', () => {
    const units: [string, 'gauge' | 'delta', string][] = [
      ['GiB', 'gauge', 'GiB-Hours'],
      ['B', 'delta', 'B'],
      ['instance', 'gauge', 'Instance-Hours'],
      ['request', 'delta', 'Requests'],
      ['ns', 'delta', 'Nanoseconds'],
      ['%', 'gauge', 'Percent-Hours'],
    ];
    for (const [unit, type, expected] of units) assert.equal(focusUnit({ unit, type }), expected);
  });
});
