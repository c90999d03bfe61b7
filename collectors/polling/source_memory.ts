import { CounterMemory } from './counter_memory.ts';
import { SeenMeters } from './cycle_record.ts';
import { SetAside } from './set_aside.ts';

/** What a worker remembers of a source from one cycle to the next; nothing depends on it but comfort. */
export interface SourceMemory {
  readonly setAside: SetAside;
  readonly counters: CounterMemory;
  readonly seenMeters: SeenMeters;
}

export function createSourceMemory(): SourceMemory {
  return {
    setAside: new SetAside(),
    counters: new CounterMemory(),
    seenMeters: new SeenMeters(),
  };
}
