/** What collectors ask of HTTP. The client behind it keeps each endpoint's limits. */

export interface HttpRequest {
  method?: 'GET' | 'HEAD' | 'POST';
  /** Absolute, `http:` or `https:`. */
  url: string;
  /** Lower-case names. */
  headers?: Readonly<Record<string, string>>;
  body?: string;
}

export interface HttpAnswer {
  status: number;
  /** Lower-case names. */
  headers: Readonly<Record<string, string>>;
  body: Uint8Array;
  /** When the head of the answer was here, milliseconds since 1970. */
  receivedMs: number;
}

export interface HttpClient {
  /**
   * Asks, within the endpoint's limits of time, concurrency, rate and size. Never follows a redirect.
   *
   * @returns any answer of 200–299, or of a status that `accept` names
   * @throws {NephoError} `timeout`, `unreachable`, `certificate_invalid`, `redirected`, `unauthorised`,
   * `forbidden`, `resource_gone`, `rate_limited` (context `retry_after_ms`), `request_refused`,
   * `server_error`, `too_large`, `circuit_open`: reasons of a gap; no secret in message or context
   */
  request(
    request: HttpRequest,
    options: { signal: AbortSignal; accept?: readonly number[] },
  ): Promise<HttpAnswer>;
  close(): Promise<void>;
}

/** What one endpoint (scheme, host and port) is spared. */
export interface EndpointLimits {
  /** Requests at the same time. */
  concurrency: number;
  /** Requests begun in a second; null for no limit. */
  requestsPerSecond: number | null;
  /** Milliseconds from the request to the end of its answer. */
  timeoutMs: number;
  /** Bytes of one answer. */
  maxBytes: number;
  /** Failures in a row after which the endpoint is left alone for {@link circuitMs}. */
  circuitFailures: number;
  circuitMs: number;
  /** Attempts for what a second attempt may cure (timeout, unreachable, 5xx, 429), the first included. */
  attempts: number;
}

export const DEFAULT_LIMITS: EndpointLimits = {
  concurrency: 16,
  requestsPerSecond: null,
  timeoutMs: 30_000,
  maxBytes: 64 * 1024 * 1024,
  circuitFailures: 5,
  circuitMs: 30_000,
  attempts: 2,
};
