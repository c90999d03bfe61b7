/** How long sealing an hour of 10,000 series takes, on PostgreSQL, with the rules that are shipped. */
import { readFile } from 'node:fs/promises';
import { insertWindowKeeper } from '../db/window_keepers.ts';
import type { MeterType } from '../meters/sample.ts';
import { formatMicros, toMicros } from '../meters/timestamp.ts';
import type { UsageRules } from '../meters/usage_rules.ts';
import { parseUsageRules } from '../meters/usage_rules_schema.ts';
import { WindowWorld, type WorldSample } from '../test/support/window_world.ts';

export interface SealBenchOptions {
  /** Of an empty database on the server to be measured. */
  databaseUrl: string;
  /** 10,000 unless given. */
  series?: number;
}

/** Half of the series are things that exist, a quarter are counters. */
const KINDS: readonly { meter: string; type: MeterType }[] = [
  { meter: 'memory', type: 'gauge' },
  { meter: 'vcpus', type: 'gauge' },
  { meter: 'cpu', type: 'cumulative' },
  { meter: 'memory.usage', type: 'gauge' },
];
const FIRST = '2026-10-05T20:00:00.000000Z';
const HOUR = 3_600_000_000n;
/** The last one ends a day, whose rollups are written with it. */
const HOURS = 4;
const READINGS_AN_HOUR = 4;
const BATCH = 5_000;
const RULES = new URL('../definitions/usage/usage.yaml', import.meta.url);

/** @returns seconds of the slowest hour that does not end a day, and of the one that does */
export async function benchSeal(
  { databaseUrl, series = 10_000 }: SealBenchOptions,
  say: (line: string) => void,
): Promise<{ seal_10k_s: number; seal_day_end_s: number }> {
  const world = await WindowWorld.on(databaseUrl, Date.parse('2026-10-06T01:00:00Z'), {
    span: { from: '2026-10-01T00:00:00.000000Z', to: '2026-11-01T00:00:00.000000Z' },
  });
  try {
    world.rules = await shippedRules();
    say(`making ${series * READINGS_AN_HOUR * HOURS} samples of ${series} series`);
    await fill(world, series);
    await world.pool.query('VACUUM ANALYZE');
    // Not with what the samples tell of the time before.
    await insertWindowKeeper(world.pool, 0, FIRST);
    const { scanned_to: size } = await world.revise();
    const seconds: number[] = [];
    for (let hour = 0n; hour < HOURS; hour += 1n) {
      const from = formatMicros(toMicros(FIRST) + hour * HOUR);
      const to = formatMicros(toMicros(FIRST) + (hour + 1n) * HOUR);
      const started = performance.now();
      const { windows } = await world.seal({ from, to, size });
      seconds.push((performance.now() - started) / 1_000);
      say(`sealed ${windows} windows of ${from} in ${seconds.at(-1)?.toFixed(2)} s`);
    }
    return {
      seal_10k_s: rounded(Math.max(...seconds.slice(0, -1))),
      seal_day_end_s: rounded(seconds.at(-1) ?? 0),
    };
  } finally {
    await world.stop();
  }
}

async function fill(world: WindowWorld, series: number): Promise<void> {
  const step = HOUR / BigInt(READINGS_AN_HOUR);
  for (let reading = 0; reading < HOURS * READINGS_AN_HOUR; reading += 1) {
    const at = toMicros(FIRST) + BigInt(reading) * step;
    for (let from = 0; from < series; from += BATCH) {
      const count = Math.min(BATCH, series - from);
      await world.append(
        Array.from({ length: count }, (_, n) => sampleOf(from + n, { reading, at })),
      );
    }
  }
}

function sampleOf(n: number, { reading, at }: { reading: number; at: bigint }): WorldSample {
  const { meter, type } = KINDS[n % KINDS.length] ?? { meter: 'memory', type: 'gauge' };
  return {
    origin: `${n}@${reading}`,
    meter,
    type,
    resource: `resource-${n}`,
    project: `project-${n % 50}`,
    at: formatMicros(at + BigInt(n * 1_000)),
    volume: type === 'cumulative' ? `${reading * 60_000_000_000 + n}` : `${(n % 64) + 1}`,
    metadata: {
      flavor: `m1.${n % 7}`,
      host: `compute-${n % 100}`,
      launched_at: '2026-10-05T20:00:00.000000',
    },
  };
}

async function shippedRules(): Promise<UsageRules> {
  const parsed = parseUsageRules(await readFile(RULES, 'utf8'));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
  return parsed.config;
}

function rounded(seconds: number): number {
  return Number(seconds.toFixed(3));
}
