import { Buffer } from 'node:buffer';
import { NephoError } from '../../meters/errors.ts';
import type { OpenStackAnswers } from '../openstack/session_interface.ts';
import type { ReadSecret, SecretReference } from '../secret_reference.ts';
import type { Authentication, AuthenticationScheme } from './rest_definition.ts';
import { signS3 } from './s3_signature.ts';
import type { NamedAuthentication } from './settings_schema.ts';

export interface CredentialPorts {
  authentications: Readonly<Record<string, NamedAuthentication>>;
  secret: ReadSecret;
  /** Null where there is no cloud whose Barbican could be asked. */
  session: OpenStackAnswers | null;
  /** The present, milliseconds since 1970. */
  nowMs: () => number;
}

/** Which API is asked, and with which headers so far (lower-case names). */
interface Asked {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** How long a secret of Barbican is kept. */
const BARBICAN_MS = 600_000;
const MAX_SECRET_LENGTH = 16_384;

/** Adds what tells an API who asks; secrets of the settings are read anew each time. */
export class Credentials {
  readonly #ports: CredentialPorts;
  readonly #fetched = new Map<string, { text: string; untilMs: number }>();

  constructor(ports: CredentialPorts) {
    this.#ports = ports;
  }

  /** The headers with the proof. @throws {NephoError} `unauthorised` if the secret is not to be had */
  async sign(authentication: Authentication, asked: Asked): Promise<Record<string, string>> {
    switch (authentication.kind) {
      case 'none':
        return { ...asked.headers };
      case 'named':
        return await this.#named(authentication.name, asked);
      case 'inline':
        return this.#apply(authentication.scheme, split(authentication.parameters), asked);
      case 'barbican': {
        const { scheme, secretId } = authentication;
        return this.#apply(scheme, split(await this.#fetch(secretId, asked.signal)), asked);
      }
    }
  }

  async #named(name: string, asked: Asked): Promise<Record<string, string>> {
    const { authentications } = this.#ports;
    const entry = Object.hasOwn(authentications, name) ? authentications[name] : undefined;
    if (entry === undefined) throw refused(`there is no authentication '${name}' in the settings`);
    switch (entry.type) {
      case 'basic':
        return this.#apply('basic', [entry.username, await this.#secret(entry, 'password')], asked);
      case 'bearer':
        return this.#apply('bearer', [await this.#secret(entry, 'token')], asked);
      case 's3': {
        const server = entry.server === undefined ? [] : [entry.server];
        const access = await this.#secret(entry, 'access_key');
        const key = await this.#secret(entry, 'secret_key');
        return this.#apply('s3', [access, key, ...server], asked);
      }
    }
  }

  async #secret(entry: NamedAuthentication, key: string): Promise<string> {
    const settings: Readonly<Record<string, string | undefined>> = entry;
    const env = settings[`${key}_env`];
    const file = settings[`${key}_file`] ?? '';
    const reference: SecretReference = env === undefined ? { file } : { env };
    try {
      return await this.#ports.secret(reference);
    } catch (cause) {
      throw refused(`its '${key}' cannot be read`, cause);
    }
  }

  #apply(
    scheme: AuthenticationScheme,
    parameters: readonly string[],
    { url, headers }: Asked,
  ): Record<string, string> {
    const [first, second, server] = parameters;
    if (first === undefined || first === '') throw refused('its parameters are empty');
    if (scheme === 'bearer') return { ...headers, authorization: `Bearer ${checked(first)}` };
    if (second === undefined) throw refused('it wants a user and a secret with a comma between');
    if (scheme === 'basic') {
      const proof = Buffer.from(`${first}:${second}`, 'utf8').toString('base64');
      return { ...headers, authorization: `Basic ${proof}` };
    }
    const s3 = { accessKey: checked(first), secretKey: second, server: server ?? null };
    return signS3(url, headers, s3, this.#ports.nowMs());
  }

  async #fetch(secretId: string, signal: AbortSignal): Promise<string> {
    const { session, nowMs } = this.#ports;
    const known = this.#fetched.get(secretId);
    if (known !== undefined && known.untilMs > nowMs()) return known.text;
    if (session === null) throw refused('there is no cloud whose Barbican keeps its secret');
    const path = (endpoint: string) => new URL(`/v1/secrets/${secretId}/payload`, endpoint).href;
    const { answer } = await session.answer('key-manager', path, {
      signal,
      headers: { accept: 'text/plain' },
    });
    const text = new TextDecoder('utf-8').decode(answer.body.subarray(0, MAX_SECRET_LENGTH));
    this.#fetched.set(secretId, { text, untilMs: nowMs() + BARBICAN_MS });
    return text;
  }
}

function split(parameters: string): string[] {
  return parameters.split(',').map((part) => part.trim());
}

/** A secret that could not stand in a header would say so in an error that shows it. */
function checked(secret: string): string {
  if (/^[\x21-\x7e]+$/.test(secret)) return secret;
  throw refused('it holds a character that no header can');
}

function refused(why: string, cause?: unknown): NephoError {
  return new NephoError('unauthorised', `Cannot authenticate at an API: ${why}`, {
    retryable: true,
    cause,
  });
}
