/** How long to wait before the next of several attempts. */
export interface BackoffOptions {
  firstMs: number;
  maxMs: number;
  /** From 0 to 1, random: so that many who wait do not come back together. */
  jitter: number;
}

/** Doubles from `firstMs` to `maxMs` with the number of failures (from 1), less up to a half of it. */
export function backoffMs(failures: number, options: BackoffOptions): number {
  const full = Math.min(options.maxMs, options.firstMs * 2 ** Math.min(failures - 1, 30));
  return Math.round(full * (1 - options.jitter / 2));
}
