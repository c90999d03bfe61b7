/** The HTTP client against real servers that misbehave. */
import assert from 'node:assert/strict';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from 'node:net';
import test from 'node:test';
import { createHttpClient } from '../../collectors/http/create_http_client.ts';
import {
  DEFAULT_LIMITS,
  type EndpointLimits,
  type HttpClient,
} from '../../collectors/http/http_client.ts';
import { isNephoError, type NephoError } from '../../meters/errors.ts';
import { freePort } from '../support/free_port.ts';
import { makeCertificate, opensslSkipReason } from '../support/test_certificates.ts';

/** One for each request: many clients listening to one signal would look like a leak to Node. */
const never = () => new AbortController().signal;
const once: EndpointLimits = { ...DEFAULT_LIMITS, attempts: 1 };

interface Running {
  url: string;
  client: HttpClient;
  /** Requests or connections that came. */
  count: () => number;
  [Symbol.asyncDispose]: () => Promise<void>;
}

async function serve(
  server: Server,
  options: { limits?: Partial<EndpointLimits>; ca?: string; scheme?: string } = {},
): Promise<Running> {
  let count = 0;
  server.on(server.listenerCount('request') > 0 ? 'request' : 'connection', () => count += 1);
  const sockets = new Set<Socket>();
  for (const event of ['connection', 'secureConnection']) {
    server.on(event, (socket: Socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    });
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const client = createHttpClient({
    limitsOf: () => ({ ...once, ...options.limits }),
    nowMs: () => Date.now(),
    ...(options.ca === undefined ? {} : { caCertificate: options.ca }),
  });
  return {
    url: `${options.scheme ?? 'http'}://127.0.0.1:${port}/v3`,
    client,
    count: () => count,
    async [Symbol.asyncDispose]() {
      await client.close();
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

const http = (listener: RequestListener, limits: Partial<EndpointLimits> = {}) =>
  serve(createServer(listener), { limits });

/** A server that answers each request with these bytes and then does `then`. */
const raw = (bytes: string, then: (socket: Socket) => void, limits: Partial<EndpointLimits> = {}) =>
  serve(
    createTcpServer((socket) => {
      socket.once('data', () => socket.write(bytes, () => then(socket)));
    }),
    { limits },
  );

async function failure(running: Running, signal = never()): Promise<NephoError> {
  try {
    await running.client.request({ url: running.url }, { signal });
  } catch (error) {
    if (isNephoError(error)) return error;
    throw error;
  }
  throw new Error('the request succeeded');
}

test('HttpClient gives the answer whole, with the time of its head', async () => {
  await using running = await http((request, response) => {
    assert.equal(request.headers['accept-encoding'], 'identity');
    assert.equal(request.headers['x-auth-token'], 'token');
    response.setHeader('x-request-id', 'req-1');
    response.end('{"servers": []}');
  });
  const beforeMs = Date.now();
  const answer = await running.client.request(
    { url: `${running.url}?limit=1`, headers: { 'x-auth-token': 'token' } },
    { signal: never() },
  );
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['x-request-id'], 'req-1');
  assert.equal(new TextDecoder().decode(answer.body), '{"servers": []}');
  assert.ok(answer.receivedMs >= beforeMs && answer.receivedMs <= Date.now());
});

test('HttpClient posts, asks for heads, and gives answers that accept names', async () => {
  await using running = await http((request, response) => {
    if (request.method === 'HEAD') response.setHeader('content-length', 10 ** 12);
    else response.statusCode = 300;
    request.pipe(response);
  });
  const { client, url } = running;
  const head = await client.request({ method: 'HEAD', url }, { signal: never() });
  assert.equal(head.headers['content-length'], '1000000000000');
  const posted = await client.request({ method: 'POST', url, body: 'ä' }, {
    signal: never(),
    accept: [300],
  });
  assert.equal(new TextDecoder().decode(posted.body), 'ä');
  assert.equal((await failure(running)).code, 'redirected');
});

test('HttpClient keeps its connections', async () => {
  let connections = 0;
  const server = createServer((_, response) => response.end('{}'));
  server.on('connection', () => connections += 1);
  await using running = await serve(server, { limits: { concurrency: 2 } });
  await Promise.all(
    Array.from(
      { length: 50 },
      () => running.client.request({ url: running.url }, { signal: never() }),
    ),
  );
  assert.equal(running.count(), 50);
  assert.ok(connections <= 2, `${connections} connections`);
});

test('HttpClient stops reading a body that is too large or has no end', async (t) => {
  const limits = { maxBytes: 1_000_000 };
  await t.test('10 GB announced', async () => {
    await using running = await http((_, response) => {
      response.setHeader('content-length', 10 * 2 ** 30);
      response.write('{');
    }, limits);
    assert.equal((await failure(running)).code, 'too_large');
  });
  await t.test('no end', async () => {
    let written = 0;
    await using running = await http(
      (_, response) => flood(response, (size) => written += size),
      limits,
    );
    const error = await failure(running);
    assert.equal(error.code, 'too_large');
    assert.equal(error.retryable, false);
    assert.ok(written < 50_000_000, `${written} bytes were sent`);
  });
});

function flood(response: ServerResponse, onWrite: (size: number) => void): void {
  const chunk = Buffer.alloc(65_536, 0x20);
  const more = () => {
    while (!response.destroyed && response.write(chunk)) onWrite(chunk.length);
    onWrite(chunk.length);
  };
  response.on('drain', more);
  more();
}

test('HttpClient waits for a slow endpoint no longer than its time', async (t) => {
  const limits = { timeoutMs: 200 };
  await t.test('silence', async () => {
    await using running = await http(() => {}, limits);
    const error = await failure(running);
    assert.deepEqual([error.code, error.retryable], ['timeout', true]);
  });
  await t.test('a drip', async () => {
    let timer: ReturnType<typeof setInterval> | undefined;
    await using running = await http((_, response) => {
      timer = setInterval(() => response.write(' '), 20);
    }, limits);
    assert.equal((await failure(running)).code, 'timeout');
    clearInterval(timer);
  });
  await t.test('the signal', async () => {
    await using running = await http(() => {});
    assert.equal((await failure(running, AbortSignal.timeout(100))).code, 'timeout');
  });
});

test('HttpClient tells what kind of nothing came back', async (t) => {
  await t.test('nobody listens', async () => {
    const client = createHttpClient({ limitsOf: () => once, nowMs: () => 0 });
    const url = `http://127.0.0.1:${await freePort()}/`;
    await assert.rejects(client.request({ url }, { signal: never() }), { code: 'unreachable' });
    await client.close();
  });
  await t.test('no such name', async () => {
    const client = createHttpClient({ limitsOf: () => once, nowMs: () => 0 });
    await assert.rejects(
      client.request({ url: 'http://nowhere.invalid/' }, { signal: never() }),
      { code: 'unreachable' },
    );
    await client.close();
  });
  await t.test('reset', async () => {
    await using running = await raw('', (socket) => socket.resetAndDestroy());
    assert.equal((await failure(running)).code, 'unreachable');
  });
  await t.test('half an answer', async () => {
    await using running = await raw(
      'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"servers": [',
      (socket) => socket.end(),
    );
    const error = await failure(running);
    assert.deepEqual([error.code, error.retryable], ['unreachable', true]);
  });
  await t.test('no HTTP', async () => {
    await using running = await raw('220 mail ESMTP\r\n', (socket) => socket.end());
    assert.equal((await failure(running)).code, 'unreachable');
  });
  await t.test('no URL', async () => {
    const client = createHttpClient({ limitsOf: () => once, nowMs: () => 0 });
    await assert.rejects(
      client.request({ url: 'file:///etc/passwd' }, { signal: never() }),
      { code: 'request_refused' },
    );
  });
});

test('HttpClient follows no redirect and says where it led', async () => {
  await using running = await http((_, response) => {
    response.writeHead(302, { location: 'http://user:pass@elsewhere.example/login?token=1' }).end();
  });
  const error = await failure(running);
  assert.equal(error.code, 'redirected');
  assert.match(error.message, /redirect to 'http:\/\/elsewhere\.example\/login\?…'/);
  assert.equal(running.count(), 1);
});

test('HttpClient shows no secret of a request in a failure', async () => {
  await using running = await http((_, response) => {
    response.writeHead(503).end('{"message": "no password-1"}');
  });
  const url = running.url.replace('//', '//user:password-1@') + '?key=password-2';
  const headers = { 'x-auth-token': 'password-3' };
  const error: unknown = await running.client.request({ url, headers }, { signal: never() })
    .catch((error: unknown) => error);
  assert.ok(isNephoError(error));
  assert.equal(error.code, 'server_error');
  assert.doesNotMatch(JSON.stringify([error.message, error.context, error.stack]), /password-/);
});

test('HttpClient tries a second time what a second attempt may cure', async () => {
  let asked = 0;
  await using running = await http((_, response) => {
    asked += 1;
    response.statusCode = asked === 1 ? 503 : 200;
    response.end('{}');
  }, { attempts: 2 });
  const answer = await running.client.request({ url: running.url }, { signal: never() });
  assert.deepEqual([answer.status, asked], [200, 2]);
});

test('HttpClient tries again for a tenth of the requests at most, beside ten', async () => {
  await using running = await http((_, response) => response.writeHead(503).end(), {
    attempts: 5,
    circuitFailures: 1_000_000,
  });
  const signal = never();
  await Promise.all(
    Array.from(
      { length: 200 },
      () => running.client.request({ url: running.url }, { signal }).catch(() => null),
    ),
  );
  assert.ok(running.count() > 200 && running.count() <= 230, `${running.count()} requests`);
});

test('HttpClient leaves an endpoint alone that fails in a row, and only that one', async () => {
  await using dead = await http((_, response) => response.writeHead(500).end());
  await using alive = await http((_, response) => response.end('{}'));
  const client = createHttpClient({
    limitsOf: () => ({ ...DEFAULT_LIMITS, circuitFailures: 3, circuitMs: 60_000, concurrency: 1 }),
    nowMs: () => 0,
  });
  const codes: string[] = [];
  await Promise.all(
    Array.from({ length: 100 }, () =>
      client.request({ url: dead.url }, { signal: never() })
        .catch((error: NephoError) => codes.push(error.code))),
  );
  assert.equal(dead.count(), 3);
  assert.equal(codes.filter((code) => code === 'circuit_open').length, 100);
  assert.equal((await client.request({ url: alive.url }, { signal: never() })).status, 200);
  await client.close();
});

test('HttpClient trusts the authority that it was given, and no other', {
  skip: opensslSkipReason(),
}, async (t) => {
  const ours = makeCertificate('IP:127.0.0.1');
  const answer: RequestListener = (_, response) => void response.end('{}');
  await t.test('its own', async () => {
    await using running = await serve(createTlsServer(ours, answer), {
      ca: ours.ca,
      scheme: 'https',
    });
    const { status } = await running.client.request({ url: running.url }, { signal: never() });
    assert.equal(status, 200);
  });
  await t.test('another authority', async () => {
    const { ca } = makeCertificate('IP:127.0.0.1');
    await using running = await serve(createTlsServer(ours, answer), { ca, scheme: 'https' });
    const error = await failure(running);
    assert.deepEqual([error.code, error.retryable], ['certificate_invalid', false]);
    assert.match(error.message, /ca_file/);
  });
  await t.test('the authorities of the system', async () => {
    await using running = await serve(createTlsServer(ours, answer), { scheme: 'https' });
    assert.equal((await failure(running)).code, 'certificate_invalid');
  });
  await t.test('another name', async () => {
    const other = makeCertificate('DNS:cloud.example');
    await using running = await serve(createTlsServer(other, answer), {
      ca: other.ca,
      scheme: 'https',
    });
    assert.equal((await failure(running)).code, 'certificate_invalid');
  });
  await t.test('no TLS at all', async () => {
    await using running = await serve(createServer(answer), { ca: ours.ca, scheme: 'https' });
    assert.equal((await failure(running)).code, 'unreachable');
  });
});
