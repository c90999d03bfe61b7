/**
 * Leaves an endpoint alone for a while after failures in a row. When the while is over one request may
 * try; its success closes the circuit, its failure opens it again.
 */
export class CircuitBreaker {
  readonly #failuresAllowed: number;
  readonly #openMs: number;
  readonly #clockMs: () => number;
  #failures = 0;
  #openUntilMs: number | null = null;
  #trying = false;

  /** @param clockMs milliseconds that never go back */
  constructor(options: { failures: number; openMs: number; clockMs: () => number }) {
    this.#failuresAllowed = options.failures;
    this.#openMs = options.openMs;
    this.#clockMs = options.clockMs;
  }

  /**
   * Asks to make a request. Null if it may be made, and then {@link succeed}, {@link fail} or
   * {@link abandon} must follow; otherwise the milliseconds for which the endpoint is still left alone.
   */
  refusedForMs(): number | null {
    if (this.#openUntilMs === null) return null;
    const restMs = this.#openUntilMs - this.#clockMs();
    if (restMs > 0) return restMs;
    if (this.#trying) return 0;
    this.#trying = true;
    return null;
  }

  succeed(): void {
    this.#failures = 0;
    this.#openUntilMs = null;
    this.#trying = false;
  }

  fail(): void {
    this.#failures += 1;
    this.#trying = false;
    if (this.#failures >= this.#failuresAllowed) this.#openUntilMs = this.#clockMs() + this.#openMs;
  }

  /** The request ended without telling anything about the endpoint. */
  abandon(): void {
    this.#trying = false;
  }
}
