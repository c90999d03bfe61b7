/**
 * Does work with a signal that is aborted when its time is up, or with `stop`. Unlike with
 * `AbortSignal.timeout` no timer is left behind, which keeps Deno from ending.
 */
export async function withTimeLimit<Result>(
  { milliseconds, stop }: { milliseconds: number; stop: AbortSignal },
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const control = new AbortController();
  const abort = (): void => control.abort();
  const timer = setTimeout(abort, milliseconds);
  stop.addEventListener('abort', abort, { once: true });
  if (stop.aborted) abort();
  try {
    return await work(control.signal);
  } finally {
    clearTimeout(timer);
    stop.removeEventListener('abort', abort);
  }
}
