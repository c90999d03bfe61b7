/** Webhooks to receivers that behave badly: bounded, on record, and nobody else waits. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createServer as createTlsServer } from 'node:https';
import { createServer, type Server } from 'node:net';
import {
  createWebhookActivities,
  type WebhookActivities,
} from '../../activities/deliver_webhook.ts';
import { sendWebhook } from '../../activities/webhook_sender.ts';
import { attemptsOf, readDelivery } from '../../db/webhooks.ts';
import { deliveryIdOf } from '../../ledger/billing_identity.ts';
import { verifyWebhook } from '../../ledger/webhook_signature.ts';
import { DEFAULT_BILLING, type WebhookEndpoint } from '../../meters/billing_config.ts';
import { NephoError } from '../../meters/errors.ts';
import { BillingWorld } from '../support/billing_world.ts';
import { makeCertificate, opensslSkipReason } from '../support/test_certificates.ts';
import { type Answer, status, WebhookReceiver } from '../support/webhook_receiver.ts';
import { windowSkipReason, WindowWorld } from '../support/window_world.ts';

const START = '2026-10-07T00:00:00.000000Z';
const END = '2026-10-08T00:00:00.000000Z';
const PERIOD = '2026-10-07';
const SECRETS = new Map([
  ['NEW', `whsec_${'bmV3IQ'.repeat(6)}`],
  ['OLD', `whsec_${'b2xkIQ'.repeat(6)}`],
]);
const MEBIBYTE = 1024 * 1024;

/** Answers without a head that HTTP knows, or none. */
const RESET: Answer = (response) => response.socket?.resetAndDestroy();
const HANG: Answer = () => {};
const HALF: Answer = (response) => {
  response.writeHead(200, { 'content-length': '100' }).write('begun');
};
const ENDLESS: Answer = (response) => {
  response.writeHead(200);
  const block = Buffer.alloc(MEBIBYTE, 'x');
  let sent = 0;
  const more = (): void => {
    while (sent < 10 && response.write(block)) sent += 1;
    if (sent >= 10) response.end();
  };
  response.on('drain', more);
  more();
};

describe('attemptWebhook', { skip: windowSkipReason() }, () => {
  let world: BillingWorld;
  let receiver: WebhookReceiver;
  let activities: WebhookActivities;
  let nowMs = Date.parse('2026-10-10T00:00:00Z');
  const logged: string[] = [];

  before(async () => {
    const windows = await WindowWorld.start(nowMs, { from: START, to: END });
    world = new BillingWorld(windows);
    receiver = await WebhookReceiver.start();
    await windows.append([{
      origin: 'o',
      meter: 'requests',
      type: 'delta',
      resource: 'lb',
      project: 'p',
      at: '2026-10-07T12:00:00.000000Z',
      volume: '3',
    }]);
    await world.seal(END);
    const names = ['taken', 'rotated', 'gone', 'redirect', 'hang', 'half', 'endless', 'reset'];
    const others = ['error', 'limited', 'refused', 'private', 'mapped', 'unsecured', 'slow'];
    world.config = {
      ...DEFAULT_BILLING,
      webhooks: [...names, ...others].map((name) => endpoint(name)),
    };
    await world.open({ projectId: 'p', period: PERIOD, start: START, end: END });
    await world.close(await world.order({ project_id: 'p', period: PERIOD, number: 0 }));
    const note = (event: string, fields: Record<string, unknown>) => {
      logged.push(JSON.stringify([event, fields]));
    };
    activities = createWebhookActivities({
      pool: windows.pool,
      billing: () => Promise.resolve(world.config),
      nowMs: () => nowMs,
      log: { info: note, warn: note, error: note },
      readAuthorities: () => Promise.reject(new Error('none is asked for')),
      readSecret: (reference) => {
        const secret = 'env' in reference ? SECRETS.get(reference.env) : undefined;
        if (secret !== undefined) return Promise.resolve(secret);
        return Promise.reject(new NephoError('secret_missing', 'Cannot use the secret of NONE'));
      },
    }, () => {});
  });

  after(async () => {
    await receiver?.stop();
    await world?.windows.stop();
  });

  function endpoint(name: string): WebhookEndpoint {
    const { port } = new URL(receiver.url);
    const urls: Record<string, string> = {
      private: `https://127.0.0.1:${port}/private`,
      mapped: `https://[::ffff:127.0.0.1]:${port}/mapped`,
    };
    const envs: Record<string, string[]> = { rotated: ['NEW', 'OLD'], unsecured: ['NONE'] };
    return {
      name,
      url: urls[name] ?? `${receiver.url}/${name}`,
      secrets: (envs[name] ?? ['NEW']).map((env) => ({ env })),
      projects: ['*'],
      events: ['statement.final'],
      allowPrivateAddresses: !(name in urls),
      caFile: null,
      timeoutMs: 400,
    };
  }

  const idOf = (name: string) =>
    deliveryIdOf({ projectId: 'p', period: PERIOD, number: 0, endpoint: name });
  const attempt = (name: string) => activities.attemptWebhook({ delivery_id: idOf(name) });
  const recordOf = async (name: string) => {
    const attempts = await attemptsOf(world.windows.pool, [idOf(name)], { limit: 50 });
    const delivery = await readDelivery(world.windows.pool, idOf(name));
    return {
      status: delivery?.status,
      attempts: attempts.map(({ attempt, statusCode, failure }) => [attempt, statusCode, failure]),
    };
  };

  test('every endpoint has a delivery that waits as soon as there is a statement', async () => {
    assert.deepEqual(await recordOf('taken'), { status: 'pending', attempts: [] });
  });

  test('any 2xx takes it; a second attempt has the same id and another time', async () => {
    receiver.answer('/taken', status(202));
    assert.deepEqual(await attempt('taken'), {
      status: 'delivered',
      attempt: 1,
      status_code: 202,
      failure: null,
      retry_after_seconds: null,
    });
    nowMs += 60_000;
    await attempt('taken');
    assert.deepEqual(await recordOf('taken'), {
      status: 'delivered',
      attempts: [[2, 202, null], [1, 202, null]],
    });
    const [first, second] = receiver.at('/taken');
    assert.equal(first?.headers['webhook-id'], idOf('taken'));
    assert.equal(second?.headers['webhook-id'], idOf('taken'));
    assert.equal(first?.body, second?.body);
    assert.notEqual(first?.headers['webhook-timestamp'], second?.headers['webhook-timestamp']);
    assert.equal(first?.headers['content-type'], 'application/json');
  });

  test('while secrets change, either verifies it', async () => {
    await attempt('rotated');
    const [webhook] = receiver.at('/rotated');
    assert.ok(webhook);
    for (const secret of SECRETS.values()) {
      assert.ok(verifyWebhook(webhook, { secrets: [secret], nowMs }).ok);
    }
  });

  const failing: [string, Answer | null, unknown[]][] = [
    ['gone', status(410), ['gone', 410, 'gone']],
    ['redirect', status(302, { location: 'http://169.254.169.254/' }), [
      'failed',
      302,
      'redirected',
    ]],
    ['hang', HANG, ['failed', null, 'timeout']],
    ['half', HALF, ['delivered', 200, null]],
    ['endless', ENDLESS, ['delivered', 200, null]],
    ['reset', RESET, ['failed', null, 'unreachable']],
    ['error', status(500), ['failed', 500, 'server_error']],
    ['refused', status(404), ['failed', 404, 'refused']],
    ['private', null, ['failed', null, 'address_private']],
    ['mapped', null, ['failed', null, 'address_private']],
    ['unsecured', null, ['failed', null, 'secret_missing']],
  ];
  for (const [name, answer, expected] of failing) {
    test(`an endpoint that is ${name} gets ${expected.join(', ')}`, async () => {
      if (answer !== null) receiver.answer(`/${name}`, answer);
      const started = performance.now();
      const outcome = await attempt(name);
      assert.ok(performance.now() - started < 2_000);
      assert.deepEqual([outcome.status, outcome.status_code, outcome.failure], expected);
      const [ended, statusCode, failure] = expected;
      assert.deepEqual(await recordOf(name), {
        status: ended === 'failed' ? 'pending' : ended,
        attempts: [[1, statusCode, failure]],
      });
    });
  }

  test('an answer of 10 MiB is read for 64 KiB, and no more memory goes into it', async () => {
    let written = 0;
    receiver.answer('/endless', (response) => {
      const write = response.write.bind(response);
      response.writeHead(200);
      const block = Buffer.alloc(MEBIBYTE, 'x');
      const more = (): void => {
        while (written < 100 && write(block)) written += 1;
      };
      response.on('drain', more);
      more();
    });
    await attempt('endless');
    assert.ok(written < 20, `${written} MiB went out`);
  });

  test('Retry-After is told for 429 and 503, as seconds or as a date', async () => {
    const asked = async (code: number, header: string) => {
      receiver.answer('/limited', status(code, { 'retry-after': header }));
      return (await attempt('limited')).retry_after_seconds;
    };
    assert.equal(await asked(429, '120'), 120);
    assert.equal(await asked(503, new Date(nowMs + 90_000).toUTCString()), 90);
    assert.equal(await asked(503, 'soon'), null);
    assert.equal(await asked(500, '120'), null);
    assert.equal((await recordOf('limited')).attempts.length, 4);
  });

  test('four that hang hold up neither others nor the fifth to the same endpoint', async () => {
    receiver.answer('/slow', HANG);
    const hanging = [1, 2, 3, 4].map(() => attempt('slow'));
    await receiver.until('/slow', 4);
    await assert.rejects(attempt('slow'), { type: 'endpoint_busy' });
    assert.equal((await attempt('taken')).status, 'delivered');
    const outcomes = await Promise.all(hanging);
    assert.deepEqual([...new Set(outcomes.map(({ failure }) => failure))], ['timeout']);
    assert.deepEqual(outcomes.map(({ attempt }) => attempt).toSorted((a, b) => a - b), [
      1,
      2,
      3,
      4,
    ]);
  });

  test('an endpoint that billing.yaml names no more is on record as such', async () => {
    const before = world.config;
    world.config = { ...before, webhooks: [] };
    assert.equal((await attempt('error')).failure, 'endpoint_unknown');
    world.config = before;
  });

  test('no secret stands in the records or the log', async () => {
    const { rows } = await world.windows.pool.query(
      'SELECT row_to_json(a)::text AS text FROM webhook_attempts a',
    );
    const told = [...rows.map(({ text }) => String(text)), ...logged].join('\n');
    assert.ok(told.includes('server_error'));
    for (const secret of SECRETS.values()) assert.ok(!told.includes(secret.slice(6, 30)));
  });

  test('a name is resolved once, and what was checked is what is connected to', async () => {
    // A name whose owner changes it between the look and the connection.
    let asked = 0;
    const resolve = () => {
      asked += 1;
      return Promise.resolve(asked === 1 ? ['127.0.0.1'] : ['169.254.169.254']);
    };
    const { port } = new URL(receiver.url);
    const webhook = { url: `http://rebound.example:${port}/named`, headers: {}, body: '{}' };
    const options = { timeoutMs: 2_000, allowPrivateAddresses: true, ca: null, resolve };
    assert.equal((await sendWebhook(webhook, options)).status, 204);
    assert.equal(asked, 1);
    assert.equal(receiver.at('/named')[0]?.headers['host'], `rebound.example:${port}`);
    await assert.rejects(
      sendWebhook(webhook, { ...options, allowPrivateAddresses: false }),
      { code: 'address_private' },
    );
    await assert.rejects(
      sendWebhook(webhook, { ...options, resolve: () => Promise.reject(new Error('ENOTFOUND')) }),
      { code: 'name_unknown' },
    );
    await assert.rejects(
      sendWebhook(webhook, { ...options, timeoutMs: 50, resolve: () => new Promise(() => {}) }),
      { code: 'timeout' },
    );
  });

  test('a certificate is checked for the name, whatever address that has', {
    skip: opensslSkipReason(),
  }, async () => {
    const { ca, cert, key } = makeCertificate('DNS:billing.example');
    const server = createTlsServer({ cert, key }, (_, response) => response.writeHead(200).end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const send = (host: string, trusted: string | null) =>
      sendWebhook({ url: `https://${host}:${port}/`, headers: {}, body: '{}' }, {
        timeoutMs: 2_000,
        allowPrivateAddresses: true,
        ca: trusted,
        resolve: () => Promise.resolve(['127.0.0.1']),
      });
    assert.equal((await send('billing.example', ca)).status, 200);
    await assert.rejects(send('other.example', ca), { code: 'certificate_invalid' });
    await assert.rejects(send('billing.example', null), { code: 'certificate_invalid' });
    server.close();
  });

  test('what is no HTTP is no answer', async () => {
    const server: Server = createServer((socket) => socket.end('SSH-2.0-OpenSSH\r\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const url = `http://127.0.0.1:${port}/`;
    await assert.rejects(
      sendWebhook({ url, headers: {}, body: '{}' }, {
        timeoutMs: 2_000,
        allowPrivateAddresses: true,
        ca: null,
      }),
      { code: 'unreachable' },
    );
    server.close();
  });
});
