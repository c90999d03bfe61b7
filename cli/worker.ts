import type { Command } from 'commander';
import { Registry } from 'prom-client';
import { loadSigners } from '../ledger/key_file.ts';
import { readSettings, type Settings } from './env.ts';
import { type IngestWorkerConfig, startIngestWorker } from './ingest_worker.ts';
import { configureLogging } from './logging.ts';
import { requireSettings } from './required_settings.ts';
import { announceReady, endOfService } from './signals.ts';

export function register(program: Command): void {
  program.command('worker')
    .description('bring the intake into the signed logs: the Temporal worker')
    .action(work);
}

async function work(): Promise<void> {
  const settings = requireSettings(readSettings(), 'nepho worker', [
    'databaseUrl',
    'natsUrl',
    'temporalAddress',
  ]);
  await configureLogging(settings, 'worker');
  const end = endOfService();
  const worker = await startIngestWorker(await workerConfig(settings, new Registry()));
  announceReady({ shards: settings.shards });
  // A worker that fails ends the process with its sentence; whoever supervises it starts another.
  await Promise.race([end.asked, worker.ended]);
  await worker.stop();
  end.dispose();
}

/** @throws {NephoError} `signing_key_missing` and the other codes of `loadSigners` */
export async function workerConfig(
  settings: Settings & { databaseUrl: string; natsUrl: string; temporalAddress: string },
  registry: Registry,
): Promise<IngestWorkerConfig> {
  return {
    databaseUrl: settings.databaseUrl,
    natsUrl: settings.natsUrl,
    natsCredentialsFile: settings.natsCredentialsFile,
    temporalAddress: settings.temporalAddress,
    temporalNamespace: settings.temporalNamespace,
    shards: settings.shards,
    source: settings.source,
    deployment: settings.deployment,
    archiveDir: settings.archiveDir,
    retentionDays: settings.retentionDays,
    audit: settings.audit,
    definitionDirs: settings.definitionDirs,
    usageRulesFile: settings.usageRulesFile,
    sealing: settings.sealing,
    billing: { billingFiles: settings.billingFiles, isBillingNamed: settings.isBillingNamed },
    signers: await loadSigners({
      name: settings.deployment,
      values: settings.signingKeys,
      files: settings.signingKeyFiles,
    }),
    keyChange: settings.keyChange,
    sampleSignatures: settings.sampleSignatures,
    intakeBytes: settings.intakeBytes,
    natsMonitorUrl: settings.natsMonitorUrl,
    registry,
  };
}
