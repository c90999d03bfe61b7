/** What ingest needs to run in a test or a benchmark, on real servers. */
import { readdir, readFile } from 'node:fs/promises';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Pool } from 'pg';
import { DefinitionSource } from '../../activities/definition_source.ts';
import type { IngestDeps } from '../../activities/ingest_deps.ts';
import type { SampleSignaturePolicy } from '../../activities/sample_signatures.ts';
import { openIntakePuller } from '../../bus/puller.ts';
import { DEFAULT_KEY_OVERLAP_MS } from '../../ledger/key_entry.ts';
import { createSigner } from '../../ledger/signer.ts';
import type { DefinitionFile } from '../../meters/definition_compile.ts';

export const TEST_DEPLOYMENT = 'nepho.test';

const SHIPPED = new URL('../../definitions/', import.meta.url);

export interface IngestSetup {
  pool: Pool;
  nats: NatsConnection;
  /** PKCS#8 PEM, see `generateSigningKey`. */
  signingKey: string;
  /** The shipped definitions unless given. */
  readDefinitions?: () => Promise<readonly DefinitionFile[]>;
  holder?: string;
  /** Samples of Ceilometer's agents are refused unless given. */
  sampleSignatures?: SampleSignaturePolicy;
}

export function ingestDeps(setup: IngestSetup): IngestDeps {
  return {
    pool: setup.pool,
    openPuller: (shard) => openIntakePuller(setup.nats, shard),
    trimIntake: async () => {},
    signers: [createSigner(TEST_DEPLOYMENT, setup.signingKey)],
    keyChange: { overlapMs: DEFAULT_KEY_OVERLAP_MS, unendorsedKey: null },
    sampleSignatures: setup.sampleSignatures ?? { secrets: [], acceptUnsigned: false },
    definitions: new DefinitionSource({
      pool: setup.pool,
      read: setup.readDefinitions ?? shippedDefinitions,
      nowMs: Date.now,
    }),
    archives: null,
    deployment: TEST_DEPLOYMENT,
    source: 'openstack',
    holder: setup.holder ?? `test:${process.pid}`,
    nowMs: Date.now,
    log: { info: () => {}, warn: () => {}, error: () => {} },
    metrics: {
      batchStored: () => {},
      intakePending: () => {},
      stages: () => {},
      definitionsRefused: () => {},
    },
  };
}

export async function shippedDefinitions(): Promise<DefinitionFile[]> {
  const names = (await readdir(SHIPPED)).filter((name) => name.endsWith('.yaml')).sort();
  return await Promise.all(names.map(async (name) => ({
    name,
    text: await readFile(new URL(name, SHIPPED), 'utf8'),
  })));
}
