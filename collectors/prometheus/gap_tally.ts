import type { GapReason } from '../../meters/poll_gap.ts';

interface Tally {
  meter: string;
  reason: GapReason;
  detail: string;
  count: number;
}

/** Gaps by meter and reason: a page may have thousands of series that all lack the same. */
export class GapTally {
  readonly #tallies = new Map<string, Tally>();

  add(meter: string, reason: GapReason, detail: string): void {
    const key = `${reason} ${meter}`;
    const tally = this.#tallies.get(key);
    if (tally === undefined) this.#tallies.set(key, { meter, reason, detail, count: 1 });
    else tally.count += 1;
  }

  /** One gap each, with the words of the first and how many others there are. */
  list(): { meter: string; reason: GapReason; detail: string }[] {
    return [...this.#tallies.values()].map(({ meter, reason, detail, count }) => ({
      meter,
      reason,
      detail: count === 1 ? detail : `${count} times, first ${detail}`,
    }));
  }
}
