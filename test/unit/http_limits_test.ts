/** What one endpoint is spared: places, rate, second attempts, and rest after failures. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { AbortWatch } from '../../collectors/http/abort_watch.ts';
import { CircuitBreaker } from '../../collectors/http/circuit_breaker.ts';
import { EndpointGate } from '../../collectors/http/endpoint_gate.ts';
import { exchangeError } from '../../collectors/http/exchange_error.ts';
import type { HttpAnswer } from '../../collectors/http/http_client.ts';
import { maskedUrl } from '../../collectors/http/masked_url.ts';
import { RetryBudget } from '../../collectors/http/retry_budget.ts';
import { statusError } from '../../collectors/http/status_error.ts';

const watch = new AbortWatch();
const never = new AbortController().signal;

function answer(status: number, body = '', headers: Record<string, string> = {}): HttpAnswer {
  return { status, headers, body: new TextEncoder().encode(body), receivedMs: 0 };
}

test('EndpointGate never lets more through at a time than it may, in the order of asking', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 30 }), run),
    { numRuns: 30 },
  );

  async function run(concurrency: number, requests: number): Promise<void> {
    const gate = new EndpointGate({ concurrency, requestsPerSecond: null }, {
      watch,
      clockMs: () => 0,
    });
    const order: number[] = [];
    let active = 0;
    await Promise.all(Array.from({ length: requests }, async (_, index) => {
      const leave = await gate.enter(never);
      order.push(index);
      active += 1;
      assert.ok(active <= concurrency);
      await Promise.resolve();
      active -= 1;
      leave();
    }));
    assert.deepEqual(order, Array.from({ length: requests }, (_, index) => index));
  }
});

test('EndpointGate begins no more requests in a second than its rate', async () => {
  const gate = new EndpointGate(
    { concurrency: 1_000, requestsPerSecond: 100 },
    { watch, clockMs: () => performance.now() },
  );
  const begunMs: number[] = [];
  const startMs = performance.now();
  await Promise.all(Array.from({ length: 40 }, async () => {
    const leave = await gate.enter(never);
    begunMs.push(performance.now() - startMs);
    leave();
  }));
  // 5 at once, then one every 10 ms.
  begunMs.forEach((ms, index) => assert.ok(ms >= (index - 5) * 10 - 1, `${index}: ${ms} ms`));
});

test('EndpointGate forgets whoever stops waiting', async () => {
  const gate = new EndpointGate({ concurrency: 1, requestsPerSecond: null }, {
    watch,
    clockMs: () => 0,
  });
  const leave = await gate.enter(never);
  const impatient = new AbortController();
  const waiting = assert.rejects(
    Promise.resolve(gate.enter(impatient.signal)),
    { code: 'timeout' },
  );
  const patient = gate.enter(never);
  impatient.abort();
  await waiting;
  leave();
  (await patient)();
  assert.throws(() => gate.enter(AbortSignal.abort()), { code: 'timeout' });
});

test('CircuitBreaker opens after failures in a row, and lets one try when it has rested', () => {
  let nowMs = 0;
  const breaker = new CircuitBreaker({ failures: 3, openMs: 1_000, clockMs: () => nowMs });
  breaker.fail();
  breaker.fail();
  breaker.succeed();
  breaker.fail();
  breaker.fail();
  assert.equal(breaker.refusedForMs(), null);
  breaker.fail();
  assert.equal(breaker.refusedForMs(), 1_000);
  nowMs = 1_000;
  assert.equal(breaker.refusedForMs(), null, 'one may try');
  assert.equal(breaker.refusedForMs(), 0, 'the others wait for it');
  breaker.fail();
  assert.equal(breaker.refusedForMs(), 1_000, 'its failure opens at once');
  nowMs = 2_000;
  assert.equal(breaker.refusedForMs(), null);
  breaker.abandon();
  assert.equal(breaker.refusedForMs(), null, 'another may try');
  breaker.succeed();
  breaker.fail();
  assert.equal(breaker.refusedForMs(), null);
});

test('RetryBudget allows second attempts for a tenth of the requests, beside the ten at first', () => {
  const budget = new RetryBudget();
  let retries = 0;
  for (let request = 0; request < 1_000; request += 1) {
    budget.earn();
    if (budget.spend()) retries += 1;
  }
  assert.ok(retries >= 105 && retries <= 110, String(retries));
});

test('statusError gives every status its reason', () => {
  const reasons: [number, string, boolean][] = [
    [302, 'redirected', false],
    [304, 'redirected', false],
    [400, 'request_refused', false],
    [401, 'unauthorised', false],
    [403, 'forbidden', false],
    [404, 'resource_gone', false],
    [408, 'timeout', true],
    [409, 'request_refused', false],
    [410, 'resource_gone', false],
    [413, 'request_refused', false],
    [429, 'rate_limited', true],
    [500, 'server_error', true],
    [501, 'server_error', false],
    [503, 'server_error', true],
  ];
  for (const [status, code, retryable] of reasons) {
    const error = statusError({ url: 'http://cloud/v3' }, answer(status));
    assert.deepEqual([error.code, error.retryable, error.context.status], [
      code,
      retryable,
      status,
    ]);
  }
});

test('statusError reads when to come back', () => {
  const after = (text: string) =>
    statusError({ url: 'http://cloud/' }, answer(413, '', { 'retry-after': text })).context
      .retry_after_ms;
  assert.equal(after('3'), 3_000);
  assert.equal(after('Thu, 01 Jan 1970 00:00:07 GMT'), 7_000);
  assert.equal(after('999999999'), 3_600_000);
  assert.equal(after('soon'), undefined);
});

test('statusError quotes the sentence of the service, but none that repeats a secret', () => {
  const request = {
    url: 'http://cloud/servers?key=sesame-1',
    headers: { 'x-auth-token': 'gAAAA-secret' },
  };
  const said = (body: string) => statusError(request, answer(403, body)).message;
  const policy = "Policy doesn't allow os_compute_api:servers:index to be performed.";
  assert.match(
    said(JSON.stringify({ forbidden: { code: 403, message: policy } })),
    /answered 403: Policy doesn't allow os_compute_api:servers:index to be performed$/,
  );
  for (const secret of ['sesame-1', 'gAAAA-secret']) {
    assert.doesNotMatch(
      said(JSON.stringify({ error: { message: `no ${secret}` } })),
      /sesame|gAAAA/,
    );
  }
  assert.doesNotMatch(
    statusError({ ...request, method: 'POST' }, answer(401, '{"message": "wrong: s3cret"}'))
      .message,
    /s3cret/,
  );
  assert.match(said('{"message": 5}'), /answered 403$/);
  assert.match(said('<html>'), /answered 403$/);
});

test('maskedUrl shows where, never with what', () => {
  assert.equal(maskedUrl('https://u:p@cloud:5000/v3?key=1#f'), 'https://cloud:5000/v3?…');
  assert.equal(maskedUrl('/v2/images?key=1'), '/v2/images?…');
  assert.equal(maskedUrl('secret'), '(no URL)');
  fc.assert(
    fc.property(fc.webUrl({ withQueryParameters: true, withFragments: true }), (url) => {
      const { search, hash } = new URL(url);
      const masked = maskedUrl(url);
      assert.ok(search === '' || !masked.includes(search));
      assert.ok(hash.length < 2 || !masked.includes(hash));
    }),
    { numRuns: 30 },
  );
});

test('exchangeError tells a certificate that is not trusted from a host that is away', () => {
  const reason = (properties: object, message = '') =>
    exchangeError('https://cloud/', Object.assign(new Error(message), properties)).code;
  assert.equal(reason({ code: 'SELF_SIGNED_CERT_IN_CHAIN' }), 'certificate_invalid');
  assert.equal(reason({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' }), 'certificate_invalid');
  assert.equal(reason({}, 'invalid peer certificate: UnknownIssuer'), 'certificate_invalid');
  assert.equal(reason({ code: 'ECONNREFUSED' }), 'unreachable');
  assert.equal(reason({ errors: [{ code: 'ETIMEDOUT' }] }), 'timeout');
});
