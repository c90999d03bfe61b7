/**
 * A map that is trimmed to `limit` entries, oldest first, when its user says so: never in the middle of a
 * batch, whose parts rely on what they found.
 */
export class BoundedCache<Key, Value> {
  readonly #limit: number;
  readonly #entries = new Map<Key, Value>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: Key): Value | undefined {
    return this.#entries.get(key);
  }

  set(key: Key, value: Value): void {
    this.#entries.set(key, value);
  }

  /** Forgets the oldest entries above the limit, and a tenth more so that it need not be done soon. */
  trim(): void {
    if (this.#entries.size <= this.#limit) return;
    let surplus = this.#entries.size - Math.floor(this.#limit * 0.9);
    for (const oldest of this.#entries.keys()) {
      if (surplus <= 0) return;
      this.#entries.delete(oldest);
      surplus -= 1;
    }
  }
}
