export interface Timing {
  median: number;
  /** Of the slowest of the quickest 95 % of rounds. */
  p95: number;
}

/** Milliseconds that some work takes, to a tenth, after a round that does not count. */
export async function timed(rounds: number, work: () => Promise<unknown>): Promise<Timing> {
  await work();
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const started = performance.now();
    await work();
    times.push(performance.now() - started);
  }
  times.sort((a, b) => a - b);
  const at = (part: number): number =>
    Number((times[Math.max(Math.ceil(rounds * part) - 1, 0)] ?? 0).toFixed(1));
  return { median: at(0.5), p95: at(0.95) };
}
