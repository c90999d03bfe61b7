/** Where a leg's time goes. `database` and `pull` overlap with the others. */
export const STAGES = [
  'pull',
  'decode',
  'dictionaries',
  'hash',
  'sign',
  'database',
  'ack',
] as const;
export type Stage = (typeof STAGES)[number];

/** Adds up the milliseconds spent in each stage. */
export class StageClock {
  readonly #now: () => number;
  readonly #milliseconds: Record<Stage, number> = {
    pull: 0,
    decode: 0,
    dictionaries: 0,
    hash: 0,
    sign: 0,
    database: 0,
    ack: 0,
  };

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  time<Result>(stage: Stage, work: () => Result): Result {
    const start = this.#now();
    try {
      return work();
    } finally {
      this.#milliseconds[stage] += this.#now() - start;
    }
  }

  async timeAsync<Result>(stage: Stage, work: () => Promise<Result>): Promise<Result> {
    const start = this.#now();
    try {
      return await work();
    } finally {
      this.#milliseconds[stage] += this.#now() - start;
    }
  }

  add(stage: Stage, milliseconds: number): void {
    this.#milliseconds[stage] += milliseconds;
  }

  totals(): Readonly<Record<Stage, number>> {
    return { ...this.#milliseconds };
  }
}
