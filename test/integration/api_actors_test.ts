import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { TRPCClientError } from '@trpc/client';
import { type RunningWorker, runWorker } from '../../cli/run_worker.ts';
import type { NephoOutputs } from '../../client/client.ts';
import { DATABASES } from '../support/api_databases.ts';
import { type ApiSystem, imageUpload, startApiSystem } from '../support/api_system.ts';
import { ingestDeps } from '../support/ingest_setup.ts';
import { type NatsServer, natsSkipReason, startNats } from '../support/nats_server.ts';
import {
  startTemporal,
  type TemporalServer,
  temporalSkipReason,
} from '../support/temporal_server.ts';
import { testKeyPem } from '../support/test_signer.ts';

type Actor = NephoOutputs['actors']['describe'];

const DEADLINE_MS = 60_000;
const skip = DATABASES[0]?.skip || natsSkipReason() || temporalSkipReason();

describe('the actors behind the API', { skip }, () => {
  let nats: NatsServer;
  let temporal: TemporalServer;
  let server: { url: string; stop(): Promise<void> };
  let connection: Connection;
  let system: ApiSystem;
  let worker: RunningWorker;

  before(async () => {
    [nats, temporal, server] = await Promise.all([
      startNats(),
      startTemporal(),
      (DATABASES[0] as (typeof DATABASES)[number]).start(),
    ]);
    connection = await Connection.connect({ address: temporal.address, interceptors: [] });
    system = await startApiSystem({
      databaseUrl: server.url,
      natsUrl: nats.url,
      shards: 1,
      workflows: new Client({ connection }).workflow,
    });
  });

  after(async () => {
    await system.stop();
    await connection.close();
    await Promise.all([server.stop(), temporal.stop(), nats.stop()]);
  });

  const describeActor = () => system.operator.actors.describe.query({ shard: 0 });

  async function until(holds: (actor: Actor) => boolean): Promise<Actor> {
    const deadline = Date.now() + DEADLINE_MS;
    for (;;) {
      const actor = await describeActor();
      if (holds(actor)) return actor;
      if (Date.now() > deadline) throw new Error(`never came: ${JSON.stringify(actor)}`);
      await delay(100);
    }
  }

  test('an actor that was never started is absent, and takes no orders', async () => {
    const actor = await describeActor();
    assert.equal(actor.workflow_status, 'ABSENT');
    assert.equal(actor.mode, null);
    assert.equal(await codeOf(system.operator.actors.pause.mutate({ shard: 0 })), 'not_found');
    assert.equal(await codeOf(system.operator.actors.describe.query({ shard: 1 })), 'not_found');
  });

  test('a running actor tells its totals, obeys pause and resume, and drains', async () => {
    worker = await runWorker(
      ingestDeps({ pool: system.db.pool, nats: system.nats, signingKey: testKeyPem(7) }),
      { address: temporal.address, namespace: 'default', shards: 1, legSeconds: 2 },
    );
    await system.send([upload('image-1')]);
    const first = await until((actor) => (actor.totals?.samples ?? 0) === 3);
    assert.equal(first.workflow_status, 'RUNNING');
    assert.match(first.last_receipt?.definitions ?? '', /^[0-9a-f]{64}$/);
    const { shards: [reload] } = await system.operator.definitions.reloadStatus.query();
    assert.equal(reload?.digest, first.last_receipt?.definitions);
    assert.equal(reload?.fault, null);

    await system.operator.actors.pause.mutate({ shard: 0, reason: 'maintenance' });
    const paused = await until((actor) => actor.mode === 'paused' && actor.leg_running === false);
    assert.match(paused.reason ?? '', /^maintenance \(by key-/);
    await system.send([upload('image-2')]);
    const { backlog } = await backlogOf(system);
    assert.equal(backlog, 1);

    await system.operator.actors.resume.mutate({ shard: 0 });
    await until((actor) => (actor.totals?.samples ?? 0) === 6);
    await system.send([upload('image-3')]);
    await system.operator.actors.drain.mutate({ shard: 0 });
    const drained = await until((actor) => actor.mode === 'paused' && actor.reason === 'drained');
    assert.equal(drained.totals?.samples, 9);
    assert.equal((await backlogOf(system)).backlog, 0);
    assert.deepEqual((await system.operator.actors.list.query()).actors.map((a) => a.actor_id), [
      'ingest-shard-0',
      'window-keeper-0',
    ]);
  });

  test('without a worker the actor is there and its mode unknown', async () => {
    await worker.stop();
    const actor = await describeActor();
    assert.equal(actor.workflow_status, 'RUNNING');
    assert.equal(actor.mode, null);
  });

  test('without Temporal its absence is told, and everything else is answered', async () => {
    await temporal.kill();
    assert.equal(await codeOf(describeActor()), 'actors_unavailable');
    const { samples } = await system.operator.samples.list.query({});
    assert.equal(samples.length, 9);
    assert.deepEqual(await system.operator.health.check.query(), {
      status: 'degraded',
      parts: { database: true, intake: true, temporal: false },
    });
  });
});

function upload(imageId: string): string {
  return imageUpload({ imageId, projectId: 'p', size: 1, atMs: Date.now() - 1_000 });
}

async function backlogOf(system: ApiSystem): Promise<{ backlog: number }> {
  const text = await (await fetch(new URL('/metrics', system.url))).text();
  const found = /^nepho_intake_backlog_messages{shard="0",state="pending"} (\d+)$/m.exec(text);
  return { backlog: Number(found?.[1]) };
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'none';
  } catch (error) {
    assert.ok(error instanceof TRPCClientError);
    return (error.data as { error_code: string }).error_code;
  }
}
