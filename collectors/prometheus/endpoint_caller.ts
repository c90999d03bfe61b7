import { isNephoError, NephoError } from '../../meters/errors.ts';
import type { PollContext } from '../polling/pollster.ts';
import { createHttpClient } from '../http/create_http_client.ts';
import {
  DEFAULT_LIMITS,
  type EndpointLimits,
  type HttpAnswer,
  type HttpClient,
} from '../http/http_client.ts';
import type { ReadSecret, SecretReference } from '../secret_reference.ts';
import type { EndpointSettings } from './settings_schema.ts';

export interface PrometheusDeps {
  readonly secret: ReadSecret;
  /** The text of a file. */
  readonly readText: (path: string) => Promise<string>;
  /** The present, milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Called for each request that is made. */
  readonly onRequest?: () => void;
}

const CLOCK_SKEW_MS = 300_000;

/** One endpoint with its credentials and limits. */
export class EndpointCaller {
  readonly settings: EndpointSettings;
  readonly #deps: PrometheusDeps;
  #client: Promise<HttpClient> | null = null;

  constructor(settings: EndpointSettings, deps: PrometheusDeps) {
    this.settings = settings;
    this.#deps = deps;
  }

  /**
   * @param accept statuses to return beside 200–299
   * @throws {NephoError} as the client's
   */
  async get(
    url: string,
    context: PollContext,
    { headers, accept }: { headers: Readonly<Record<string, string>>; accept: readonly number[] },
  ): Promise<HttpAnswer> {
    const client = await this.#open();
    const request = { url, headers: { ...await this.#ownHeaders(), ...headers } };
    const answer = await client.request(request, { signal: context.signal, accept });
    this.#compareClocks(answer, context);
    return answer;
  }

  /** A fault of what this endpoint answered; the same request may be answered better. */
  fault(code: string, problem: string, cause?: unknown): NephoError {
    return new NephoError(code, `Cannot read endpoint '${this.settings.name}': ${problem}`, {
      retryable: true,
      context: { endpoint: this.settings.name },
      cause,
    });
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = null;
    const opened = await client?.catch(() => null);
    await opened?.close();
  }

  async #open(): Promise<HttpClient> {
    this.#client ??= this.#connect();
    try {
      return await this.#client;
    } catch (cause) {
      this.#client = null;
      if (isNephoError(cause)) throw cause;
      throw this.fault('certificate_invalid', 'its ca_file cannot be read', cause);
    }
  }

  async #connect(): Promise<HttpClient> {
    const { nowMs, onRequest, readText } = this.#deps;
    const { ca_file: caFile } = this.settings;
    const limits = limitsOf(this.settings);
    return createHttpClient({
      limitsOf: () => limits,
      ...(caFile === undefined ? {} : { caCertificate: await readText(caFile) }),
      ...(onRequest === undefined ? {} : { onRequest }),
      nowMs,
    });
  }

  async #ownHeaders(): Promise<Record<string, string>> {
    const { settings } = this;
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(settings.headers)) {
      headers[name] = typeof value === 'string' ? value : await this.#secret(value);
    }
    const token = referenceTo(settings.bearer_token_env, settings.bearer_token_file);
    if (token !== null) headers['authorization'] = `Bearer ${await this.#secret(token)}`;
    const password = referenceTo(settings.password_env, settings.password_file);
    if (settings.username !== undefined && password !== null) {
      const pair = `${settings.username}:${await this.#secret(password)}`;
      headers['authorization'] = `Basic ${Buffer.from(pair, 'utf8').toString('base64')}`;
    }
    return headers;
  }

  async #secret(reference: SecretReference): Promise<string> {
    const secret = await this.#deps.secret(reference);
    if (!/[\r\n\0]/.test(secret)) return secret;
    throw this.fault('unauthorised', 'a secret of it has more than one line');
  }

  /** A server that evaluates at its own time, or stamps what it says, should have ours. */
  #compareClocks(answer: HttpAnswer, context: PollContext): void {
    const theirs = Date.parse(answer.headers['date'] ?? '');
    const skewMs = theirs - answer.receivedMs;
    if (!(Math.abs(skewMs) > CLOCK_SKEW_MS)) return;
    const side = skewMs > 0 ? 'ahead of' : 'behind';
    const minutes = Math.round(Math.abs(skewMs) / 60_000);
    context.remark('clock_skew', null, `'${this.settings.name}' is ${minutes} min ${side} us`);
  }
}

function limitsOf(settings: EndpointSettings): EndpointLimits {
  return {
    ...DEFAULT_LIMITS,
    concurrency: settings.concurrency,
    requestsPerSecond: settings.requests_per_second ?? null,
    timeoutMs: settings.timeout * 1_000,
    maxBytes: settings.max_bytes,
  };
}

function referenceTo(env: string | undefined, file: string | undefined): SecretReference | null {
  if (env !== undefined) return { env };
  return file === undefined ? null : { file };
}
