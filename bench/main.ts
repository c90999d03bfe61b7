/** `npm run bench -- NAME [options] [--json]`: prints its figures; the last line is JSON with --json. */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { benchIngest } from './ingest.ts';
import { benchPolling } from './polling.ts';
import { benchQuery } from './query.ts';
import { benchRead } from './read.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    notifications: { type: 'string', default: '25000' },
    waves: { type: 'string', default: '3' },
    shards: { type: 'string', default: '2' },
    workers: { type: 'string', default: '1' },
    samples: { type: 'string', default: '1000000' },
    instances: { type: 'string', default: '10000' },
    cycles: { type: 'string', default: '3' },
    interval: { type: 'string', default: '60' },
    days: { type: 'string', default: '30' },
    series: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '60' },
  },
});

const BENCHES: Record<string, () => Promise<object>> = {
  ingest: () =>
    benchIngest({
      notifications: Number(values.notifications),
      waves: Number(values.waves),
      shards: Number(values.shards),
      workers: Number(values.workers),
    }, say),
  polling: () =>
    benchPolling({
      instances: Number(values.instances),
      cycles: Number(values.cycles),
      intervalSeconds: Number(values.interval),
    }, say),
  query: () =>
    benchQuery({
      days: Number(values.days),
      series: Number(values.series),
      rounds: Number(values.rounds),
    }, say),
  read: () => benchRead({ samples: Number(values.samples) }, say),
};

const bench = BENCHES[positionals[0] ?? ''];
if (bench === undefined) {
  process.stderr.write(`Name a benchmark: ${Object.keys(BENCHES).join(', ')}\n`);
  process.exitCode = 2;
} else {
  const figures = await bench();
  if (values.json) process.stdout.write(`${JSON.stringify(figures)}\n`);
  else for (const [name, value] of Object.entries(figures)) say(`${name}: ${value}`);
}

/** Progress goes to standard error when the result is for a program. */
function say(line: string): void {
  (values.json ? process.stderr : process.stdout).write(`${line}\n`);
}
