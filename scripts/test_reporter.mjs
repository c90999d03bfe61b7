// A reporter of Node's test runner for scripts/test_runtimes.ts: one JSON line for each finished test.
// Plain JavaScript: the runner loads it before any loader is there.

/** @param {AsyncIterable<{ type: string, data: Record<string, any> }>} source */
export default async function* reportLines(source) {
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    if (data.details?.type === 'suite') continue;
    const skipped = data.skip !== undefined || data.todo !== undefined;
    yield `${
      JSON.stringify({
        name: data.name,
        file: data.file ?? null,
        outcome: skipped ? 'skipped' : type === 'test:pass' ? 'passed' : 'failed',
        reason: typeof data.skip === 'string' ? data.skip : null,
      })
    }\n`;
  }
}
