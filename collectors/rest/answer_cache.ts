/** When an answer was asked for, and how long it may be used. */
interface Times {
  cycle: string;
  nowMs: number;
  keepMs: number;
}

interface Kept<Answer> {
  answer: Promise<Answer>;
  untilMs: number;
  /** The cycle that asked: what failed is not asked again within it. */
  cycle: string;
  failed: boolean;
}

/** Answers that are kept; the oldest goes first. */
const MAX_KEPT = 10_000;

/** Keeps answers for their time, and asks once for many who want the same at the same time. */
export class AnswerCache<Answer> {
  readonly #kept = new Map<string, Kept<Answer>>();

  async get(key: string, times: Times, ask: () => Promise<Answer>): Promise<Answer> {
    const known = this.#kept.get(key);
    if (known !== undefined && isUsable(known, times)) return await known.answer;
    const kept: Kept<Answer> = {
      answer: ask(),
      untilMs: times.nowMs + times.keepMs,
      cycle: times.cycle,
      failed: false,
    };
    kept.answer.catch(() => {
      kept.failed = true;
    });
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MAX_KEPT) break;
      this.#kept.delete(oldest);
    }
    return await kept.answer;
  }
}

function isUsable<Answer>(known: Kept<Answer>, { cycle, nowMs }: Times): boolean {
  return known.failed ? known.cycle === cycle : known.untilMs > nowMs;
}
