/** An API over real HTTP on a real database and intake, with a way to have its notifications ingested. */
import { randomUUID } from 'node:crypto';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import type { ScheduleClient, WorkflowClient } from '@temporalio/client';
import { Registry } from 'prom-client';
import { runLeg } from '../../activities/ingest_leg.ts';
import { digestOfSecret, newSecret } from '../../api/auth.ts';
import type { ApiDeps } from '../../api/deps.ts';
import { createApi } from '../../api/handler.ts';
import { type RunningApi, serveApi } from '../../api/serve.ts';
import { connectBus } from '../../bus/connection.ts';
import { ensureIntakeStream } from '../../bus/streams.ts';
import { createApiIntake } from '../../cli/api_intake.ts';
import { loadUsageRules } from '../../cli/usage_rules_file.ts';
import { gatherMetrics } from '../../cli/worker_metrics.ts';
import { createClient, type NephoClient } from '../../client/client.ts';
import { createApiKey } from '../../db/api_keys.ts';
import { createDatabase, type Database } from '../../db/client.ts';
import { migrate } from '../../db/migrate.ts';
import { ensurePartitions, partitionSpan } from '../../db/partitions.ts';
import { formatMillis } from '../../meters/timestamp.ts';
import { ingestDeps, TEST_DEPLOYMENT } from './ingest_setup.ts';
import { testKeyPem } from './test_signer.ts';

export interface ApiSystem {
  readonly url: string;
  readonly db: Database;
  readonly nats: NatsConnection;
  /** What the API is wired to, for another one beside it. */
  readonly deps: ApiDeps;
  readonly operatorToken: string;
  readonly operator: NephoClient;
  /** What the API logged, the newest last. */
  readonly logged: { event: string; fields: Record<string, unknown> }[];
  /** A key of a project, made through the API. */
  projectToken(projectId: string): Promise<string>;
  client(token: string | null): NephoClient;
  /** Publishes texts through the API. */
  send(bodies: readonly string[]): Promise<void>;
  /** Brings all that waits into the logs. */
  ingest(): Promise<void>;
  stop(): Promise<void>;
}

export interface ApiSystemOptions {
  databaseUrl: string;
  natsUrl: string;
  shards?: number;
  workflows?: WorkflowClient;
  schedules?: ScheduleClient;
  /** Changes to what the API is given. */
  deps?: Partial<ApiDeps>;
}

const MEBIBYTE = 1024 * 1024;
/** Messages of one call. */
const CALL_MESSAGES = 500;

export async function startApiSystem(options: ApiSystemOptions): Promise<ApiSystem> {
  const { shards = 2 } = options;
  const db = createDatabase(options.databaseUrl, { poolSize: 4 });
  await migrate(db.pool);
  await ensurePartitions(db.pool, partitionSpan(formatMillis(Date.now())));
  const nats = await connectBus({ url: options.natsUrl, name: 'api_test' });
  await ensureIntakeStream(await jetstreamManager(nats), { shards, maxBytes: 256 * MEBIBYTE });
  const logged: ApiSystem['logged'] = [];
  const note = (event: string, fields: Record<string, unknown>): void => {
    logged.push({ event, fields });
  };
  const deps: ApiDeps = {
    db,
    deployment: TEST_DEPLOYMENT,
    shards,
    archives: null,
    usageRules: await loadUsageRules(),
    intake: createApiIntake(nats, { shards, nowMs: Date.now }),
    workflows: options.workflows ?? null,
    schedules: options.schedules ?? null,
    registry: new Registry(),
    workerMetrics: () => gatherMetrics(nats),
    log: { info: note, warn: note, error: note },
    now: Date.now,
    ...options.deps,
  };
  const running: RunningApi = await serveApi(createApi(deps), { port: 0 });
  const operatorToken = await makeOperator(db);
  const client = (token: string | null) => createClient({ url: running.url, token });
  const operator = client(operatorToken);
  const ingest = ingestDeps({ pool: db.pool, nats, signingKey: testKeyPem(7) });
  return {
    url: running.url,
    db,
    nats,
    deps,
    operatorToken,
    operator,
    logged,
    client,
    async projectToken(projectId) {
      const { secret } = await operator.keys.create.mutate({
        name: `of ${projectId}`,
        role: 'project',
        project_id: projectId,
      });
      return secret;
    },
    async send(bodies) {
      for (let start = 0; start < bodies.length; start += CALL_MESSAGES) {
        const messages = bodies.slice(start, start + CALL_MESSAGES).map((text) => ({ text }));
        const { refused } = await operator.notifications.publish.mutate({ messages });
        if (refused > 0) throw new Error(`${refused} messages were refused`);
      }
    },
    async ingest() {
      const control = { stopped: () => false, heartbeat: () => {} };
      for (let shard = 0; shard < shards; shard += 1) {
        await runLeg(ingest, { shard, seconds: 60, drain: true }, control);
      }
    },
    async stop() {
      await running.close();
      await nats.close();
      await db.close();
    },
  };
}

async function makeOperator(db: Database): Promise<string> {
  const secret = newSecret();
  await createApiKey(db.pool, {
    apiKeyId: `key-${randomUUID()}`,
    name: 'test operator',
    role: 'operator',
    projectId: null,
    digest: digestOfSecret(secret),
    createdAt: formatMillis(Date.now()),
    expiresAt: null,
  });
  return secret;
}

/** The `image.upload` of an image: three samples of one resource and project. */
export function imageUpload(image: {
  messageId?: string;
  imageId: string;
  projectId: string;
  size: number | string;
  /** Milliseconds since 1970. */
  atMs: number;
  name?: string;
}): string {
  const time = formatMillis(image.atMs);
  return JSON.stringify({
    message_id: image.messageId ?? randomUUID(),
    publisher_id: 'image.test',
    event_type: 'image.upload',
    priority: 'INFO',
    timestamp: time.replace('T', ' ').slice(0, -1),
    payload: {
      id: image.imageId,
      name: image.name ?? 'cirros',
      owner: image.projectId,
      size: image.size,
      status: 'active',
      disk_format: 'qcow2',
      container_format: 'bare',
      visibility: 'private',
      created_at: `${time.slice(0, 19)}Z`,
      updated_at: `${time.slice(0, 19)}Z`,
      properties: {},
    },
  });
}
