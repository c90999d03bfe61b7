/** Tells a person what is going on, on standard error: standard output is for results. */
import process from 'node:process';

/** Work shorter than this goes unmentioned. */
const SILENCE_MS = 2_000;
const EVERY_MS = 5_000;

export type Tell = (line: string) => void;

/** Writes one line to standard error. */
export const tell: Tell = (line) => {
  process.stderr.write(`${line}\n`);
};

export interface ProgressOptions {
  /** How long it should take, in seconds: told with the first line. */
  expectedSeconds?: number;
  /** What is known of the state, asked at each line. */
  detail?: () => string;
  say?: Tell;
}

/**
 * Runs `work`, and while it lasts longer than two seconds says so every five, with the time gone by:
 * `Building nats-server: 10 s of about 20 s`.
 */
export async function withProgress<T>(
  title: string,
  work: () => Promise<T>,
  options: ProgressOptions = {},
): Promise<T> {
  const { expectedSeconds, detail, say = tell } = options;
  const start = Date.now();
  const line = (): void => {
    const seconds = Math.round((Date.now() - start) / 1_000);
    const expected = expectedSeconds === undefined ? '' : ` of about ${expectedSeconds} s`;
    const more = detail?.() ?? '';
    say(`${title}: ${seconds} s${expected}${more === '' ? '' : `, ${more}`}`);
  };
  let timer: NodeJS.Timeout | undefined;
  const first = setTimeout(() => {
    line();
    timer = setInterval(line, EVERY_MS);
  }, SILENCE_MS);
  try {
    return await work();
  } finally {
    clearTimeout(first);
    clearInterval(timer);
  }
}
