/** The polling.yaml that this process goes by, and the collectors of its clouds. */
import path from 'node:path';
import type { CloudCollectors } from '../activities/poll_deps.ts';
import type { PollingInForce, PollingSource } from '../activities/polling_source.ts';
import {
  collectorFaults,
  type CollectorSetOptions,
  createCollectors,
  type OwnedCollectors,
} from './collector_set.ts';
import { openStackEnvironment, type Settings } from './env.ts';
import { findPollingFile, pollingSourceOf } from './polling_files.ts';
import { secretResolver } from './secret_files.ts';

/** The polling.yaml in force, its collectors' settings checked too. */
export function pollingFileOf(settings: Settings): PollingSource {
  return pollingSourceOf(settings.pollingFiles, {
    check: async (config) => collectorFaults(config, await collectorOptions(settings)),
  });
}

/** The collectors of the clouds, kept from cycle to cycle until the file changes. */
export class CloudSet {
  readonly #settings: Settings;
  readonly #source: PollingSource;
  #config: PollingInForce | null = null;
  #clouds = new Map<string, Promise<OwnedCollectors>>();

  constructor(settings: Settings, source: PollingSource) {
    this.#settings = settings;
    this.#source = source;
  }

  /** @throws {NephoError} `polling_faulty`, `polling_file_missing`, `cloud_unknown`, `name_taken` */
  async of(cloud: string): Promise<CloudCollectors> {
    const config = await this.#source.current();
    if (config.digest !== this.#config?.digest) await this.#replace(config);
    let collectors = this.#clouds.get(cloud);
    if (collectors === undefined) {
      collectors = this.#create(config, cloud);
      this.#clouds.set(cloud, collectors);
      // What failed is tried again at the next cycle: a secret may be there by then.
      collectors.catch(() => this.#clouds.delete(cloud));
    }
    return await collectors;
  }

  async close(): Promise<void> {
    const clouds = [...this.#clouds.values()];
    this.#clouds = new Map();
    for (const cloud of clouds) await (await cloud.catch(() => null))?.close();
  }

  async #replace(config: PollingInForce): Promise<void> {
    this.#config = config;
    await this.close();
  }

  async #create({ config }: PollingInForce, cloud: string): Promise<OwnedCollectors> {
    return await createCollectors(config, cloud, await collectorOptions(this.#settings));
  }
}

async function collectorOptions(settings: Settings): Promise<CollectorSetOptions> {
  const base = path.dirname(await findPollingFile(settings.pollingFiles));
  return {
    base,
    secret: secretResolver({ baseDir: base }),
    openStackEnvironment: openStackEnvironment(),
    nowMs: Date.now,
  };
}
