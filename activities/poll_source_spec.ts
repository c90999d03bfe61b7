import { z } from 'zod';
import type { CycleSource } from '../collectors/polling/run_cycle.ts';
import type { PollSource } from '../db/poll_sources.ts';
import { NephoError } from '../meters/errors.ts';
import { compileMeterPatterns } from '../meters/meter_patterns.ts';
import type { SourceSpec } from '../meters/polling_config.ts';

/** What the store keeps of a source, as `sources.apply` checked it. */
const storedSpec = z.object({
  meters: z.array(z.string()),
  resources: z.array(z.string()),
  discovery: z.array(z.object({ name: z.string(), parameter: z.string() })),
  groups: z.int().min(1),
  concurrency: z.int().min(1),
  expect: z.array(z.object({ meter: z.string(), at_least: z.int() })),
});

/** What a source in force asks of a cycle. @throws {NephoError} `source_invalid` */
export function cycleSource(source: PollSource, fromHistory: boolean): CycleSource {
  const spec = storedSpec.safeParse(source.spec);
  if (!spec.success) throw invalid(source, spec.error);
  const expect = spec.data.expect.map(({ meter, at_least }) => ({ meter, atLeast: at_least }));
  return cycleSourceOf({ ...spec.data, expect }, fromHistory);
}

/** The same of a source as polling.yaml has it. */
export function cycleSourceOf(
  spec: Omit<SourceSpec, 'name' | 'cloud' | 'intervalSeconds' | 'place'>,
  fromHistory: boolean,
): CycleSource {
  const { meters, resources, discovery, concurrency, expect, groups } = spec;
  return {
    selection: compileMeterPatterns(meters),
    named: meters.filter(isName),
    resources,
    discovery,
    concurrency,
    // A group sees its own share alone, which says nothing about the whole.
    expect: groups === 1 ? expect : [],
    fromHistory,
  };
}

/** The meters that a source names without a wildcard. */
export function namedMeters(source: PollSource): string[] {
  const spec = storedSpec.safeParse(source.spec);
  if (!spec.success) return [];
  return spec.data.meters.filter(isName);
}

/** No pattern and no exclusion. */
function isName(meter: string): boolean {
  return /^[^!*?[]+$/.test(meter);
}

function invalid(source: PollSource, cause: Error): NephoError {
  return new NephoError(
    'source_invalid',
    `Cannot read the source '${source.name}' of '${source.cloud}' as it is stored: run 'nepho sources apply' again`,
    { cause },
  );
}
