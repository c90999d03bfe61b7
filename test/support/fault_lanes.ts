import { type FaultServers, needsTemporal, runFaultSeed } from './fault_scenarios.ts';
import { FaultTemporal } from './fault_temporal.ts';
import { makeTemplate } from './fault_world.ts';
import { startPostgres } from './postgres.ts';

export interface FaultLanes {
  /** By seed: what is wrong after its scenario, see {@link runFaultSeed}. */
  readonly outcomes: ReadonlyMap<number, Promise<string[]>>;
  /** Waits for what runs, and stops the servers. */
  stop(): Promise<void>;
}

/**
 * Runs the scenarios of seeds in two lanes, for most of them wait more than they compute: those with
 * Temporal one after the other, the rest beside them.
 */
export async function startFaultLanes(seeds: readonly number[]): Promise<FaultLanes> {
  const [postgres, temporal] = await Promise.all([
    startPostgres({ fsync: false }),
    FaultTemporal.start(),
  ]);
  const servers: FaultServers = { postgres, temporal, template: await makeTemplate(postgres) };
  const outcomes = new Map<number, Promise<string[]>>();
  const settle = new Map<number, (outcome: Promise<string[]>) => void>();
  for (const seed of seeds) {
    const outcome = new Promise<string[]>((resolve) => settle.set(seed, resolve));
    // Whoever asks for it meets its failure; it may fail before it is asked for.
    outcome.catch(() => {});
    outcomes.set(seed, outcome);
  }
  const others = seeds.filter((seed) => !needsTemporal(seed));
  const lane = async (own: number[]): Promise<void> => {
    for (let seed = own.shift() ?? others.shift(); seed !== undefined;) {
      const running = runFaultSeed(seed, servers);
      settle.get(seed)?.(running);
      await running.catch(() => {});
      seed = own.shift() ?? others.shift();
    }
  };
  const lanes = Promise.all([lane(seeds.filter(needsTemporal)), lane([])]);
  return {
    outcomes,
    stop: async () => {
      await lanes;
      await temporal.stop();
      await postgres.stop();
    },
  };
}
