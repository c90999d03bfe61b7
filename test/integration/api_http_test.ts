import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { MAX_FAILED_ATTEMPTS } from '../../api/failed_attempts.ts';
import { createApi, MAX_BODY_BYTES } from '../../api/handler.ts';
import { createIngestMetrics, METRICS } from '../../api/metrics.ts';
import { connectBus } from '../../bus/connection.ts';
import { loadUsageRules } from '../../cli/usage_rules_file.ts';
import { answerMetrics } from '../../cli/worker_metrics.ts';
import { createDatabase } from '../../db/client.ts';
import { exportLog } from '../../ledger/export_log.ts';
import { fetchLog } from '../../ledger/fetch_log.ts';
import { decodeBase64, decodeHex } from '../../ledger/bytes.ts';
import { checkConsistency, leafHash, rootFromInclusion } from '../../ledger/merkle.ts';
import { decodeBundle } from '../../ledger/tile.ts';
import { verifyLog } from '../../ledger/verify_log.ts';
import { Registry } from 'prom-client';
import { lifeOfCloud } from '../../cli/demo_cloud.ts';
import { DATABASES } from '../support/api_databases.ts';
import { type ApiSystem, startApiSystem } from '../support/api_system.ts';
import { findFsck, runProgram } from '../support/go_tools.ts';
import { TEST_DEPLOYMENT } from '../support/ingest_setup.ts';
import { type NatsServer, natsSkipReason, startNats } from '../support/nats_server.ts';
import { testSigner } from '../support/test_signer.ts';

const VKEY = testSigner(7, TEST_DEPLOYMENT).vkey;
const START_MS = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 86_400_000;

describe('the API over HTTP', { skip: DATABASES[0]?.skip || natsSkipReason() }, () => {
  let nats: NatsServer;
  let server: { url: string; stop(): Promise<void> };
  let system: ApiSystem;
  let project: string;
  const directory = mkdtempSync(join(tmpdir(), 'nepho-api-http-'));

  before(async () => {
    nats = await startNats();
    server = await (DATABASES[0] as (typeof DATABASES)[number]).start();
    system = await startApiSystem({ databaseUrl: server.url, natsUrl: nats.url });
    const bodies: string[] = [];
    for (const { body } of lifeOfCloud({ seed: 'http', startMs: START_MS })) {
      bodies.push(body);
      if (bodies.length === 600) break;
    }
    await system.send(bodies);
    await system.ingest();
    project = await system.projectToken('some-project');
  });

  after(async () => {
    await system.stop();
    await server.stop();
    await nats.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const get = (path: string, token?: string, headers: Record<string, string> = {}) =>
    fetch(new URL(path, system.url), {
      headers: token === undefined ? headers : { ...headers, authorization: `Bearer ${token}` },
    });

  test('a checkpoint is a signed note for anyone, to be asked for anew each time', async () => {
    const response = await get('/log/0/checkpoint');
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'text/plain; charset=utf-8');
    assert.equal(response.headers.get('cache-control'), 'no-cache');
    assert.match(await response.text(), /^nepho\.test\/log\/0\n\d+\n/);
  });

  test('tiles of hashes are public and immutable, partial ones included', async () => {
    const { size } = await head();
    assert.ok(size > 600, `the log has ${size} entries`);
    for (
      const [path, hashes] of [
        ['/log/0/tile/0/000', 256],
        ['/log/0/tile/0/000.p/7', 7],
        [`/log/0/tile/1/000.p/${Math.floor(size / 256)}`, Math.floor(size / 256)],
      ] as const
    ) {
      const response = await get(path);
      assert.equal(response.status, 200, path);
      assert.equal(response.headers.get('content-type'), 'application/octet-stream');
      assert.match(response.headers.get('cache-control') ?? '', /immutable/);
      assert.equal(response.headers.get('access-control-allow-origin'), '*');
      assert.equal((await response.arrayBuffer()).byteLength, hashes * 32);
    }
  });

  test('bundles of entries need an operator', async () => {
    const path = '/log/0/tile/entries/000';
    assert.equal((await get(path)).status, 401);
    assert.equal((await get(path, project)).status, 403);
    const response = await get(path, system.operatorToken);
    assert.equal(response.status, 200);
    assert.match(response.headers.get('cache-control') ?? '', /^private/);
    const entries = decodeBundle(new Uint8Array(await response.arrayBuffer()), 256);
    assert.match(new TextDecoder().decode(entries[0]), /"kind":"key"/);
  });

  test('paths that tlog-tiles does not have, and what is not there yet, are not found', async () => {
    const { size } = await head();
    const full = Math.floor(size / 256);
    for (
      const path of [
        '/log/0/tile/0/0',
        '/log/0/tile/0/000.p/0',
        '/log/0/tile/0/000.p/256',
        '/log/0/tile/0/000.p/07',
        '/log/0/tile/00/000',
        '/log/0/tile/64/000',
        '/log/0/tile/0/x000/001',
        '/log/0/tile/0/001/',
        '/log/0/tile/0//000',
        '/log/0/tile/0/%30%30%30',
        `/log/0/tile/0/${String(full).padStart(3, '0')}`,
        '/log/0/tile/1/000',
        '/log/0/tile/5/000',
        '/log/0/tile/0/x999/x999/x999/999',
        '/log/0/tile/0/x999/x999/x999/x999/999',
        '/log/9/checkpoint',
        '/log/00/checkpoint',
        '/log/9999/tile/0/000',
        '/log/-1/checkpoint',
        `/log/x/definitions/${'0'.repeat(64)}`,
        '/log/0',
        '/nothing',
        '/',
      ]
    ) {
      const response = await get(path, system.operatorToken);
      assert.equal(response.status, 404, path);
      const { error } = await response.json() as { error: { data: { error_code: string } } };
      assert.equal(error.data.error_code, 'not_found', path);
    }
  });

  test('definitions are told to operators by the digest that the log names', async () => {
    const { logs: [inForce] } = await system.operator.definitions.current.query();
    const path = `/log/0/definitions/${inForce?.digest}`;
    assert.equal((await get(path)).status, 401);
    assert.equal((await get(path, project)).status, 403);
    const set = await (await get(path, system.operatorToken)).json() as { files: unknown[] };
    assert.ok(set.files.length > 0);
    assert.equal(
      (await get(`/log/0/definitions/${'0'.repeat(64)}`, system.operatorToken)).status,
      404,
    );
    assert.equal((await get('/log/0/definitions/x', system.operatorToken)).status, 404);
  });

  test('the served log verifies from its entries, and so does its export', async () => {
    for (const log of [0, 1]) {
      const served = fetchLog(`${system.url}/log/${log}`, { token: system.operatorToken });
      const result = await verifyLog(served, { vkeys: [VKEY] });
      assert.ok(result.ok, JSON.stringify(result));
      assert.equal(await exportLog(served, join(directory, String(log))), result.size);
    }
  });

  test('proofs of inclusion and consistency lead to the roots that were signed', async () => {
    const anyone = system.client(null);
    const { size, root } = await head();
    const served = fetchLog(`${system.url}/log/0`, { token: system.operatorToken });
    const entries = decodeBundle(await served.readEntries(0, 256), 256);
    for (const [leaf, at] of [[0, 1], [3, 200], [255, 256], [17, size]] as const) {
      const { proof } = await anyone.proofs.inclusion.query({
        log_id: 0,
        leaf_index: leaf,
        size: at,
      });
      const reached = rootFromInclusion(
        { index: leaf, hash: leafHash(entries[leaf] ?? '') },
        at,
        proof.map(decodeBase64),
      );
      const { proof: hashes } = await anyone.proofs.consistency.query({ log_id: 0, old_size: at });
      checkConsistency(
        { size: at, root: reached },
        { size, root: decodeHex(root) },
        hashes.map(decodeBase64),
      );
    }
  });

  test("Tessera's fsck accepts what is served, by an operator's bearer token", async (t) => {
    const fsck = await findFsck();
    if ('missing' in fsck) return t.skip(fsck.missing);
    const keyFile = join(directory, 'vkey');
    writeFileSync(keyFile, `${VKEY}\n`);
    const check = (token: string) =>
      runProgram(fsck.path, [
        `--storage_url=${system.url}/log/0/`,
        `--public_key=${keyFile}`,
        `--origin=${TEST_DEPLOYMENT}/log/0`,
        `--bearer_token=${token}`,
        '--ui=false',
        '--N=4',
      ], { timeoutMs: 60_000 });
    // Its status is 0 whatever it found, so its words are what counts.
    const accepted = await check(system.operatorToken);
    const { size } = await head();
    assert.match(accepted.stderr, new RegExp(`Successfully fsck'd log with size ${size} `));
    assert.doesNotMatch(accepted.stderr, /fsck failed|^E\d{4} /m);
    const refused = await check(project);
    assert.doesNotMatch(refused.stderr, /Successfully/);
  });

  test('a malformed request is told what is wrong with it, with the id that it came with', async () => {
    const cases: [string, string, number, string][] = [
      ['samples.list', '{"limit":0}', 400, 'input_invalid'],
      ['samples.list', '{"limit":1001}', 400, 'input_invalid'],
      ['samples.list', '{"from":"yesterday"}', 400, 'input_invalid'],
      ['samples.list', '{"from":"2026-02-01","to":"2026-01-01"}', 400, 'range_invalid'],
      ['samples.list', '{"meter":"a\\u0000b"}', 400, 'input_invalid'],
      ['samples.list', '{"meter":"\\ud800"}', 400, 'input_invalid'],
      ['samples.list', '{"metadata":{"a":{"b":1}}}', 400, 'input_invalid'],
      ['samples.list', '{"cursor":"x"}', 400, 'cursor_invalid'],
      ['samples.get', '{"id":"xyz"}', 400, 'input_invalid'],
      ['samples.list', '{not json', 400, 'request_malformed'],
      ['samples.none', '{}', 404, 'procedure_not_found'],
      ['__proto__', '{}', 404, 'procedure_not_found'],
      ['constructor', '{}', 404, 'procedure_not_found'],
      ['statistics.query', '{"group_by":["flavor"]}', 400, 'input_invalid'],
      ['statistics.query', '{"period_seconds":0.5}', 400, 'input_invalid'],
      ['proofs.inclusion', '{"log_id":0,"leaf_index":99999999}', 400, 'size_beyond_log'],
      ['proofs.consistency', '{"log_id":0,"old_size":99999999}', 400, 'size_beyond_log'],
      ['proofs.consistency', '{"log_id":99,"old_size":1}', 404, 'not_found'],
      ['actors.list', '{}', 503, 'actors_unavailable'],
    ];
    for (const [procedure, body, status, code] of cases) {
      const response = await fetch(new URL(`/trpc/${procedure}`, system.url), {
        method: 'POST',
        headers: {
          authorization: `Bearer ${system.operatorToken}`,
          'content-type': 'application/json',
          'x-request-id': 'case-1',
        },
        body,
      });
      const text = await response.text();
      assert.equal(response.status, status, `${procedure} ${body}: ${text}`);
      const { error } = JSON.parse(text) as {
        error: { message: string; data: Record<string, unknown> };
      };
      assert.equal(error.data['error_code'], code, `${procedure} ${body}: ${text}`);
      assert.equal(error.data['request_id'], 'case-1', body);
      assert.equal(response.headers.get('x-request-id'), 'case-1');
      assert.match(error.message, /^Cannot .*[^.]$/);
      assert.equal('stack' in error.data, false);
    }
    const wrongMethod = await get(`/trpc/keys.list`, system.operatorToken);
    assert.equal(wrongMethod.status, 200);
    const mutationByGet = await get(
      `/trpc/quarantine.retry?input=${encodeURIComponent('{"quarantine_ids":[1]}')}`,
      system.operatorToken,
    );
    assert.equal(mutationByGet.status, 405);
  });

  test('a body beyond the limit is refused, the larger one of an operator is not', async () => {
    const post = (token: string, size: number) =>
      fetch(new URL('/trpc/samples.list', system.url), {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: `{"limit":1${' '.repeat(size)}}`,
      });
    const refused = await post(project, MAX_BODY_BYTES);
    assert.equal(refused.status, 413);
    const { error } = await refused.json() as { error: { data: { error_code: string } } };
    assert.equal(error.data.error_code, 'body_too_large');
    assert.equal((await post(system.operatorToken, MAX_BODY_BYTES)).status, 200);
  });

  test('a batch of calls answers each by itself, and has a limit', async () => {
    const inputs = { 0: { id: 'f'.repeat(32) }, 1: {} };
    const url = `/trpc/samples.get,logs.list?batch=1&input=${
      encodeURIComponent(JSON.stringify(inputs))
    }`;
    const response = await get(url, project);
    assert.equal(response.status, 207);
    const answers = await response.json() as { error?: unknown; result?: unknown }[];
    assert.deepEqual(answers.map((one) => one.error === undefined), [false, true]);
    const many = Array.from({ length: 21 }, () => 'logs.list').join(',');
    assert.equal((await get(`/trpc/${many}?batch=1&input=%7B%7D`)).status, 400);
  });

  test('health and metrics say what they should, to whom they should', async () => {
    const health = await get('/health');
    assert.equal(health.status, 200);
    assert.deepEqual(await health.json(), {
      status: 'ok',
      parts: { database: true, intake: true, temporal: null },
    });
    const text = await (await get('/metrics')).text();
    const { size } = await head();
    assert.match(text, new RegExp(`^nepho_log_entries{log="0"} ${size}$`, 'm'));
    for (
      const metric of [
        METRICS.log_age,
        METRICS.quarantine_open,
        METRICS.intake_lag,
        METRICS.intake_backlog,
        METRICS.notifications,
        METRICS.samples,
        METRICS.http_requests,
      ]
    ) assert.match(text, new RegExp(`^${metric.name}(?:{[^}]*})? [0-9.e+-]+$`, 'm'));
    assert.match(text, /^nepho_metrics_source_up{source="database"} 1$/m);
    const proxied = { 'x-forwarded-for': '203.0.113.7' };
    assert.equal((await get('/metrics', undefined, proxied)).status, 401);
    assert.equal((await get('/metrics', project, proxied)).status, 401);
    assert.equal((await get('/metrics', system.operatorToken, proxied)).status, 200);
  });

  test('metrics of workers stand beside those of the API, each worker for itself', async () => {
    assert.doesNotMatch(await (await get('/metrics')).text(), /nepho_ingest_/);
    const workers = await Promise.all(['one', 'two'].map(async (name, i) => {
      const nc = await connectBus({ url: nats.url, name });
      const registry = new Registry();
      answerMetrics(nc, registry, name);
      const outcome = { samples: 4, origins: 2, duplicates: 1, conflicts: 0, quarantined: 0 };
      const observer = createIngestMetrics(registry);
      for (let batch = 0; batch <= i; batch += 1) observer.batchStored(0, outcome, 30);
      observer.stages(0, { sign: 1_500 });
      await nc.flush();
      return nc;
    }));
    const text = await (await get('/metrics')).text();
    assert.match(text, /^nepho_ingest_samples_total{shard="0",worker="one"} 4$/m);
    assert.match(text, /^nepho_ingest_samples_total{shard="0",worker="two"} 8$/m);
    assert.match(
      text,
      /^nepho_ingest_batch_duration_seconds_bucket{le="0.05",shard="0",worker="two"} 2$/m,
    );
    assert.match(
      text,
      /^nepho_ingest_stage_seconds_total{shard="0",stage="sign",worker="one"} 1.5$/m,
    );
    const families = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    assert.equal(new Set(families).size, families.length);
    await Promise.all(workers.map((nc) => nc.close()));
  });

  test('requests are logged by name, without their inputs and secrets', async () => {
    system.logged.length = 0;
    await get('/trpc/samples.list?input=%7B%22meter%22%3A%22secretmeter%22%7D', project);
    await get('/log/0/checkpoint', undefined, { 'x-request-id': 'bad id\t' });
    const lines = system.logged.filter(({ event }) => event === 'request');
    assert.equal(lines[0]?.fields['path'], '/trpc/samples.list');
    assert.equal(lines[0]?.fields['status'], 200);
    assert.match(String(lines[0]?.fields['key_id']), /^key-/);
    assert.match(String(lines[1]?.fields['request_id']), /^[0-9a-f-]{36}$/);
    const text = JSON.stringify(system.logged);
    assert.equal(text.includes('secretmeter'), false);
    assert.equal(text.includes(project), false);
  });

  test('every curl example of docs/api.md answers', async (t) => {
    if (spawnSync('curl', ['--version']).status !== 0) return t.skip('no curl');
    const documented = readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8');
    const examples = [...documented.matchAll(/```sh\n(curl [\s\S]*?)```/g)].map(([, code]) => code);
    assert.ok(examples.length >= 4);
    for (const example of examples) {
      const { status, stdout, stderr } = await runProgram('sh', ['-c', example ?? ''], {
        env: { NEPHO_URL: system.url, NEPHO_TOKEN: system.operatorToken },
      });
      assert.equal(status, 0, stderr);
      const answers =
        /"result":\{"data"|^nepho\.test\/log\/0\n|^event: connected\n|^project_id,start,/;
      assert.match(stdout, answers, example);
    }
  });

  test('a database that is away is told without a word of where it is', async () => {
    const db = createDatabase('postgres://nepho:secret@127.0.0.1:1/nowhere', { poolSize: 1 });
    const errors: unknown[] = [];
    const api = createApi({
      db,
      deployment: TEST_DEPLOYMENT,
      shards: 1,
      archives: null,
      usageRules: await loadUsageRules(),
      intake: null,
      workflows: null,
      schedules: null,
      workerMetrics: () => Promise.reject(new Error('away')),
      registry: new Registry(),
      log: { info: () => {}, warn: () => {}, error: (_event, fields) => errors.push(fields) },
      now: Date.now,
    });
    const call = (path: string) =>
      api.fetch(
        new Request(`http://localhost${path}`, { headers: { authorization: 'Bearer abcdefghij' } }),
      );
    for (const path of ['/trpc/samples.list', '/log/0/checkpoint']) {
      const response = await call(path);
      const text = await response.text();
      assert.equal(response.status, 503, text);
      assert.match(text, /"error_code":"database_unavailable"/);
      assert.equal(/127\.0\.0\.1|secret|ECONNREFUSED/.test(text), false, text);
    }
    assert.match(JSON.stringify(errors), /ECONNREFUSED/);
    const health = await api.fetch(new Request('http://localhost/health'));
    assert.equal(health.status, 503);
    const metrics = await api.fetch(new Request('http://localhost/metrics'), {
      incoming: { socket: { remoteAddress: '127.0.0.1' } },
    });
    const numbers = await metrics.text();
    assert.match(numbers, /^nepho_metrics_source_up{source="database"} 0$/m);
    assert.doesNotMatch(numbers, /^nepho_(?:samples|log|quarantine)_[a-z_]+(?:{.*})? /m);
    await db.close();
  });

  // The last one: it uses the address up for a minute.
  test('wrong keys make their address wait, and nobody whose key was good lately', async () => {
    await get('/trpc/keys.whoami', project);
    const answers: number[] = [];
    for (let i = 0; i < MAX_FAILED_ATTEMPTS + 2; i += 1) {
      answers.push((await get('/trpc/keys.whoami', `nepho_wrong_${i}_wrong`)).status);
    }
    assert.deepEqual(new Set(answers), new Set([401, 429]));
    assert.equal(answers.at(-1), 429);
    const refused = await get('/log/0/tile/entries/000', 'nepho_wrong_again');
    assert.equal(refused.status, 429);
    assert.equal(refused.headers.get('retry-after'), '60');
    assert.equal((await get('/trpc/keys.whoami', project)).status, 200);
    assert.equal((await get('/log/0/checkpoint')).status, 200);
  });

  async function head(): Promise<{ size: number; root: string }> {
    return await system.operator.logs.head.query({ log_id: 0 });
  }
});
