/** Second attempts that each first attempt pays for. */
const SHARE = 0.1;
/** What may be saved up, and what a new endpoint has. */
const MOST = 10;

/**
 * Allows second attempts for a tenth of the requests, and ten at once: a blip is cured, while an
 * endpoint that fails altogether gets hardly more requests than one that works.
 */
export class RetryBudget {
  #saved = MOST;

  /** A first attempt is made. */
  earn(): void {
    this.#saved = Math.min(MOST, this.#saved + SHARE);
  }

  /** True if a further attempt may be made: it is paid for. */
  spend(): boolean {
    if (this.#saved < 1) return false;
    this.#saved -= 1;
    return true;
  }
}
