import { NephoError } from '../meters/errors.ts';
import { concatBytes, decodeBase64, encodeBase64, encodeUtf8 } from './bytes.ts';
import { hmacSha256 } from './hmac_sha256.ts';

/**
 * Webhooks as of Standard Webhooks 1.0.0 (github.com/standard-webhooks/standard-webhooks,
 * spec/standard-webhooks.md): the symmetric scheme `v1`, HMAC-SHA256 over `id.timestamp.body`.
 */

const SECRET_PREFIX = 'whsec_';
/** Bytes of a secret, by the specification. */
const SECRET_BYTES = { min: 24, max: 64 };
const SCHEME = 'v1';
/** Seconds that a webhook's time may differ from the receiver's. */
export const WEBHOOK_TOLERANCE_SECONDS = 300;
/** Signatures that are looked at. */
const MAX_SIGNATURES = 32;

/** What is signed. */
export interface SignedWebhook {
  /** `webhook-id`, without a full stop. */
  id: string;
  /** `webhook-timestamp`: seconds since 1970. */
  timestamp: number;
  /** As it is sent, byte for byte. */
  body: Uint8Array | string;
}

/**
 * The key in a secret, `whsec_` and base64 of 24 to 64 bytes.
 *
 * @throws {NephoError} `webhook_secret_invalid`, without the secret
 */
export function webhookKey(secret: string): Uint8Array {
  const text = secret.trim();
  const key = text.startsWith(SECRET_PREFIX) ? keyOf(text.slice(SECRET_PREFIX.length)) : null;
  if (key !== null && key.length >= SECRET_BYTES.min && key.length <= SECRET_BYTES.max) return key;
  throw new NephoError(
    'webhook_secret_invalid',
    `Cannot use the secret of a webhook: it is not '${SECRET_PREFIX}' and base64 of ${SECRET_BYTES.min} to ${SECRET_BYTES.max} bytes`,
  );
}

/**
 * The header `webhook-signature`, a signature by each secret.
 *
 * @throws {NephoError} `webhook_secret_invalid`
 */
export function signWebhook(webhook: SignedWebhook, secrets: readonly string[]): string {
  const content = contentOf(webhook);
  return secrets
    .map((secret) => `${SCHEME},${encodeBase64(hmacSha256(webhookKey(secret), content))}`)
    .join(' ');
}

export type WebhookVerdict =
  | { ok: true; id: string; timestamp: number }
  | { ok: false; code: WebhookRefusal; message: string };

export type WebhookRefusal = 'headers_missing' | 'timestamp_invalid' | 'signature_wrong';

/**
 * Checks a webhook as its receiver does: that one of the secrets signed the body as it came, lately.
 * Remember the `id`: the same one may come again.
 *
 * @param request `headers` with names in lower case; `body` as it came, before anything parsed it
 * @throws {NephoError} `webhook_secret_invalid`
 * @example
 * const verdict = verifyWebhook({ headers, body }, { secrets: [secret], nowMs: Date.now() });
 */
export function verifyWebhook(
  request: { headers: Readonly<Record<string, string | undefined>>; body: Uint8Array | string },
  options: { secrets: readonly string[]; nowMs: number },
): WebhookVerdict {
  const { headers, body } = request;
  const { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': signatures } = headers;
  if (!id || !time || !signatures) {
    return refused(
      'headers_missing',
      'webhook-id, webhook-timestamp or webhook-signature is missing',
    );
  }
  const timestamp = /^\d{1,12}$/.test(time) ? Number(time) : NaN;
  if (!(Math.abs(options.nowMs / 1_000 - timestamp) <= WEBHOOK_TOLERANCE_SECONDS)) {
    return refused('timestamp_invalid', `its time '${time.slice(0, 20)}' is not the present`);
  }
  const content = contentOf({ id, timestamp, body });
  const given = signatures.split(' ').slice(0, MAX_SIGNATURES)
    .filter((one) => one.startsWith(`${SCHEME},`))
    .map((one) => keyOf(one.slice(SCHEME.length + 1)));
  const expected = options.secrets.map((secret) => hmacSha256(webhookKey(secret), content));
  const isSigned = given.some((one) =>
    one !== null && expected.some((other) => equalInConstantTime(one, other))
  );
  return isSigned
    ? { ok: true, id, timestamp }
    : refused('signature_wrong', 'no signature is of one of the secrets');
}

function contentOf({ id, timestamp, body }: SignedWebhook): Uint8Array {
  const bytes = typeof body === 'string' ? encodeUtf8(body) : body;
  return concatBytes([encodeUtf8(`${id}.${timestamp}.`), bytes]);
}

function refused(code: WebhookRefusal, reason: string): WebhookVerdict {
  return { ok: false, code, message: `Cannot accept the webhook: ${reason}` };
}

function keyOf(base64: string): Uint8Array | null {
  try {
    return decodeBase64(base64);
  } catch {
    return null;
  }
}

function equalInConstantTime(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  let difference = 0;
  left.forEach((byte, index) => difference |= byte ^ (right[index] ?? 0));
  return difference === 0;
}
