/** Statements over the API, on a real database and with their actors on a real Temporal. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TRPCClientError } from '@trpc/client';
import type { NephoClient } from '../../client/client.ts';
import { verifyStatement } from '../../ledger/verify_statement.ts';
import { DEFAULT_BILLING } from '../../meters/billing_config.ts';
import { formatMillis } from '../../meters/timestamp.ts';
import { type ApiSystem, startApiSystem } from '../support/api_system.ts';
import { BillingActors, startBillingWorkers } from '../support/billing_actors.ts';
import { BillingWorld, timesBetween } from '../support/billing_world.ts';
import { FaultTemporal } from '../support/fault_temporal.ts';
import { type NatsServer, natsSkipReason, startNats } from '../support/nats_server.ts';
import { temporalSkipReason } from '../support/temporal_server.ts';
import { testSigner } from '../support/test_signer.ts';
import { status, WebhookReceiver } from '../support/webhook_receiver.ts';
import { windowSkipReason, WindowWorld, type WorldSample } from '../support/window_world.ts';

const HOUR_MS = 3_600_000;
/** Midnight of yesterday, so that the day has just ended. */
const DAY = Math.floor(Date.now() / (24 * HOUR_MS)) * 24 * HOUR_MS - 24 * HOUR_MS;
const hour = (n: number) => formatMillis(DAY + n * HOUR_MS);
const PERIOD = hour(0).slice(0, 10);
const skip = windowSkipReason() || temporalSkipReason() || natsSkipReason();

describe('statements', { skip }, () => {
  let world: BillingWorld;
  let temporal: FaultTemporal;
  let nats: NatsServer;
  let receiver: WebhookReceiver;
  let actors: BillingActors;
  let workers: { stop(): Promise<void> };
  let system: ApiSystem;
  let own: NephoClient;
  let other: NephoClient;
  const of = { project_id: 'p', period: PERIOD };

  before(async () => {
    const windows = WindowWorld.start(Date.now(), { from: hour(-40 * 24), to: hour(10 * 24) });
    [world, temporal, nats, receiver] = await Promise.all([
      windows.then((one) => new BillingWorld(one)),
      FaultTemporal.start(),
      startNats(),
      WebhookReceiver.start(),
    ]);
    world.config = {
      ...DEFAULT_BILLING,
      periods: { fallback: { length: 'day', zone: 'UTC', startDay: 1 }, projects: new Map() },
      graceSeconds: 0,
      approval: { fallback: false, projects: new Map([['careful', true]]) },
      webhooks: [{
        name: 'books',
        url: `${receiver.url}/books`,
        secrets: [{ env: 'NONE' }],
        projects: ['p'],
        events: ['statement.final', 'statement.amended'],
        allowPrivateAddresses: true,
        caFile: null,
        timeoutMs: 2_000,
      }],
    };
    receiver.answer('/books', status(500));
    actors = await BillingActors.connect(temporal.server);
    workers = await startBillingWorkers(
      { address: temporal.server.address, bundlePath: temporal.bundlePath },
      {
        ...world.deps({ nowMs: Date.now }),
        readSecret: () => Promise.resolve(`whsec_${'A'.repeat(32)}`),
        readAuthorities: () => Promise.reject(new Error('none')),
      },
    );
    system = await startApiSystem({
      databaseUrl: world.windows.url,
      natsUrl: nats.url,
      shards: 1,
      workflows: actors.client.workflow,
      deps: { usageRules: world.windows.rules },
    });
    own = system.client(await system.projectToken('p'));
    other = system.client(await system.projectToken('q'));
    const times = timesBetween(hour(0), hour(26), 30);
    await world.windows.append(
      ['p', 'q', 'careful'].flatMap((project) => times.map((at) => reading(project, at))),
    );
    await world.seal(hour(25));
    await actors.run();
    await Promise.all(['p', 'q'].map((project) => actors.handle(project, PERIOD).result()));
  });

  after(async () => {
    await system?.stop();
    await workers?.stop();
    await actors?.close();
    await receiver?.stop();
    await nats?.stop();
    await temporal?.stop();
    await world?.windows.stop();
  });

  async function codeOf(call: Promise<unknown>): Promise<string> {
    try {
      await call;
      return 'ok';
    } catch (error) {
      assert.ok(error instanceof TRPCClientError, String(error));
      return String((error.data as { error_code?: string }).error_code);
    }
  }

  test('a project lists and reads its own, an operator all', async () => {
    const { statements } = await own.statements.list.query({});
    assert.deepEqual(
      statements.map(({ project_id, period, number }) => [project_id, period, number]),
      [
        ['p', PERIOD, 0],
      ],
    );
    const all = await system.operator.statements.list.query({ period: PERIOD, limit: 1 });
    assert.equal(all.statements.length, 1);
    const rest = await system.operator.statements.list.query({
      period: PERIOD,
      limit: 1,
      cursor: all.next_cursor ?? '',
    });
    assert.deepEqual([...all.statements, ...rest.statements].map(({ project_id }) => project_id), [
      'p',
      'q',
    ]);
    const { head, statement } = await own.statements.get.query({ period: PERIOD });
    assert.equal(head.digest, statements[0]?.digest);
    assert.deepEqual(statement.totals, [
      { meter: 'memory', usage_unit: 'GiB·h', quantity: '48' },
    ]);
    assert.deepEqual(await system.operator.statements.get.query(of), { head, statement });
  });

  test("another's is answered like none, and so is what was never there", async () => {
    for (const client of [other, system.client(await system.projectToken('nobody'))]) {
      assert.deepEqual((await client.statements.list.query({ project_id: 'p' })).statements, []);
      assert.equal(await codeOf(client.statements.get.query(of)), 'not_found');
      assert.equal(await codeOf(client.statements.bundle.query(of)), 'not_found');
      assert.equal(await codeOf(client.statements.totals.query(of)), 'not_found');
      assert.equal(
        await codeOf(client.statements.deliveries.query({ ...of, number: 0 })),
        'not_found',
      );
      assert.equal(
        await codeOf(client.statements.lineWindows.query({ ...of, number: 0, line: 0 })),
        'not_found',
      );
    }
    assert.equal(await codeOf(own.statements.get.query({ period: '2020-01' })), 'not_found');
    assert.equal(
      await codeOf(own.statements.get.query({ period: PERIOD, number: 9 })),
      'not_found',
    );
    assert.equal(await codeOf(own.statements.get.query({ period: "2020'" })), 'input_invalid');
    assert.equal(
      await codeOf(system.operator.statements.get.query({ period: PERIOD })),
      'input_invalid',
    );
    assert.equal(
      await codeOf(own.statements.list.query({ from: hour(2), to: hour(1) })),
      'range_invalid',
    );
    for (const order of ['approve', 'reject', 'resend', 'pause', 'resume'] as const) {
      const call = own.statements[order].mutate as (input: unknown) => Promise<unknown>;
      assert.equal(await codeOf(call(of)), 'operator_only');
    }
  });

  test('its bundle and the windows of its lines are verified offline', async () => {
    const { bundle } = await own.statements.bundle.query({ period: PERIOD });
    const records: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await own.statements.lineWindows.query({
        period: PERIOD,
        number: 0,
        line: 0,
        limit: 10,
        ...cursor === undefined ? {} : { cursor },
      });
      records.push(...page.windows);
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined);
    assert.equal(records.length, 24);
    const windows = [{ line: 0, records }];
    const verdict = await verifyStatement(bundle, { vkeys: [testSigner().vkey], windows });
    assert.ok(verdict.ok, JSON.stringify(verdict));
    const { windows: one, next_cursor } = await own.statements.lineWindows.query({
      period: PERIOD,
      number: 0,
      line: 0,
      limit: 1,
    });
    assert.deepEqual(one, records.slice(0, 1));
    const astray = { period: PERIOD, number: 0, line: 1, cursor: next_cursor ?? '' };
    assert.equal(await codeOf(own.statements.lineWindows.query(astray)), 'cursor_of_another_query');
  });

  test('the totals of the running period hold what is not sealed yet', async () => {
    const today = await own.statements.totals.query({});
    assert.equal(today.period, hour(24).slice(0, 10));
    assert.equal(today.contains_unsealed, true);
    // Readings until 01:30 of this day, of which the last one holds for an hour, as far as that has passed.
    assert.deepEqual(today.totals.map(({ meter, type }) => [meter, type]), [['memory', 'gauge']]);
    const past = await own.statements.totals.query({ period: PERIOD });
    assert.deepEqual(past.totals.map(({ quantity }) => quantity), ['48']);
    assert.equal(past.contains_unsealed, false);
  });

  test('deliveries show each attempt, and one is sent again by hand with its id', async () => {
    await receiver.until('/books', 1);
    const name = { ...of, number: 0, endpoint: 'books' };
    assert.equal(
      await codeOf(system.operator.statements.resend.mutate({ ...name, endpoint: 'none' })),
      'not_found',
    );
    receiver.answer('/books', status(200));
    const { delivery_id } = await system.operator.statements.resend.mutate(name);
    const came = await receiver.until('/books', 2);
    assert.deepEqual(
      new Set(came.map(({ headers }) => headers['webhook-id'])),
      new Set([delivery_id]),
    );
    let delivery;
    do {
      const { deliveries } = await own.statements.deliveries.query({ period: PERIOD, number: 0 });
      delivery = deliveries[0];
    } while (delivery?.status !== 'delivered');
    const outcomes = delivery.attempts.map(({ status_code, failure }) => [status_code, failure]);
    assert.deepEqual(outcomes.slice(-1), [[500, 'server_error']]);
    assert.deepEqual(outcomes[0], [200, null]);
    // Also one whose actor has ended.
    await system.operator.statements.resend.mutate(name);
    await receiver.until('/books', came.length + 1);
  });

  test('an operator approves the draft that is shown, and no other', async () => {
    const careful = { project_id: 'careful', period: PERIOD };
    await actors.until('careful', PERIOD, ({ mode }) => mode === 'awaiting_approval');
    const actor = await system.operator.statements.actor.query(careful);
    assert.equal(actor.mode, 'awaiting_approval');
    assert.equal(actor.draft?.lines, 1);
    const digest = actor.draft?.digest ?? '';
    const approve = (changes: { number?: number; digest?: string }) =>
      system.operator.statements.approve.mutate({ ...careful, number: 0, digest, ...changes });
    assert.equal(await codeOf(approve({ digest: '0'.repeat(64) })), 'approval_refused');
    assert.equal(await codeOf(approve({ number: 1 })), 'approval_refused');
    await approve({});
    await actors.handle('careful', PERIOD).result();
    const { head } = await system.operator.statements.get.query(careful);
    assert.equal(head.digest, digest);
    assert.equal(await codeOf(approve({})), 'not_found');
    const ended = await system.operator.statements.actor.query(careful);
    assert.deepEqual([ended.workflow_status, ended.mode], ['COMPLETED', null]);
  });
});

function reading(project: string, at: string): WorldSample {
  return {
    origin: `${project}-${at}`,
    meter: 'memory',
    type: 'gauge',
    resource: `vm-of-${project}`,
    project,
    at,
    volume: '2',
  };
}
