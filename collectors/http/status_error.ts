import { NephoError } from '../../meters/errors.ts';
import type { GapReason } from '../../meters/poll_gap.ts';
import type { HttpAnswer, HttpRequest } from './http_client.ts';
import { maskedUrl, urlOf } from './masked_url.ts';

const MAX_RETRY_AFTER_MS = 3_600_000;
const MAX_SAID = 200;
/** An error's body worth reading for its sentence is short. */
const MAX_READ = 8_192;

/**
 * The failure that an answer stands for whose status is not welcome. Its sentence quotes what the
 * service said, which names the policy that is missing, unless it repeats a secret of the request.
 */
export function statusError(request: HttpRequest, answer: HttpAnswer): NephoError {
  const { status } = answer;
  const reason = reasonOf(answer);
  const said = sentenceOf(request, answer);
  const context: Record<string, string | number> = { status, url: maskedUrl(request.url) };
  const retryAfterMs = readRetryAfter(answer);
  if (retryAfterMs !== null) context.retry_after_ms = retryAfterMs;
  const retryable = reason === 'timeout' || reason === 'rate_limited' ||
    (reason === 'server_error' && status !== 501 && status !== 505);
  return new NephoError(
    reason,
    `Cannot read '${context.url}': it answered ${status}${remedyOf(reason, answer)}${said}`,
    { retryable, context },
  );
}

function reasonOf({ status, headers }: HttpAnswer): GapReason {
  if (status >= 500) return 'server_error';
  if (status >= 300 && status < 400) return 'redirected';
  if (status === 401) return 'unauthorised';
  if (status === 403) return 'forbidden';
  if (status === 404 || status === 410) return 'resource_gone';
  if (status === 408) return 'timeout';
  // Nova said 413 before it said 429.
  if (status === 429 || (status === 413 && headers['retry-after'] !== undefined)) {
    return 'rate_limited';
  }
  return 'request_refused';
}

function remedyOf(reason: GapReason, answer: HttpAnswer): string {
  if (reason !== 'redirected') return '';
  const location = answer.headers.location;
  return location === undefined
    ? ', a redirect'
    : `, a redirect to '${maskedUrl(location)}', which is not followed: write the final URL`;
}

/** Milliseconds of `retry-after`, seconds or a date; null without one that can be read. */
function readRetryAfter({ headers, receivedMs }: HttpAnswer): number | null {
  const text = headers['retry-after'];
  if (text === undefined) return null;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - receivedMs;
  return Number.isFinite(ms) ? Math.min(Math.max(0, Math.ceil(ms)), MAX_RETRY_AFTER_MS) : null;
}

/** `: …`, the `message` in the JSON that OpenStack's services answer errors with, or nothing. */
function sentenceOf(request: HttpRequest, answer: HttpAnswer): string {
  // What was sent with a POST is a credential, and an answer may repeat it.
  if (request.method === 'POST' || answer.body.length > MAX_READ) return '';
  const text = new TextDecoder().decode(answer.body);
  const quoted = /"(?:message|faultstring|title)"\s*:\s*("(?:[^"\\]|\\.)*")/.exec(text)?.[1];
  if (quoted === undefined) return '';
  let said: unknown;
  try {
    said = JSON.parse(quoted);
  } catch {
    return '';
  }
  if (typeof said !== 'string' || said.trim() === '') return '';
  if (repeatsSecret(request, said)) return '';
  const line = said.replace(/[\p{C}\s]+/gu, ' ').trim();
  return `: ${line.length > MAX_SAID ? `${line.slice(0, MAX_SAID)}…` : line.replace(/\.$/, '')}`;
}

function repeatsSecret(request: HttpRequest, said: string): boolean {
  const url = urlOf(request.url);
  const secrets = [
    ...Object.entries(request.headers ?? {})
      .filter(([name]) => /auth|token|key|cookie|secret|password/.test(name))
      .flatMap(([, value]) => value.split(' ')),
    ...(url === null ? [] : [url.password, ...url.searchParams.values()]),
  ];
  return secrets.some((secret) => secret.length >= 6 && said.includes(secret));
}
