import { isNephoError, NephoError } from '../../meters/errors.ts';
import { createHttpClient } from '../http/create_http_client.ts';
import type { HttpAnswer, HttpClient } from '../http/http_client.ts';
import { findEndpoint, serviceNames } from './catalogue.ts';
import { type CloudAccess, cloudAccess, type CloudAccessDeps } from './cloud_access.ts';
import { EndpointTable } from './endpoint_table.ts';
import { login, type Token } from './keystone_login.ts';
import { serviceUrl } from './service_url.ts';
import type { OpenStackCall, ServicePath } from './session_interface.ts';
import type { OpenStackSettings } from './settings_schema.ts';
import { TokenIntroduction } from './token_introduction.ts';
import { TokenKeeper } from './token_keeper.ts';

export interface OpenStackSessionDeps extends CloudAccessDeps {
  /** The present, milliseconds since 1970. */
  nowMs: () => number;
  /** Milliseconds that never go back; `performance.now` unless given. */
  clockMs?: () => number;
  /** Called for every request that goes out. */
  onRequest?: () => void;
}

export interface ServiceRequest {
  serviceType: string;
  path: ServicePath;
  method: 'GET' | 'HEAD';
}

interface Connection {
  access: CloudAccess;
  http: HttpClient;
  keeper: TokenKeeper;
}

/**
 * Asks the services of one cloud with a token that is good. Nothing is read or asked before the first
 * call; what could not be read, as a certificate, is tried again with the next.
 */
export class ServiceCaller {
  readonly #cloud: string;
  readonly #settings: OpenStackSettings;
  readonly #deps: OpenStackSessionDeps;
  readonly #table: EndpointTable;
  readonly #introduction = new TokenIntroduction();
  readonly #ended = new AbortController();
  #connecting: Promise<Connection> | null = null;

  constructor(cloud: string, settings: OpenStackSettings, deps: OpenStackSessionDeps) {
    this.#cloud = cloud;
    this.#settings = settings;
    this.#deps = deps;
    this.#table = new EndpointTable(settings);
  }

  /** The URL of a path of a service. @throws {NephoError} see `OpenStackSession` */
  async url(request: ServiceRequest, signal: AbortSignal): Promise<string> {
    const { keeper, access } = await this.#connected(signal);
    return this.#urlOf(request, await abortable(keeper.token(), signal), access);
  }

  /** The project of the token. @throws {NephoError} see `OpenStackSession` */
  async projectId(signal: AbortSignal): Promise<string | null> {
    const { keeper } = await this.#connected(signal);
    return (await abortable(keeper.token(), signal)).projectId;
  }

  /**
   * Asks, and once more with a new token after a 401.
   *
   * @param pageUrl where, if not at the request's own path
   * @throws {NephoError} see `OpenStackSession`
   */
  async ask(
    request: ServiceRequest,
    call: OpenStackCall,
    pageUrl: string | null = null,
  ): Promise<{ url: string; answer: HttpAnswer }> {
    const { signal } = call;
    const { http, keeper, access } = await this.#connected(signal);
    for (let attempts = 1;; attempts += 1) {
      const token = await abortable(keeper.token(), signal);
      const url = pageUrl ?? this.#urlOf(request, token, access);
      const headers = { accept: 'application/json', ...call.headers, 'x-auth-token': token.id };
      try {
        const { method } = request;
        const answer = await this.#introduction.ask(
          { service: this.#table.keyOf(new URL(url)), token: token.id },
          () => http.request({ method, url, headers }, { signal }),
          (first) => abortable(first, signal),
        );
        return { url, answer };
      } catch (error) {
        if (!isNephoError(error) || error.code !== 'unauthorised') throw error;
        keeper.reject(token);
        if (attempts > 1 || keeper.holds(token)) throw refusedAnyway(request, error);
      }
    }
  }

  async close(): Promise<void> {
    this.#ended.abort();
    const connection = await this.#connecting?.catch(() => null);
    await connection?.http.close();
  }

  #connected(signal: AbortSignal): Connection | Promise<Connection> {
    this.#connecting ??= this.#connect().catch((error: unknown) => {
      this.#connecting = null;
      throw error;
    });
    return abortable(this.#connecting, signal);
  }

  async #connect(): Promise<Connection> {
    const { nowMs, onRequest, clockMs = () => performance.now() } = this.#deps;
    const access = await cloudAccess(this.#cloud, this.#settings, this.#deps);
    this.#table.learn('identity', access.authUrl);
    const http = createHttpClient({
      limitsOf: (url) => this.#table.limitsOf(url),
      endpointOf: (url) => this.#table.keyOf(url),
      ...(access.caCertificate === null ? {} : { caCertificate: access.caCertificate }),
      ...(onRequest === undefined ? {} : { onRequest }),
      nowMs,
      clockMs,
    });
    const keeper = new TokenKeeper({
      cloud: this.#cloud,
      secret: access.secret,
      login: (secret) => login(access, secret, { http, signal: this.#ended.signal }),
      clockMs,
    });
    return { access, http, keeper };
  }

  #urlOf({ serviceType, path }: ServiceRequest, token: Token, access: CloudAccess): string {
    const name = serviceNames(serviceType)[0] ?? serviceType;
    const override = this.#table.override(name)
      ?.replaceAll('%(project_id)s', token.projectId ?? '');
    const endpoint = override ?? findEndpoint(token.catalogue, name, access);
    this.#table.learn(name, endpoint);
    return serviceUrl(endpoint, path);
  }
}

function refusedAnyway({ serviceType }: ServiceRequest, cause: NephoError): NephoError {
  return new NephoError(
    'unauthorised',
    `Cannot read from service '${serviceType}': it refuses a token that Keystone has just given; look at its keystone_authtoken section`,
    { retryable: true, context: { service: serviceType, ...cause.context }, cause },
  );
}

/** Waits no longer than the signal allows; what is waited for goes on for the others. */
function abortable<Value>(
  value: Value | Promise<Value>,
  signal: AbortSignal,
): Value | Promise<Value> {
  if (!(value instanceof Promise)) return value;
  return new Promise((resolve, reject) => {
    const onAbort = () =>
      reject(
        new NephoError('timeout', 'Cannot wait for a login: the time of the cycle is used up', {
          retryable: true,
        }),
      );
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    value.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
