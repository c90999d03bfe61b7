/** Failed authentications of one address before it has to wait, and the span they are counted over. */
export const MAX_FAILED_ATTEMPTS = 20;
export const ATTEMPTS_WINDOW_MS = 60_000;
/** Addresses remembered at once; beyond it the oldest are forgotten, so memory stays bounded. */
const MAX_ADDRESSES = 10_000;

interface Attempts {
  count: number;
  sinceMs: number;
}

/**
 * Counts failed authentications by address, so that guessing costs the guesser time and not the
 * database. Keys are far too long to be guessed; this keeps the noise down.
 */
export class FailedAttempts {
  readonly #byAddress = new Map<string, Attempts>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** True if the address has to wait. */
  isBlocked(address: string): boolean {
    const attempts = this.#current(address);
    return attempts !== undefined && attempts.count >= MAX_FAILED_ATTEMPTS;
  }

  record(address: string): void {
    const attempts = this.#current(address) ?? { count: 0, sinceMs: this.#now() };
    attempts.count += 1;
    this.#byAddress.delete(address);
    this.#byAddress.set(address, attempts);
    if (this.#byAddress.size > MAX_ADDRESSES) {
      const [oldest] = this.#byAddress.keys();
      if (oldest !== undefined) this.#byAddress.delete(oldest);
    }
  }

  #current(address: string): Attempts | undefined {
    const attempts = this.#byAddress.get(address);
    if (attempts === undefined || this.#now() - attempts.sinceMs < ATTEMPTS_WINDOW_MS) {
      return attempts;
    }
    this.#byAddress.delete(address);
    return undefined;
  }
}
