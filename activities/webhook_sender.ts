/** Sends one webhook, with nothing that the receiver does costing more than a moment and 64 KiB. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { buildConnector, Client, type Dispatcher } from 'undici';
import { exchangeError } from '../collectors/http/exchange_error.ts';
import { errorMessage, isNephoError, NephoError } from '../meters/errors.ts';
import { isPublicAddress } from '../meters/network_address.ts';

export interface OutgoingWebhook {
  url: string;
  headers: Readonly<Record<string, string>>;
  body: string;
}

export interface SendOptions {
  /** Milliseconds for all of it: the name, the connection, the answer. */
  timeoutMs: number;
  /** True for receivers in a network of our own. */
  allowPrivateAddresses: boolean;
  /** The authorities to trust instead of those of the system, PEM; null for those. */
  ca: string | null;
  /** Finds the addresses of a name; that of the system unless given. */
  resolve?: (host: string) => Promise<string[]>;
}

export interface WebhookAnswer {
  status: number;
  /** The header, null without one. */
  retryAfter: string | null;
  /** The beginning of the body. */
  text: string;
}

/** Bytes of an answer that are read: what it says is for people, its status for us. */
const MAX_ANSWER_BYTES = 64 * 1024;
const SHOWN_BYTES = 300;

/**
 * Posts a webhook and gives the answer, whatever its status. The name is resolved once, and what is connected
 * to is the address that was checked. Redirects are not followed. An answer whose body is long, or does not
 * end in time, counts by its status.
 *
 * @throws {NephoError} `address_private`, `name_unknown`, `timeout`, `unreachable`, `certificate_invalid`
 */
export async function sendWebhook(
  webhook: OutgoingWebhook,
  options: SendOptions,
): Promise<WebhookAnswer> {
  const deadline = performance.now() + options.timeoutMs;
  const url = new URL(webhook.url);
  const address = await within(options.timeoutMs, url, () => addressOf(url, options));
  const connect = buildConnector({
    timeout: options.timeoutMs,
    ...options.ca === null ? {} : { ca: options.ca },
  });
  const client = new Client(url.origin, {
    connect: (wanted, callback) => connect({ ...wanted, hostname: address }, callback),
    pipelining: 0,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  try {
    return await new Promise((resolve, reject) => {
      const reception = new Reception(url, { resolve, reject });
      reception.limit(deadline - performance.now());
      client.dispatch({
        method: 'POST',
        path: url.pathname + url.search,
        headers: { 'accept-encoding': 'identity', ...webhook.headers },
        body: webhook.body,
      }, reception);
    });
  } finally {
    // Not `close`: a receiver that holds the connection is not waited for.
    void client.destroy().catch(() => {});
  }
}

/** The address to connect to: one of the public internet, unless others are allowed. */
async function addressOf(url: URL, options: SendOptions): Promise<string> {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const addresses = isIP(host) === 0 ? await resolved(host, options) : [host];
  const allowed = options.allowPrivateAddresses ? addresses : addresses.filter(isPublicAddress);
  // Not every machine that has an address of version 6 reaches others by it.
  const chosen = allowed.find((address) => isIP(address) === 4) ?? allowed[0];
  if (chosen !== undefined) return chosen;
  throw new NephoError(
    'address_private',
    `Cannot send to '${host}': ${
      addresses[0] ?? 'it'
    } is no address of the public internet, set allow_private_addresses if it is meant`,
  );
}

async function resolved(host: string, { resolve = systemLookup }: SendOptions): Promise<string[]> {
  try {
    return await resolve(host);
  } catch (cause) {
    throw new NephoError(
      'name_unknown',
      `Cannot send to '${host}': its name is not known (${errorMessage(cause).slice(0, 100)})`,
      { retryable: true, cause },
    );
  }
}

async function systemLookup(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

async function within<Result>(
  timeoutMs: number,
  url: URL,
  work: () => Promise<Result>,
): Promise<Result> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(tooLate(url)), timeoutMs);
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}

interface Outcome {
  resolve: (answer: WebhookAnswer) => void;
  reject: (error: NephoError) => void;
}

/** Takes in the head of an answer, and of its body the beginning. */
class Reception implements Dispatcher.DispatchHandler {
  readonly #url: URL;
  readonly #outcome: Outcome;
  readonly #chunks: Uint8Array[] = [];
  #controller: Dispatcher.DispatchController | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #bytes = 0;
  #status: number | null = null;
  #retryAfter: string | null = null;
  #isEnded = false;

  constructor(url: URL, outcome: Outcome) {
    this.#url = url;
    this.#outcome = outcome;
  }

  limit(milliseconds: number): void {
    this.#timer = setTimeout(() => this.#end(tooLate(this.#url)), Math.max(0, milliseconds));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isEnded) controller.abort(new Error('no longer wanted'));
  }

  onResponseStart(
    _: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) return;
    this.#status = status;
    const { 'retry-after': retryAfter } = headers;
    if (typeof retryAfter === 'string') this.#retryAfter = retryAfter.slice(0, 100);
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Uint8Array): void {
    if (this.#isEnded) return;
    if (this.#bytes < SHOWN_BYTES) this.#chunks.push(chunk.slice(0, SHOWN_BYTES));
    this.#bytes += chunk.length;
    if (this.#bytes > MAX_ANSWER_BYTES) this.#end(null);
  }

  onResponseEnd(): void {
    this.#end(null);
  }

  onResponseError(_: Dispatcher.DispatchController | null, cause: Error): void {
    this.#end(isNephoError(cause) ? cause : exchangeError(this.#url.href, cause));
  }

  /** Once a status is here, it is what counts. */
  #end(error: NephoError | null): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    clearTimeout(this.#timer);
    if (this.#status !== null) {
      const text = Buffer.concat(this.#chunks).subarray(0, SHOWN_BYTES).toString('utf8');
      this.#outcome.resolve({ status: this.#status, retryAfter: this.#retryAfter, text });
    } else this.#outcome.reject(error ?? tooLate(this.#url));
    this.#controller?.abort(new Error('enough'));
  }
}

function tooLate(url: URL): NephoError {
  return new NephoError('timeout', `Cannot send to '${url.host}': it did not answer in time`, {
    retryable: true,
  });
}
