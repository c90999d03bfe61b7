/** A change that running actors would not survive: a timer before the first leg. */
import { proxyActivities, sleep } from '@temporalio/workflow';
import type { IngestActivities } from '../../../activities/ingest_leg.ts';
import { INGEST_LEG_OPTIONS } from '../../../temporal.config.ts';
import type { IngestShardState } from '../../../workflows/ingest_shard.ts';

const { ingestLeg } = proxyActivities<IngestActivities>({
  taskQueue: INGEST_LEG_OPTIONS.taskQueue,
  startToCloseTimeout: '1 minute',
});

export async function ingestShard(input: IngestShardState): Promise<void> {
  await sleep('1 second');
  await ingestLeg({ shard: input.shard, seconds: 1, drain: false });
}
