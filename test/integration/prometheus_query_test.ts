/** Queries against a real Prometheus where there is one, and against servers that misbehave. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Counter, Gauge, Registry } from 'prom-client';
import type { Unit } from '../../collectors/polling/pollster.ts';
import type { Reading } from '../../meters/sample.ts';
import { collectorFor, pollAll, pollAt, servePage, startExporter } from '../support/exporter.ts';
import { prometheusSkipReason, startPrometheus } from '../support/prometheus.ts';
import { discovered, pollUnit, recordingPollContext } from '../support/recording_poll_context.ts';

const skip = prometheusSkipReason();
const CPU = {
  series: 'cpu_seconds_total',
  meter: 'cpu',
  unit: 'ns',
  scale: '1e9',
  resource_id: '${uuid}',
  project_id: '${project}',
  metadata: ['host'],
};

function serverSettings(url: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    name: 'prom',
    url,
    queries: [{ name: 'cpu', query: 'cpu_seconds_total' }],
    ...more,
  };
}

function brief(readings: readonly Reading[]): unknown[] {
  return readings.map(({ meter, type, volume, resource_id, timestamp }) => [
    meter,
    type,
    volume,
    resource_id,
    timestamp,
  ]);
}

test(
  'query: a poll and a repair from history read the same from Prometheus',
  { skip },
  async () => {
    // A counter every 60 s from 11:00:00, in two blocks' time, with a gap from 11:20 to 11:40.
    const start = 1_769_857_200;
    const lines = ['# TYPE cpu_seconds counter'];
    for (let minute = 0; minute <= 60; minute += 1) {
      if (minute > 20 && minute < 40) continue;
      lines.push(
        `cpu_seconds_total{uuid="vm1",project="p1",host="h1"} ${minute * 1.5} ${
          start + minute * 60
        }`,
      );
    }
    const prometheus = await startPrometheus({ history: [...lines, '# EOF', ''].join('\n') });
    const collector = collectorFor({
      endpoints: [
        serverSettings(prometheus.url, {
          queries: [
            { name: 'cpu', query: 'cpu_seconds_total' },
            { name: 'rate', query: 'sum by (uuid) (rate(cpu_seconds_total[5m]))' },
            { name: 'fresh', query: 'last_over_time(cpu_seconds_total[30s])' },
            { name: 'one', query: 'scalar(count(cpu_seconds_total))' },
            { name: 'bad', query: 'sum(' },
            { name: 'range', query: 'cpu_seconds_total[5m]' },
          ],
        }),
        { ...serverSettings(prometheus.url, { delay: 600 }), name: 'late' },
      ],
      mappings: [
        CPU,
        { meter: 'rate', unit: '1', resource_id: '${uuid}', endpoints: ['prom/rate'] },
        { meter: 'one', unit: '1', resource_id: '${__endpoint__}', endpoints: ['prom/one'] },
      ],
    });
    try {
      const context = recordingPollContext({ cycle: '2026-01-31T11:10:30.000000Z' });
      const units = await discovered(collector, context);
      const querying = collector.pollsters.find(({ name }) => name === 'prometheus.query');
      const poll = async (id: string) => await querying?.poll(unit(units, id), context) ?? [];
      const at = (id: string, instant: string) =>
        pollAt(collector, unit(units, id), { instant, context });

      const polled = await poll('prom/cpu');
      assert.deepEqual(polled, [{
        meter: 'cpu',
        type: 'cumulative',
        unit: 'ns',
        volume: '15000000000',
        resource_id: 'vm1',
        project_id: 'p1',
        user_id: null,
        timestamp: '2026-01-31T11:10:30.000000Z',
        metadata: { host: 'h1' },
      }]);
      assert.deepEqual(await at('prom/cpu', context.cycle), polled);

      // Five minutes after its last value a series is stale, and there is nothing rather than a guess.
      assert.equal((await at('prom/cpu', '2026-01-31T11:24:00.000000Z')).length, 1);
      assert.deepEqual(await at('prom/cpu', '2026-01-31T11:26:00.000000Z'), []);
      assert.deepEqual(await at('prom/fresh', '2026-01-31T11:10:45.000000Z'), []);
      assert.equal((await at('prom/fresh', '2026-01-31T11:10:15.000000Z')).length, 1);
      assert.deepEqual(brief(await at('late/cpu', '2026-01-31T11:55:00.000000Z')), [
        ['cpu', 'cumulative', '67500000000', 'vm1', '2026-01-31T11:45:00.000000Z'],
      ]);
      assert.deepEqual(brief(await poll('prom/rate')), [
        ['rate', 'gauge', '0.025', 'vm1', '2026-01-31T11:10:30.000000Z'],
      ]);
      assert.deepEqual(brief(await poll('prom/one')), [
        ['one', 'gauge', '1', 'prom', '2026-01-31T11:10:30.000000Z'],
      ]);
      await assert.rejects(poll('prom/bad'), { code: 'request_refused', message: /parse error/ });
      await assert.rejects(poll('prom/range'), { code: 'parse_error', message: /instant vector/ });
      assert.deepEqual([context.gaps, context.remarks], [[], []]);
    } finally {
      await collector.close();
      await prometheus.stop();
    }
  },
);

test(
  'query: Prometheus scrapes an exporter, and its answer agrees with ours',
  { skip },
  async () => {
    const registry = new Registry();
    const labelNames = ['id'];
    new Counter({ name: 'seen_total', help: 'h', labelNames, registers: [registry] })
      .inc({ id: 'a"b\\c\nd' }, 12_345.5);
    new Gauge({ name: 'level', help: 'h', labelNames, registers: [registry] })
      .set({ id: 'ü' }, -0.001);
    const exporter = await startExporter(async (_request, response) => {
      response.writeHead(200, { 'content-type': registry.contentType });
      response.end(await registry.metrics());
    });
    const prometheus = await startPrometheus({ target: exporter.host });
    const collector = collectorFor({
      endpoints: [
        { name: 'node', url: exporter.url },
        serverSettings(prometheus.url, {
          queries: [{ name: 'all', query: '{job="test",id!=""}' }],
        }),
      ],
      mappings: [{
        series: '{__name__=~"seen_total|level"}',
        meter: 'x.${__name__}',
        unit: '1',
        resource_id: '${id}',
      }],
    });
    try {
      const figures = async (parameter: string): Promise<unknown[]> => {
        const cycle = new Date(Date.now()).toISOString().replace('Z', '000Z');
        const context = recordingPollContext({ cycle, now: () => cycle });
        const readings: Reading[] = [];
        for (const one of (await discovered(collector, context, parameter)).values()) {
          readings.push(...await pollUnit(collector, one, context));
        }
        return readings.map(({ meter, type, volume, resource_id }) =>
          JSON.stringify([meter, type, volume, resource_id])
        ).sort(byText);
      };
      const scraped = await figures('exporters');
      assert.equal(scraped.length, 2);
      let queried = await figures('queries');
      for (const end = Date.now() + 10_000; queried.length < 2 && Date.now() < end;) {
        await delay(200);
        queried = await figures('queries');
      }
      assert.deepEqual(queried, scraped);
    } finally {
      await collector.close();
      await prometheus.stop();
      await exporter.stop();
    }
  },
);

test('query: an answer that is none has its reason', async () => {
  const vector = (result: unknown, more: Record<string, unknown> = {}): string =>
    JSON.stringify({ status: 'success', data: { resultType: 'vector', result }, ...more });
  const cases: [string, string, RegExp][] = [
    ['{"status":"error","errorType":"timeout","error":"too slow"}', 'error_in_body', /too slow/],
    ['<html></html>', 'parse_error', /no JSON/],
    [vector([]).slice(0, -2), 'parse_error', /no JSON/],
    ['[]', 'parse_error', /no JSON object/],
    ['{}', 'parse_error', /without saying 'success'/],
    ['{"status":"success"}', 'parse_error', /'data'/],
    ['{"status":"success","data":{"resultType":"vector"}}', 'parse_error', /'result'/],
    [vector([{}]), 'parse_error', /'metric'/],
    [vector([{ metric: { a: 1 }, value: [1, '1'] }]), 'parse_error', /a label is no text/],
    [vector([{ metric: {} }]), 'parse_error', /'value'/],
    [vector([{ metric: {}, value: [1, 1] }]), 'parse_error', /\[time, 'number'\]/],
    [vector([{ metric: {}, value: ['x', '1'] }]), 'parse_error', /\[time, 'number'\]/],
    [vector([], { warnings: ['store 2 is away'] }), 'error_in_body', /store 2 is away/],
    [vector([{ metric: {}, value: [1, '1'] }].concat(Array(100).fill(0))), 'too_large', /101/],
  ];
  let body = '';
  const server = await startExporter((_request, response) => {
    servePage(body, 'application/json')(_request, response);
  });
  const collector = collectorFor({
    endpoints: [serverSettings(server.url, { max_series: 100 })],
    mappings: [CPU],
  });
  try {
    for (const [answer, code, message] of cases) {
      body = answer;
      await assert.rejects(pollAll(collector, recordingPollContext()), { code, message }, answer);
    }
  } finally {
    await collector.close();
    await server.stop();
  }
});

test('query: what is no number is missing, beside what is one', async () => {
  const metric = (uuid: string) => ({ __name__: 'cpu_seconds_total', uuid });
  const result = [
    { metric: metric('vm1'), value: [1_769_860_800.25, '9007199254740993'] },
    { metric: metric('vm2'), value: [1_769_860_800.25, 'NaN'] },
    { metric: metric('vm3'), histogram: [1_769_860_800.25, { count: '1' }] },
  ];
  const server = await startExporter(
    servePage(
      JSON.stringify({
        status: 'success',
        data: { resultType: 'vector', result },
        warnings: ['a store is away'],
      }),
      'application/json',
    ),
  );
  const collector = collectorFor({
    endpoints: [serverSettings(server.url, { accept_warnings: true })],
    mappings: [CPU],
  });
  const context = recordingPollContext();
  try {
    assert.deepEqual(brief(await pollAll(collector, context)), [
      ['cpu', 'cumulative', '9007199254740993000000000', 'vm1', '2026-01-31T12:00:00.250000Z'],
    ]);
    assert.deepEqual(context.gaps.map(({ meter, reason, detail }) => [meter, reason, detail]), [
      [
        'cpu',
        'value_invalid',
        `2 times, first 'cpu_seconds_total{uuid="vm2"}': its value is NaN`,
      ],
    ]);
  } finally {
    await collector.close();
    await server.stop();
  }
});

function unit(units: ReadonlyMap<string, Unit>, id: string): Unit {
  const found = units.get(id);
  if (found === undefined) throw new Error(`there is no unit '${id}'`);
  return found;
}

function byText(left: string, right: string): number {
  return left < right ? -1 : 1;
}
