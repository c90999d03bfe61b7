/** Wires what polls: the file, the collectors of each cloud, the intake, the database. */
import path from 'node:path';
import type { NatsConnection } from '@nats-io/nats-core';
import type { CloudCollectors, PollDeps } from '../activities/poll_deps.ts';
import type { PollingInForce, PollingSource } from '../activities/polling_source.ts';
import { createSourceMemory, type SourceMemory } from '../collectors/polling/source_memory.ts';
import type { Database } from '../db/client.ts';
import {
  collectorFaults,
  type CollectorSetOptions,
  createCollectors,
  type OwnedCollectors,
} from './collector_set.ts';
import { openStackEnvironment, type Settings } from './env.ts';
import { structuredLog } from './ingest_worker.ts';
import { pollPublisher } from './poll_publisher.ts';
import { findPollingFile, pollingSourceOf, secretResolver } from './polling_files.ts';

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

/** What a worker remembers of its sources. */
export function sourceMemories(): (cloud: string, source: string) => SourceMemory {
  const memories = new Map<string, SourceMemory>();
  return (cloud, source) => {
    const key = JSON.stringify([cloud, source]);
    let memory = memories.get(key);
    if (memory === undefined) memories.set(key, memory = createSourceMemory());
    return memory;
  };
}

export async function pollDeps(
  parts: { db: Database; nats: NatsConnection; clouds: CloudSet },
): Promise<PollDeps> {
  return {
    pool: parts.db.pool,
    publish: await pollPublisher(parts.nats),
    collectors: (cloud) => parts.clouds.of(cloud),
    memory: sourceMemories(),
    nowMs: Date.now,
    log: structuredLog('poller'),
  };
}
