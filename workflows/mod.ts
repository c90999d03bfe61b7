/** The one entry that the workflow bundler takes: every workflow, by name. */
export { ingestShard } from './ingest_shard.ts';
export { maintainStorageOnce } from './maintain_storage.ts';
