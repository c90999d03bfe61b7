import { isNephoError, NephoError } from '../../meters/errors.ts';
import type { Token } from './keystone_login.ts';

export interface TokenKeeperOptions {
  cloud: string;
  /** Reads the password or its like. */
  secret: () => Promise<string>;
  login: (secret: string) => Promise<Token>;
  /** Milliseconds that never go back. */
  clockMs: () => number;
}

interface Kept {
  token: Token;
  sinceMs: number;
  renewAtMs: number;
  expiresAtMs: number;
}

interface Refusal {
  secret: string;
  times: number;
  untilMs: number;
}

/** A token is renewed this long before its end, or when a tenth of a short life is left. */
const MARGIN_MS = 300_000;
/** A renewal that failed for want of a Keystone is not tried again at once. */
const RENEW_AGAIN_MS = 30_000;
const TOO_NEW_MS = 30_000;
const FIRST_REST_MS = 300_000;
const LONGEST_REST_MS = 3_600_000;

/**
 * Keeps one token for all who ask. After Keystone has refused the credentials nobody tries them again
 * for 5 minutes, then 10, 20, 40, 60: Keystone locks accounts. A changed secret is tried at once.
 */
export class TokenKeeper {
  readonly #options: TokenKeeperOptions;
  #kept: Kept | null = null;
  #underWay: Promise<Token> | null = null;
  #refusal: Refusal | null = null;

  constructor(options: TokenKeeperOptions) {
    this.#options = options;
  }

  /** @throws {NephoError} `unauthorised`, or why Keystone could not be asked */
  token(): Token | Promise<Token> {
    const kept = this.#kept;
    if (kept !== null && this.#options.clockMs() < kept.renewAtMs) return kept.token;
    this.#underWay ??= this.#renew().finally(() => this.#underWay = null);
    return this.#underWay;
  }

  /**
   * A service refused this token. It is not given out again, unless it is so new that another would
   * fare no better: then the service itself is at fault, and Keystone is not to suffer for it.
   */
  reject(token: Token): void {
    const kept = this.#kept;
    if (kept?.token !== token) return;
    if (this.#options.clockMs() - kept.sinceMs >= TOO_NEW_MS) this.#kept = null;
  }

  /** Whether this is the token that the next who asks will get. */
  holds(token: Token): boolean {
    return this.#kept?.token === token;
  }

  async #renew(): Promise<Token> {
    try {
      return await this.#login();
    } catch (error) {
      const kept = this.#kept;
      const nowMs = this.#options.clockMs();
      if (kept === null || nowMs >= kept.expiresAtMs || !isNephoError(error)) throw error;
      if (error.code === 'unauthorised') throw error;
      kept.renewAtMs = Math.min(nowMs + RENEW_AGAIN_MS, kept.expiresAtMs);
      return kept.token;
    }
  }

  async #login(): Promise<Token> {
    const secret = await this.#options.secret();
    const askedMs = this.#options.clockMs();
    const refusal = this.#refusal;
    if (refusal !== null && refusal.secret === secret && askedMs < refusal.untilMs) {
      throw this.#refused(refusal.untilMs - askedMs, null);
    }
    try {
      const token = await this.#options.login(secret);
      const marginMs = Math.min(MARGIN_MS, token.lifetimeMs / 10);
      const expiresAtMs = askedMs + token.lifetimeMs;
      this.#refusal = null;
      this.#kept = { token, sinceMs: askedMs, renewAtMs: expiresAtMs - marginMs, expiresAtMs };
      return token;
    } catch (error) {
      if (!isNephoError(error) || error.code !== 'unauthorised') throw error;
      throw this.#refused(this.#rest(secret), error);
    }
  }

  /** Notes the refusal. Returns for how long nobody tries again, in milliseconds. */
  #rest(secret: string): number {
    const times = this.#refusal?.secret === secret ? this.#refusal.times + 1 : 1;
    const restMs = Math.min(FIRST_REST_MS * 2 ** (times - 1), LONGEST_REST_MS);
    this.#refusal = { secret, times, untilMs: this.#options.clockMs() + restMs };
    return restMs;
  }

  #refused(restMs: number, cause: NephoError | null): NephoError {
    const { cloud } = this.#options;
    const seconds = Math.ceil(restMs / 1_000);
    return new NephoError(
      'unauthorised',
      `Cannot log in to cloud '${cloud}': Keystone refuses the credentials; they are not tried again for ${seconds} s, lest it locks the account, unless the secret changes`,
      {
        retryable: true,
        context: { cloud, rest_s: seconds },
        ...(cause === null ? {} : { cause }),
      },
    );
  }
}
