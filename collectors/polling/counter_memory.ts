import { compareQuantities, parseQuantity } from '../../meters/quantity.ts';

const MOST = 500_000;
const WHOLE = /^\d+$/;

/**
 * The last value of each cumulative counter that this process has seen, to tell when one went back. A
 * restart forgets: resets across it are found when windows are closed.
 */
export class CounterMemory {
  readonly #last = new Map<string, string>();

  /** @param volume canonical decimal @returns true if the counter is lower than before */
  wentBack(meter: string, resource: string, volume: string): boolean {
    const key = `${meter} ${resource}`;
    const before = this.#last.get(key);
    if (before === undefined && this.#last.size >= MOST) return false;
    this.#last.set(key, volume);
    return before !== undefined && isLess(volume, before);
  }
}

/** Canonical whole numbers are in the order of their lengths, then of their texts. */
function isLess(left: string, right: string): boolean {
  if (!WHOLE.test(left) || !WHOLE.test(right)) {
    return compareQuantities(parseQuantity(left), parseQuantity(right)) < 0;
  }
  return left.length === right.length ? left < right : left.length < right.length;
}
