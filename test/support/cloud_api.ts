/**
 * A server that speaks what Keystone, Nova and Neutron answer to a poller, for as many instances as wanted
 * and with faults on order. Its answers have the members and sizes of a real cloud's.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { diagnosticsOf, portOf, serverOf, uuidOf } from './cloud_api_content.ts';

export const CLOUD_USER = { name: 'nepho', password: 'a password of the test' };

/** What befalls a request instead of an answer, or before it. */
export type CloudFault =
  | { kind: 'status'; status: number }
  | { kind: 'reset' }
  /** Half of a JSON text, as if that were all. */
  | { kind: 'half' }
  /** Less than the head has promised, then the connection ends. */
  | { kind: 'cut' }
  | { kind: 'html' }
  | {
    kind: 'answer';
    status: number;
    body: string;
    headers?: Readonly<Record<string, string>>;
  }
  /** The answer with other words in it. */
  | { kind: 'edit'; edit: (body: string) => string }
  /** The answer by a clock that is wrong. */
  | { kind: 'clock'; aheadMs: number }
  /** JSON without an end, for as long as anybody listens. */
  | { kind: 'endless' }
  | { kind: 'late'; milliseconds: number }
  /** Every token so far is worth nothing from now on. */
  | { kind: 'expire' };

export interface CloudApiOptions {
  instances: number;
  /** Ports, one an instance, listed by Neutron. */
  ports?: number;
  /** Asked for each request but those to Keystone; null leaves it alone. */
  fault?: (request: CloudApiRequest) => CloudFault | null;
  /** Servers a page at most, whatever is asked for. */
  pageSize?: number;
  /** What its counters go by; the time of day unless given. */
  nowMs?: () => number;
  tls?: { cert: string; key: string };
  /** False of a hypervisor that measures no rates, as most. */
  rates?: boolean;
}

export interface CloudApiRequest {
  path: string;
  query: URLSearchParams;
  /** 1 of the first request, those to Keystone counted too. */
  number: number;
}

interface Shaping {
  edit: ((body: string) => string) | null;
  headers: Record<string, string>;
}

const PLAIN: Shaping = { edit: null, headers: {} };
const CHUNK = 'a'.repeat(64 * 1024);

const SERVERS = '/compute/v2.1/servers';
const DIAGNOSTICS = /^\/compute\/v2\.1\/servers\/([^/]+)\/diagnostics$/;

export class CloudApi {
  /** Requests so far, those to Keystone too. */
  requests = 0;
  logins = 0;
  /** Bytes of answers without an end. */
  endlessBytes = 0;
  fault: CloudApiOptions['fault'];
  /** Every instance that may be there, by its number. */
  readonly ids: readonly string[];
  readonly #pageSize: number;
  readonly #server: Server;
  readonly #scheme: 'http' | 'https';
  readonly #servers: string[];
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #nowMs: () => number;
  readonly #rates: boolean;
  readonly #startedMs: number;
  /** Numbers, ascending. */
  #alive: readonly number[];
  #stopped: ReadonlySet<number> = new Set();
  #ports: string;
  #token = 0;

  static async start(options: CloudApiOptions): Promise<CloudApi> {
    const api = new CloudApi(options);
    await new Promise<void>((resolve) => api.#server.listen(0, '127.0.0.1', resolve));
    return api;
  }

  private constructor(options: CloudApiOptions) {
    this.fault = options.fault;
    this.#pageSize = options.pageSize ?? 1_000;
    this.ids = Array.from({ length: options.instances }, (_, number) => uuidOf(1, number));
    this.#numbers = new Map(this.ids.map((id, number) => [id, number]));
    this.#servers = this.ids.map((id, number) => JSON.stringify(serverOf(id, number)));
    this.#alive = this.ids.map((_, number) => number);
    this.#ports = portsOf(
      Array.from({ length: options.ports ?? options.instances }, (_, number) => number),
    );
    this.#nowMs = options.nowMs ?? Date.now;
    this.#rates = options.rates ?? true;
    this.#startedMs = this.#nowMs();
    const listener = (request: IncomingMessage, response: ServerResponse): void => {
      void this.#answer(request, response);
    };
    this.#scheme = options.tls === undefined ? 'http' : 'https';
    this.#server = options.tls === undefined
      ? createServer(listener)
      : createTlsServer(options.tls, listener);
    this.#server.keepAliveTimeout = 60_000;
  }

  /** The port of an instance, by its number. */
  portId(number: number): string {
    return portOf(number).id;
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get authUrl(): string {
    return `${this.url}/identity/v3`;
  }

  /** Milliseconds since it was started: what its counters count. */
  get ageMs(): number {
    return this.#nowMs() - this.#startedMs;
  }

  /**
   * From now on these are there, by their numbers, each with a port; those that are off have no counters.
   */
  setInstances(alive: Iterable<number>, stopped: Iterable<number> = []): void {
    const off = new Set(stopped);
    for (const number of new Set([...off, ...this.#stopped])) {
      const server = serverOf(this.ids[number] ?? '', number);
      const isOff = { status: 'SHUTOFF', 'OS-EXT-STS:power_state': 4 };
      this.#servers[number] = JSON.stringify(off.has(number) ? { ...server, ...isOff } : server);
    }
    this.#stopped = off;
    this.#alive = [...alive].sort((left, right) => left - right);
    this.#ports = portsOf(this.#alive);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests += 1;
    const url = new URL(request.url ?? '/', this.url);
    if (url.pathname === '/identity/v3/auth/tokens') {
      await this.#logIn(request, response);
      return;
    }
    const asked = { path: url.pathname, query: url.searchParams, number: this.requests };
    const fault = this.fault?.(asked) ?? null;
    if (fault !== null && await this.#misbehave(fault, response)) return;
    if (request.headers['x-auth-token'] !== this.#tokenText()) {
      answer(response, 401, '{"error":{"code":401,"message":"Authenticate"}}');
      return;
    }
    const { status, body } = this.#serve(url);
    const { edit, headers } = fault === null ? PLAIN : this.#shaping(fault);
    const text = edit === null ? body : edit(body);
    if (fault?.kind === 'cut') cut(response, text);
    else answer(response, status, text, headers);
  }

  #serve(url: URL): { status: number; body: string } {
    const id = DIAGNOSTICS.exec(url.pathname)?.[1];
    if (id !== undefined) return this.#diagnose(id);
    if (url.pathname === `${SERVERS}/detail`) return { status: 200, body: this.#page(url) };
    if (url.pathname === '/network/v2.0/ports') return { status: 200, body: this.#ports };
    return { status: 404, body: '{"itemNotFound":{"code":404,"message":"Nothing here"}}' };
  }

  #shaping(fault: CloudFault): Shaping {
    if (fault.kind === 'edit') return { edit: fault.edit, headers: {} };
    if (fault.kind !== 'clock') return PLAIN;
    const date = new Date(this.#nowMs() + fault.aheadMs).toUTCString();
    return { edit: null, headers: { date } };
  }

  /** @returns true if there is no answer to give any more */
  async #misbehave(fault: CloudFault, response: ServerResponse): Promise<boolean> {
    switch (fault.kind) {
      case 'status':
        answer(response, fault.status, `{"error":{"code":${fault.status},"message":"On order"}}`);
        return true;
      case 'reset':
        response.socket?.resetAndDestroy();
        return true;
      case 'half':
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end('{"servers": [{"id": "');
        return true;
      case 'html':
        response.writeHead(200, { 'content-type': 'text/html' });
        response.end('<html><body>Maintenance</body></html>');
        return true;
      case 'late':
        await new Promise((resolve) => setTimeout(resolve, fault.milliseconds));
        return response.destroyed;
      case 'answer':
        answer(response, fault.status, fault.body, fault.headers ?? {});
        return true;
      case 'endless':
        await this.#answerForEver(response);
        return true;
      case 'expire':
        this.#token += 1;
        return false;
      case 'cut':
      case 'edit':
      case 'clock':
        return false;
    }
  }

  async #answerForEver(response: ServerResponse): Promise<void> {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write('{"servers":[{"id":"');
    while (!response.destroyed) {
      this.endlessBytes += CHUNK.length;
      if (response.write(CHUNK)) await new Promise((resolve) => setImmediate(resolve));
      else {
        await new Promise<void>((resolve) => {
          response.once('drain', resolve);
          response.once('close', resolve);
        });
      }
    }
  }

  async #logIn(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.logins += 1;
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const { auth } = JSON.parse(body) as {
      auth: { identity: { password?: { user?: { name?: string; password?: string } } } };
    };
    const user = auth.identity.password?.user;
    if (user?.name !== CLOUD_USER.name || user.password !== CLOUD_USER.password) {
      answer(
        response,
        401,
        '{"error":{"code":401,"message":"The request you have made requires"}}',
      );
      return;
    }
    response.setHeader('x-subject-token', this.#tokenText());
    answer(response, 201, JSON.stringify(this.#tokenBody()));
  }

  #tokenText(): string {
    return `token-${this.#token}`;
  }

  #tokenBody() {
    const service = (type: string, path: string) => ({
      id: `service-${type}`,
      type,
      name: type,
      endpoints: [{
        id: `endpoint-${type}`,
        interface: 'public',
        region: 'RegionOne',
        region_id: 'RegionOne',
        url: `${this.url}${path}`,
      }],
    });
    return {
      token: {
        methods: ['password'],
        expires_at: new Date(Date.now() + 3_600_000).toISOString(),
        issued_at: new Date().toISOString(),
        project: { id: uuidOf(9, 0), name: 'service', domain: { id: 'default', name: 'Default' } },
        catalog: [
          service('identity', '/identity/v3'),
          service('compute', '/compute/v2.1'),
          service('network', '/network'),
        ],
      },
    };
  }

  #page(url: URL): string {
    const limit = Math.min(Number(url.searchParams.get('limit') ?? this.#pageSize), this.#pageSize);
    const marker = url.searchParams.get('marker');
    const after = marker === null ? -1 : this.#numbers.get(marker) ?? -1;
    const start = firstAbove(this.#alive, after);
    const page = this.#alive.slice(start, start + limit);
    const last = this.ids[page.at(-1) ?? -1];
    const links = last === undefined || start + limit >= this.#alive.length
      ? ''
      : `,"servers_links":[{"rel":"next",` +
        `"href":"${this.url}${SERVERS}/detail?limit=${limit}&marker=${last}"}]`;
    return `{"servers":[${page.map((number) => this.#servers[number]).join(',')}]${links}}`;
  }

  #diagnose(id: string): { status: number; body: string } {
    const number = this.#numbers.get(id) ?? -1;
    if (this.#alive[firstAbove(this.#alive, number - 1)] !== number) {
      return {
        status: 404,
        body: '{"itemNotFound":{"code":404,"message":"Instance could not be found"}}',
      };
    }
    if (this.#stopped.has(number)) {
      return { status: 409, body: '{"conflictingRequest":{"code":409,"message":"Not running"}}' };
    }
    const body = diagnosticsOf(number, Math.trunc(this.ageMs / 1_000));
    return { status: 200, body: this.#rates ? body : body.replaceAll('x_rate":0', 'x_rate":null') };
  }
}

function answer(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(body);
}

function cut(response: ServerResponse, body: string): void {
  const length = Buffer.byteLength(body);
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': length });
  response.write(body.slice(0, body.length / 2), () => response.socket?.destroy());
}

function portsOf(numbers: readonly number[]): string {
  return JSON.stringify({ ports: numbers.map(portOf) });
}

/** Index of the first that is larger, of ascending numbers. */
function firstAbove(numbers: readonly number[], bound: number): number {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((numbers[middle] ?? Infinity) > bound) high = middle;
    else low = middle + 1;
  }
  return low;
}
