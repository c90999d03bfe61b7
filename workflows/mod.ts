/** The one entry that the workflow bundler takes: every workflow, by name. */
export { auditOnce } from './auditor.ts';
export { backfillSource } from './backfill_source.ts';
export { billingPeriod } from './billing_period.ts';
export { billingRun } from './billing_run.ts';
export { deliverWebhook } from './deliver_webhook.ts';
export { ingestShard } from './ingest_shard.ts';
export { maintainStorageOnce } from './maintain_storage.ts';
export { checkPolls, pollSource } from './poll_source.ts';
export { retainSamples } from './retention.ts';
export { sealWindows } from './seal_windows.ts';
export { windowKeeper } from './window_keeper.ts';
