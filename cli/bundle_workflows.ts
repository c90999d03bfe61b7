/**
 * Writes the bundle of all workflows to a file: a program of its own, because the bundler takes 100 MB
 * that a worker would keep.
 *
 *   node --import tsx cli/bundle_workflows.ts FILE
 */
import { writeFile } from 'node:fs/promises';
import process from 'node:process';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { WORKFLOWS } from './workflow_bundle.ts';

const { code } = await bundleWorkflowCode({
  workflowsPath: WORKFLOWS,
  logger: new DefaultLogger('ERROR'),
});
await writeFile(process.argv[2] ?? '', code);
