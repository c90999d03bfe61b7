import type { GapReason } from '../../meters/poll_gap.ts';

const AGAIN_AFTER_MS = 3_600_000;
const MOST = 100_000;
const PERMANENT: ReadonlySet<GapReason> = new Set(['forbidden', 'request_refused']);

interface Entry {
  reason: GapReason;
  detail: string;
  untilMs: number;
}

/**
 * Units whose pollster met a permanent error: not asked again for an hour, and reported in every cycle
 * meanwhile. One per source; forgotten with the process, which costs one more request.
 */
export class SetAside {
  readonly #entries = new Map<string, Entry>();

  /** Remembers a unit if its error is a permanent one. */
  note(pollster: string, unit: string, failure: Omit<Entry, 'untilMs'>, nowMs: number): void {
    if (!PERMANENT.has(failure.reason)) return;
    if (this.#entries.size >= MOST) this.#dropOldest();
    this.#entries.set(`${pollster} ${unit}`, { ...failure, untilMs: nowMs + AGAIN_AFTER_MS });
  }

  /** Why a unit is left alone, or null. */
  get(pollster: string, unit: string, nowMs: number): Entry | null {
    if (this.#entries.size === 0) return null;
    const key = `${pollster} ${unit}`;
    const entry = this.#entries.get(key);
    if (entry === undefined) return null;
    if (entry.untilMs > nowMs) return entry;
    this.#entries.delete(key);
    return null;
  }

  #dropOldest(): void {
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }
}
