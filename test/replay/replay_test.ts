import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  bundleWorkflowCode,
  DefaultLogger,
  Runtime,
  Worker,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import { WORKFLOWS } from '../../cli/workflow_bundle.ts';

/**
 * Actors live for years: today's code must decide on every recorded history what it decided then. Made by
 * scripts/record_histories.ts; added to, never changed.
 */
const FOLDER = new URL('./histories/', import.meta.url);
const INCOMPATIBLE = fileURLToPath(new URL('./incompatible/mod.ts', import.meta.url));
const histories = readdirSync(FOLDER).filter((name) => name.endsWith('.json')).sort();
const quiet = new DefaultLogger('ERROR');

let bundle: WorkflowBundleWithSourceMap;

before(async () => {
  Runtime.install({ logger: quiet });
  bundle = await bundleWorkflowCode({ workflowsPath: WORKFLOWS, logger: quiet });
});

test('there is a history of each workflow', () => {
  for (
    const workflow of [
      'ingest_shard',
      'maintain_storage',
      'poll_source',
      'backfill_source',
      'check_polls',
      'window_keeper',
      'seal_windows',
      'billing_period',
      'billing_run',
      'deliver_webhook',
      'auditor',
      'retention',
    ]
  ) {
    assert.ok(histories.some((name) => name.startsWith(workflow)), workflow);
  }
});

for (const name of histories) {
  test(`today's workflows replay ${name}`, async () => {
    await Worker.runReplayHistory({ workflowBundle: bundle }, readHistory(name));
  });
}

test('an incompatible change is caught by replay', async () => {
  const incompatible = await bundleWorkflowCode({ workflowsPath: INCOMPATIBLE, logger: quiet });
  await assert.rejects(
    Worker.runReplayHistory(
      { workflowBundle: incompatible },
      readHistory('ingest_shard_0.1.0_continued_as_new.json'),
    ),
    { name: 'DeterminismViolationError' },
  );
});

// Two copies do not know each other's types, and histories in JSON cannot be read.
test('Temporal and we resolve one protobufjs, of version 8', () => {
  const require = createRequire(import.meta.url);
  for (const name of ['client', 'common', 'proto', 'worker']) {
    const from = createRequire(require.resolve(`@temporalio/${name}`));
    assert.equal(from.resolve('protobufjs'), require.resolve('protobufjs'), name);
  }
  const { version } = require('protobufjs/package.json') as { version: string };
  assert.match(version, /^8\./);
});

function readHistory(name: string): unknown {
  return JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8'));
}
