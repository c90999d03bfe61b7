/**
 * Calls back when a signal is aborted, with one listener on each signal however many wait for it:
 * thousands of requests share the signal of their cycle, and removing a listener takes a walk over all.
 */
export class AbortWatch {
  readonly #callbacks = new WeakMap<AbortSignal, Set<() => void>>();

  /** A signal that is aborted already calls nothing back. */
  add(signal: AbortSignal, callback: () => void): void {
    const known = this.#callbacks.get(signal);
    if (known !== undefined) {
      known.add(callback);
      return;
    }
    const callbacks = new Set([callback]);
    this.#callbacks.set(signal, callbacks);
    signal.addEventListener('abort', () => {
      for (const each of callbacks) each();
    }, { once: true });
  }

  remove(signal: AbortSignal, callback: () => void): void {
    this.#callbacks.get(signal)?.delete(callback);
  }
}
