/** The pollster of exporters against real HTTP servers, good and bad ones. */
import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import test from 'node:test';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { isNephoError } from '../../meters/errors.ts';
import type { Reading } from '../../meters/sample.ts';
import { collectorFor, pollAll, servePage, startExporter } from '../support/exporter.ts';
import { recordingPollContext } from '../support/recording_poll_context.ts';

const MAPPING = { series: 'a_total', meter: 'a', unit: 'B', resource_id: '${id}' };

interface Outcome {
  readings: Reading[];
  gaps: string[];
  remarks: string[];
  headers: IncomingMessage['headers'];
}

async function pollPage(
  answer: (request: IncomingMessage, response: ServerResponse) => void | Promise<void>,
  settings: { endpoint?: Record<string, unknown>; mappings?: unknown[]; signal?: AbortSignal } = {},
): Promise<Outcome> {
  const exporter = await startExporter(answer);
  const collector = collectorFor({
    endpoints: [{ name: 'node1', url: `${exporter.url}/metrics`, ...settings.endpoint }],
    mappings: settings.mappings ?? [MAPPING],
  });
  const context = recordingPollContext({
    signal: settings.signal ?? new AbortController().signal,
  });
  try {
    const readings = await pollAll(collector, context);
    return {
      readings,
      gaps: context.gaps.map(({ meter, reason }) => `${meter}: ${reason}`),
      remarks: context.remarks.map(({ code }) => code),
      headers: exporter.headers(),
    };
  } finally {
    await collector.close();
    await exporter.stop();
  }
}

for (const type of [Registry.PROMETHEUS_CONTENT_TYPE, Registry.OPENMETRICS_CONTENT_TYPE]) {
  test(`scrape: what prom-client serves as ${type.split(';', 1)[0]} becomes readings`, async () => {
    const registry: Registry<typeof type> = new Registry();
    registry.setContentType(type);
    const registers = [registry];
    new Counter({ name: 'a_total', help: 'h', labelNames: ['id'], registers })
      .inc({ id: 'x"\\\n' }, 2 ** 53);
    new Gauge({ name: 'level', help: 'h', labelNames: ['id'], registers }).set({ id: 'y' }, 1.5);
    new Gauge({ name: 'lost', help: 'h', registers }).set(NaN);
    new Histogram({ name: 'took_seconds', help: 'h', buckets: [1], registers }).observe(0.25);
    const { readings, gaps, headers } = await pollPage(async (_request, response) => {
      response.writeHead(200, { 'content-type': registry.contentType });
      response.end(await registry.metrics());
    }, {
      mappings: [
        MAPPING,
        { ...MAPPING, series: 'level', meter: 'level', scale: 1000 },
        { ...MAPPING, series: 'lost', meter: 'lost', resource_id: 'r' },
        {
          series: 'took_seconds_bucket{le!="+Inf"}',
          meter: 'took',
          unit: 'request',
          resource_id: '${__endpoint__}/${le}',
        },
      ],
    });
    assert.deepEqual(
      readings.map(({ meter, type, volume, resource_id, timestamp }) => [
        meter,
        type,
        volume,
        resource_id,
        timestamp,
      ]),
      [
        ['a', 'cumulative', '9007199254740992', 'x"\\\n', '2026-01-31T12:00:01.000000Z'],
        ['level', 'gauge', '1500', 'y', '2026-01-31T12:00:01.000000Z'],
        ['took', 'cumulative', '1', 'node1/1', '2026-01-31T12:00:01.000000Z'],
      ],
    );
    assert.deepEqual(gaps, ['lost: value_invalid']);
    assert.match(headers.accept ?? '', /^application\/openmetrics-text;version=1\.0\.0/);
    assert.equal(headers['x-prometheus-scrape-timeout-seconds'], '10');
  });
}

test('scrape: credentials and headers come from where the settings say', async () => {
  const basic = await pollPage(servePage('a_total{id="r"} 1\n'), {
    endpoint: {
      username: 'nepho',
      password_env: 'PASSWORD',
      headers: { 'x-scope': 'tenant', 'x-key': { env: 'KEY' } },
      format: 'text',
    },
  });
  assert.equal(
    basic.headers.authorization,
    `Basic ${Buffer.from('nepho:secret-of-PASSWORD').toString('base64')}`,
  );
  assert.equal(basic.headers['x-scope'], 'tenant');
  assert.equal(basic.headers['x-key'], 'secret-of-KEY');
  assert.doesNotMatch(basic.headers.accept ?? '', /openmetrics/);
  const bearer = await pollPage(servePage('a_total{id="r"} 1\n'), {
    endpoint: { bearer_token_file: '/token' },
  });
  assert.equal(bearer.headers.authorization, 'Bearer secret-of-a-file');
});

test('scrape: a sample says its own time, and one that is impossible is missing', async () => {
  const { readings, gaps } = await pollPage(
    servePage(
      '# TYPE a counter\na_total{id="r"} 1 1769860800.5\na_total{id="s"} 1 99999999999\n# EOF\n',
      'application/openmetrics-text; version=1.0.0; charset=utf-8',
    ),
  );
  assert.deepEqual(readings.map(({ timestamp }) => timestamp), ['2026-01-31T12:00:00.500000Z']);
  assert.deepEqual(gaps, ['a: timestamp_invalid']);
});

test('scrape: an answer that is none of metrics has its reason, and gives no reading', async () => {
  const page = 'a_total{id="r"} 12345\n';
  const send = (status: number, type: string, body: string | Uint8Array) =>
  (
    _request: IncomingMessage,
    response: ServerResponse,
  ): void => {
    response.writeHead(status, { 'content-type': type, location: 'http://127.0.0.1:9/elsewhere' });
    response.end(body);
  };
  const cutOff = (_request: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': '1000' });
    response.write(page, () => response.destroy());
  };
  const cases: [string, Parameters<typeof pollPage>[0], string][] = [
    ['HTML', send(200, 'text/html', '<html></html>'), 'parse_error'],
    ['HTML that says it is text', send(200, 'text/plain', '<html></html>\n'), 'parse_error'],
    ['JSON', send(200, 'application/json', '{"status":"error"}'), 'parse_error'],
    ['nothing', send(200, 'text/plain', ''), 'parse_error'],
    ['no page', send(204, 'text/plain', ''), 'parse_error'],
    ['half a line', send(200, 'text/plain', page.slice(0, -3)), 'parse_error'],
    ['no end', send(200, 'application/openmetrics-text', page), 'parse_error'],
    ['no UTF-8', send(200, 'text/plain', new Uint8Array([0x61, 0xff, 0x0a])), 'parse_error'],
    ['a connection cut off', cutOff, 'unreachable'],
    ['a redirect', send(302, 'text/plain', ''), 'redirected'],
    ['500', send(500, 'text/plain', ''), 'server_error'],
    ['401', send(401, 'text/plain', ''), 'unauthorised'],
    ['404', send(404, 'text/plain', ''), 'resource_gone'],
  ];
  for (const [name, answer, reason] of cases) {
    await assert.rejects(
      pollPage(answer),
      (error) => {
        assert.ok(isNephoError(error), name);
        assert.equal(error.code, reason, name);
        return true;
      },
    );
  }
});

test('scrape: what is huge is refused before it fills the memory', async () => {
  const line = `a_total{id="${'x'.repeat(1_000)}"} 1\n`;
  const endless = (_request: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'text/plain' });
    const more = (): void => {
      while (!response.destroyed && response.write(line.repeat(50)));
    };
    response.on('drain', more);
    more();
  };
  await assert.rejects(pollPage(endless, { endpoint: { max_bytes: 1_000_000 } }), {
    code: 'too_large',
  });
  await assert.rejects(
    pollPage(servePage('a_total 1\n'.repeat(101)), { endpoint: { max_series: 100 } }),
    { code: 'too_large' },
  );
});

test('scrape: a page that does not come is cut off by its own time and by the cycle', async () => {
  const silent = (): void => undefined;
  await assert.rejects(pollPage(silent, { endpoint: { timeout: 0.05 } }), { code: 'timeout' });
  const cycle = new AbortController();
  const waiting = pollPage(() => cycle.abort(), { signal: cycle.signal });
  await assert.rejects(waiting, { code: 'timeout' });
});

test('scrape: an answer from a clock an hour off is kept, with a remark', async () => {
  const { readings, remarks } = await pollPage((_request, response) => {
    response.writeHead(200, {
      'content-type': 'text/plain',
      date: new Date(Date.now() - 3_600_000).toUTCString(),
    });
    response.end('a_total{id="r"} 1\n');
  });
  assert.equal(readings.length, 1);
  assert.deepEqual(remarks, ['clock_skew']);
});

test('scrape: a large page lets others have their turn, and keeps only what is mapped', async () => {
  const page = Array.from({ length: 60_000 }, (_, i) => `other{id="${i}"} ${i}\n`).join('') +
    'a_total{id="r"} 1\n';
  let turns = 0;
  const counter = setInterval(() => turns += 1, 1);
  const { readings } = await pollPage(servePage(page));
  clearInterval(counter);
  assert.deepEqual(readings.map(({ volume }) => volume), ['1']);
  assert.ok(turns >= 2, `only ${turns} turns`);
});
