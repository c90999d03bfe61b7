import { CollectorRegistry } from '../../collectors/polling/registry.ts';
import { runCycle } from '../../collectors/polling/run_cycle.ts';
import type { CyclePorts, CycleReceipt, CycleSource } from '../../collectors/polling/run_cycle.ts';
import type { Collector, Pollster, Unit } from '../../collectors/polling/pollster.ts';
import { createSourceMemory, type SourceMemory } from '../../collectors/polling/source_memory.ts';
import { compileMeterPatterns } from '../../meters/meter_patterns.ts';
import type { PollHead } from '../../meters/poll_message.ts';
import type { Reading } from '../../meters/sample.ts';

const EVERY_METER = compileMeterPatterns(['*']);

/** A collector over things in memory: `units` are listed, `read` gives the readings of one. */
export function memoryCollector(
  units: () => readonly Unit[] | Promise<readonly Unit[]>,
  pollsters: readonly (Omit<Pollster, 'discovery'>)[],
): Collector {
  return {
    name: 'memory',
    discoveries: [{
      name: 'things',
      async *discover() {
        yield await units();
      },
    }],
    pollsters: pollsters.map((pollster) => ({ ...pollster, discovery: 'things' })),
    close: () => Promise.resolve(),
  };
}

export function readingOf(
  reading: Partial<Reading> & Pick<Reading, 'meter' | 'resource_id' | 'timestamp'>,
): Reading {
  return {
    type: 'gauge',
    unit: 'thing',
    volume: '1',
    project_id: 'p1',
    user_id: null,
    metadata: {},
    ...reading,
  };
}

export interface PollOptions {
  source?: Partial<CycleSource>;
  memory?: SourceMemory;
  signal?: AbortSignal;
  isOurs?: CyclePorts['isOurs'];
  lastDiscovered?: CyclePorts['lastDiscovered'];
  isStopping?: () => boolean;
  nowMs?: () => number;
}

/** One cycle of a collector, its messages handed to `publish`. */
export async function pollOnce(
  head: PollHead,
  collector: Collector,
  publish: (message: Uint8Array) => Promise<void>,
  options: PollOptions = {},
): Promise<CycleReceipt> {
  return await runCycle(head, {
    selection: EVERY_METER,
    named: [],
    discovery: [],
    resources: [],
    concurrency: 4,
    expect: [],
    fromHistory: false,
    ...options.source,
  }, {
    registry: new CollectorRegistry([collector]),
    memory: options.memory ?? createSourceMemory(),
    isOurs: options.isOurs ?? (() => true),
    lastDiscovered: options.lastDiscovered ?? (() => null),
    requests: () => 0,
    nowMs: options.nowMs ?? (() => Date.parse(head.cycle)),
    signal: options.signal ?? new AbortController().signal,
    isStopping: options.isStopping ?? (() => false),
    publish,
  });
}
