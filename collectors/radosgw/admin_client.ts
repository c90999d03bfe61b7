import { NephoError } from '../../meters/errors.ts';
import { isJsonObject, type JsonValue } from '../../meters/json.ts';
import { createHttpClient } from '../http/create_http_client.ts';
import { DEFAULT_LIMITS, type HttpClient } from '../http/http_client.ts';
import { readJson } from '../openstack/json_answer.ts';
import { signS3 } from '../rest/s3_signature.ts';
import type { ReadSecret, SecretReference } from '../secret_reference.ts';
import type { RadosgwSettings } from './settings_schema.ts';

export interface RadosgwDeps {
  readonly secret: ReadSecret;
  /** The text of a file. */
  readonly readText: (path: string) => Promise<string>;
  /** The present, milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Called for each request that is made. */
  readonly onRequest?: () => void;
}

/** Asks the admin operations of a Ceph Object Gateway, signed as by S3. */
export class AdminClient {
  readonly #settings: RadosgwSettings;
  readonly #deps: RadosgwDeps;
  #client: Promise<HttpClient> | null = null;

  constructor(settings: RadosgwSettings, deps: RadosgwDeps) {
    this.#settings = settings;
    this.#deps = deps;
  }

  /**
   * What the gateway tells of the user that stands for a project; null if it knows none.
   *
   * @param operation `bucket` or `usage`
   * @throws {NephoError} as `HttpClient`, and `parse_error`
   */
  async ofProject(
    operation: 'bucket' | 'usage',
    project: string,
    signal: AbortSignal,
  ): Promise<JsonValue> {
    const { url: base, implicit_tenants: isImplicit } = this.#settings;
    const url = new URL(`${base.replace(/\/+$/, '')}/admin/${operation}`);
    url.searchParams.set('uid', isImplicit ? `${project}$${project}` : project);
    if (operation === 'bucket') url.searchParams.set('stats', 'true');
    const client = await this.#open();
    const headers = await this.#signed(url);
    const answer = await client.request({ url: url.href, headers }, { signal, accept: [404] });
    const value = readJson(url.href, answer);
    if (answer.status !== 404) return value;
    // Any other 404 is a wrong URL, or a gateway without its admin operations.
    if (isJsonObject(value) && value['Code'] === 'NoSuchUser') return null;
    throw new NephoError(
      'service_absent',
      `Cannot read '${url.origin}${url.pathname}': it is not there; correct 'url', or enable the gateway's admin API`,
    );
  }

  async close(): Promise<void> {
    const client = await this.#client?.catch(() => null);
    this.#client = null;
    await client?.close();
  }

  async #signed(url: URL): Promise<Record<string, string>> {
    const { secret, nowMs } = this.#deps;
    const accessKey = await secret(reference(this.#settings, 'access_key'));
    const secretKey = await secret(reference(this.#settings, 'secret_key'));
    const headers = { accept: 'application/json' };
    return signS3(url, headers, { accessKey, secretKey, server: null }, nowMs());
  }

  #open(): Promise<HttpClient> {
    this.#client ??= this.#connect().catch((cause: unknown) => {
      this.#client = null;
      throw cause;
    });
    return this.#client;
  }

  async #connect(): Promise<HttpClient> {
    const { ca_file: file, concurrency, timeout } = this.#settings;
    const { nowMs, onRequest, readText } = this.#deps;
    const limits = {
      ...DEFAULT_LIMITS,
      concurrency: concurrency ?? DEFAULT_LIMITS.concurrency,
      timeoutMs: timeout === undefined ? DEFAULT_LIMITS.timeoutMs : timeout * 1_000,
    };
    const caCertificate = file === undefined ? null : await readText(file);
    return createHttpClient({
      limitsOf: () => limits,
      nowMs,
      ...(onRequest === undefined ? {} : { onRequest }),
      ...(caCertificate === null ? {} : { caCertificate }),
    });
  }
}

function reference(settings: RadosgwSettings, key: 'access_key' | 'secret_key'): SecretReference {
  const env = settings[`${key}_env`];
  return env === undefined ? { file: settings[`${key}_file`] ?? '' } : { env };
}
