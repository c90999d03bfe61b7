import { type Dispatcher, Pool } from 'undici';
import { NephoError } from '../../meters/errors.ts';
import type { AbortWatch } from './abort_watch.ts';
import { exchangeError } from './exchange_error.ts';
import type { HttpAnswer, HttpRequest } from './http_client.ts';
import { maskedUrl } from './masked_url.ts';

export interface ExchangeOptions {
  signal: AbortSignal;
  watch: AbortWatch;
  /** Milliseconds to the end of the answer. */
  timeoutMs: number;
  maxBytes: number;
  /** The present, milliseconds since 1970. */
  nowMs: () => number;
}

interface Outcome {
  resolve: (answer: HttpAnswer) => void;
  reject: (error: NephoError) => void;
}

/**
 * The connections to one origin, kept alive between requests.
 *
 * `undici`'s dispatch costs about 55 µs of CPU a request on Node 20, `node:http` about 130 µs.
 *
 * @param options.ca the authorities to trust instead of those of the system, PEM
 */
export function openPool(
  origin: string,
  { connections, ca }: { connections: number; ca: string | null },
): Pool {
  return new Pool(origin, {
    connections,
    pipelining: 1,
    // The exchange has one time for all of it; these would only add coarser ones.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: 10_000, ...(ca === null ? {} : { ca }) },
  });
}

/**
 * One request and its whole answer, whatever its status. The answer is measured while it comes, so an
 * endless one costs no more than `maxBytes`.
 *
 * @throws {NephoError} `timeout`, `unreachable`, `certificate_invalid`, `too_large`
 */
export function exchange(
  pool: Pool,
  request: HttpRequest,
  options: ExchangeOptions,
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const reception = new Reception(request, options, { resolve, reject });
    const url = new URL(request.url);
    try {
      pool.dispatch({
        method: request.method ?? 'GET',
        path: url.pathname + url.search,
        // A compressed answer could grow a thousandfold when it is opened.
        headers: { 'accept-encoding': 'identity', ...credentialsOf(url), ...request.headers },
        body: request.body ?? null,
      }, reception);
    } catch (cause) {
      reception.fail(exchangeError(request.url, cause));
    }
  });
}

function credentialsOf(url: URL): Record<string, string> {
  if (url.username === '' && url.password === '') return {};
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

/** Takes the parts of an answer in, until it is whole, too large, late or unwanted. */
class Reception implements Dispatcher.DispatchHandler {
  readonly #request: HttpRequest;
  readonly #options: ExchangeOptions;
  readonly #outcome: Outcome;
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #chunks: Buffer[] = [];
  #controller: Dispatcher.DispatchController | null = null;
  #ended = false;
  #bytes = 0;
  #status = 0;
  #headers: Record<string, string> = {};
  #receivedMs = 0;

  constructor(request: HttpRequest, options: ExchangeOptions, outcome: Outcome) {
    this.#request = request;
    this.#options = options;
    this.#outcome = outcome;
    this.#timer = setTimeout(() => this.fail(this.#late()), options.timeoutMs);
    options.watch.add(options.signal, this.#onAbort);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#ended) controller.abort(new Error('no longer wanted'));
  }

  onResponseStart(
    _: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) return;
    this.#status = status;
    this.#receivedMs = this.#options.nowMs();
    for (const name in headers) {
      const value = headers[name];
      if (value !== undefined) {
        this.#headers[name] = typeof value === 'string' ? value : value.join(', ');
      }
    }
    const length = Number(this.#headers['content-length'] ?? 0);
    if (this.#request.method !== 'HEAD' && length > this.#options.maxBytes) this.#refuse();
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#ended) return;
    this.#bytes += chunk.length;
    if (this.#bytes > this.#options.maxBytes) this.#refuse();
    else this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    if (!this.#end()) return;
    const [first] = this.#chunks;
    this.#outcome.resolve({
      status: this.#status,
      headers: this.#headers,
      body: this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks),
      receivedMs: this.#receivedMs,
    });
  }

  onResponseError(_: Dispatcher.DispatchController | null, cause: Error): void {
    this.fail(exchangeError(this.#request.url, cause));
  }

  fail(error: NephoError): void {
    if (!this.#end()) return;
    this.#chunks.length = 0;
    this.#outcome.reject(error);
    this.#controller?.abort(error);
  }

  /** True the first time: after that nothing more is said to whoever asked. */
  #end(): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#options.watch.remove(this.#options.signal, this.#onAbort);
    return true;
  }

  readonly #onAbort = (): void => {
    this.fail(
      new NephoError(
        'timeout',
        `Cannot read '${maskedUrl(this.#request.url)}': the time of the cycle is used up`,
        { retryable: true, context: { url: maskedUrl(this.#request.url), aborted: true } },
      ),
    );
  };

  #late(): NephoError {
    const url = maskedUrl(this.#request.url);
    const { timeoutMs } = this.#options;
    return new NephoError(
      'timeout',
      `Cannot read '${url}': no whole answer within ${timeoutMs} ms`,
      { retryable: true, context: { url, timeout_ms: timeoutMs } },
    );
  }

  #refuse(): void {
    const url = maskedUrl(this.#request.url);
    const { maxBytes } = this.#options;
    this.fail(
      new NephoError(
        'too_large',
        `Cannot read '${url}': its answer has more than ${maxBytes} bytes`,
        { context: { url, max_bytes: maxBytes } },
      ),
    );
  }
}
