/** Billing periods as actors on a real Temporal: opened, closed, amended, approved, told of. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  amendSignal,
  approveUpdate,
  pauseSignal,
  rejectSignal,
  resumeSignal,
} from '../../workflows/billing_period.ts';
import { verifyWebhook } from '../../ledger/webhook_signature.ts';
import type { BillingConfig } from '../../meters/billing_config.ts';
import { DEFAULT_BILLING } from '../../meters/billing_config.ts';
import { formatMillis } from '../../meters/timestamp.ts';
import { MAX_RECEIPT_BYTES } from '../../temporal.config.ts';
import { BillingActors, startBillingWorkers } from '../support/billing_actors.ts';
import { BillingWorld, timesBetween } from '../support/billing_world.ts';
import { FaultTemporal } from '../support/fault_temporal.ts';
import { temporalSkipReason } from '../support/temporal_server.ts';
import { WebhookReceiver } from '../support/webhook_receiver.ts';
import { windowSkipReason, WindowWorld, type WorldSample } from '../support/window_world.ts';

const SECRET = `whsec_${'c2VjcmV0'.repeat(5)}`;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Midnight of the day before yesterday. */
const DAY = Math.floor(Date.now() / DAY_MS) * DAY_MS - 2 * DAY_MS;
const hour = (n: number) => formatMillis(DAY + n * HOUR_MS);
const PERIOD = hour(0).slice(0, 10);
const TODAY = hour(48).slice(0, 10);

let origins = 0;
function memory(at: string, volume: string, project = 'p'): WorldSample {
  origins += 1;
  const origin = `o-${origins}`;
  return {
    origin,
    meter: 'memory',
    type: 'gauge',
    resource: `vm-of-${project}`,
    project,
    at,
    volume,
  };
}

describe('billing', { skip: windowSkipReason() || temporalSkipReason() }, () => {
  let world: BillingWorld;
  let temporal: FaultTemporal;
  let actors: BillingActors;
  let receiver: WebhookReceiver;
  let workers: { stop(): Promise<void> } | null = null;

  before(async () => {
    const windows = WindowWorld.start(Date.now(), { from: hour(-40 * 24), to: hour(10 * 24) });
    [world, temporal, receiver] = await Promise.all([
      windows.then((one) => new BillingWorld(one)),
      FaultTemporal.start(),
      WebhookReceiver.start(),
    ]);
    world.config = configOf(receiver.url);
    actors = await BillingActors.connect(temporal.server);
    workers = await startBillingWorkers(
      { address: temporal.server.address, bundlePath: temporal.bundlePath },
      {
        ...world.deps({ nowMs: Date.now }),
        readSecret: () => Promise.resolve(SECRET),
        readAuthorities: () => Promise.reject(new Error('none')),
      },
    );
    await world.windows.append([
      ...timesBetween(hour(0), hour(25), 30).map((at) => memory(at, '2')),
      ...timesBetween(hour(0), hour(25), 30).map((at) => memory(at, '1', 'approved')),
      ...timesBetween(hour(48), hour(49), 30).map((at) => memory(at, '4')),
    ]);
    await world.seal(hour(30));
  });

  after(async () => {
    await workers?.stop();
    await actors?.close();
    await receiver?.stop();
    await temporal?.stop();
    await world?.windows.stop();
  });

  test('a run opens the periods of what was sealed, and they close into statements', async () => {
    // A day, and the hours of the next one, of two projects.
    assert.deepEqual(await actors.run(), { opened: 4, amended: 0, told: 4, histories: 0 });
    const result = await actors.handle('p', PERIOD).result();
    assert.equal((await actors.run()).opened, 0);
    const row = await world.stored('p', PERIOD, 0);
    assert.deepEqual(result, { closed: [{ number: 0, digest: row.digest }] });
    const { lines } = await world.document('p', PERIOD, 0);
    assert.deepEqual(lines.map(({ quantity, samples }) => [quantity, samples]), [['48', 48]]);
  });

  test('the endpoint is told once, with a signature that its secret verifies', async () => {
    const [webhook] = await receiver.until('/hook', 1);
    assert.ok(webhook);
    const verdict = verifyWebhook(webhook, { secrets: [SECRET], nowMs: Date.now() });
    assert.ok(verdict.ok, JSON.stringify(verdict));
    const row = await world.stored('p', PERIOD, 0);
    assert.deepEqual(JSON.parse(webhook.body), {
      type: 'statement.final',
      timestamp: row.closedAt,
      data: {
        project_id: 'p',
        period: PERIOD,
        number: 0,
        start: hour(0),
        end: hour(24),
        zone: 'UTC',
        digest: row.digest,
        lines: 1,
        gaps: 0,
        totals: [{ meter: 'memory', usage_unit: 'GiB·h', quantity: '48' }],
        differences: null,
        url: `/trpc/statements.get?input=${
          encodeURIComponent(JSON.stringify({ project_id: 'p', period: PERIOD, number: 0 }))
        }`,
      },
    });
  });

  test('late data becomes an amendment with its difference', async () => {
    await world.windows.append([memory(hour(3.25), '6')]);
    await world.seal(hour(30));
    const { amended } = await actors.run();
    assert.equal(amended, 1);
    const row = await world.stored('p', PERIOD, 0);
    const result = await actors.handle('p', PERIOD).result() as { closed: { number: number }[] };
    assert.deepEqual(result.closed.map(({ number }) => number), [1]);
    const document = await world.document('p', PERIOD, 1);
    assert.deepEqual(document.amends, { number: 0, digest: row.digest });
    // 15 minutes of 6 instead of 2.
    assert.deepEqual(document.lines.map(({ quantity, difference }) => [quantity, difference]), [
      ['49', '1'],
    ]);
    const webhooks = await receiver.until('/hook', 2);
    const body = JSON.parse(webhooks[1]?.body ?? '') as {
      type: string;
      data: Record<string, unknown>;
    };
    assert.equal(body.type, 'statement.amended');
    assert.deepEqual(body.data['differences'], [
      { meter: 'memory', usage_unit: 'GiB·h', quantity: '1' },
    ]);
    assert.notEqual(webhooks[1]?.headers['webhook-id'], webhooks[0]?.headers['webhook-id']);
  });

  test('a revision that changes no quantity amends nothing', async () => {
    await world.windows.append([memory(hour(5.25), '2')]);
    await world.seal(hour(30));
    assert.equal((await actors.run()).amended, 1);
    assert.deepEqual(await actors.handle('p', PERIOD).result(), { closed: [] });
    await assert.rejects(world.stored('p', PERIOD, 2));
  });

  test('what needs approval waits for that of its very draft', async () => {
    const handle = actors.handle('approved', PERIOD);
    const { draft } = await actors.until(
      'approved',
      PERIOD,
      ({ mode }) => mode === 'awaiting_approval',
    );
    assert.ok(draft !== null);
    const approve = (digest: string) =>
      handle.executeUpdate(approveUpdate, { args: [{ number: 0, digest }] });
    await assert.rejects(approve('0'.repeat(64)));
    await handle.signal(rejectSignal, 'wrong month');
    await actors.until(
      'approved',
      PERIOD,
      ({ mode, reason }) => mode === 'rejected' && reason === 'wrong month',
    );
    await handle.signal(resumeSignal);
    const again = await actors.until(
      'approved',
      PERIOD,
      ({ mode }) => mode === 'awaiting_approval',
    );
    assert.notEqual(again.draft?.digest, draft.digest);
    await assert.rejects(approve(draft.digest), 'it is of another draft');
    await assert.rejects(world.stored('approved', PERIOD, 0));
    await approve(again.draft?.digest ?? '');
    assert.deepEqual(await handle.result(), {
      closed: [{ number: 0, digest: again.draft?.digest }],
    });
    assert.equal((await world.stored('approved', PERIOD, 0)).digest, again.draft?.digest);
  });

  test('an open period holds its totals to date, and stands still while it is paused', async () => {
    const next = hour(24).slice(0, 10);
    const { look, mode } = await actors.until('p', next, (status) => status.look !== null);
    assert.equal(mode, 'open');
    assert.deepEqual(look?.totals.map(({ meter }) => meter), ['memory']);
    assert.equal(look?.sealed, false);
    assert.equal(look?.closes_at, hour(48));
    const handle = actors.handle('p', next);
    await handle.signal(pauseSignal, 'by hand');
    await actors.until('p', next, ({ paused }) => paused === 'by hand');
    await world.seal(hour(49));
    await handle.signal(amendSignal);
    assert.equal((await actors.status('p', next)).mode, 'open');
    await handle.signal(resumeSignal);
    await handle.result();
    const { lines } = await world.document('p', next, 0);
    // Two readings, of which the last one held for an hour.
    assert.deepEqual(lines.map(({ quantity, flags }) => [quantity, flags]), [['3', ['expired']]]);
    await actors.run();
    const today = await actors.until('p', TODAY, (status) => status.look !== null);
    assert.equal(today.look?.totals[0]?.meter, 'memory');
    await actors.handle('p', TODAY).terminate();
  });

  test('the histories of the runs that closed statements are kept', async () => {
    await actors.run();
    const { rows } = await world.windows.pool.query<{ kept: boolean }>(
      `SELECT s.run_id IN (SELECT run_id FROM workflow_histories) AS kept FROM statements s`,
    );
    assert.deepEqual(rows.map(({ kept }) => kept), [true, true, true, true]);
  });

  test('histories hold neither samples nor secrets, and results are small', async () => {
    for (const type of ['billingRun', 'billingPeriod', 'deliverWebhook']) {
      const text = await actors.histories(type);
      assert.ok(text.length > 0);
      assert.ok(!text.includes('vm-of-p'), type);
      assert.ok(!text.includes(SECRET.slice(6, 20)), type);
      for (const result of text.matchAll(/"result":\{"payloads":\[\{.*?\}\]\}/g)) {
        assert.ok(result[0].length < MAX_RECEIPT_BYTES + 500);
      }
    }
  });
});

function configOf(url: string): BillingConfig {
  return {
    ...DEFAULT_BILLING,
    periods: { fallback: { length: 'day', zone: 'UTC', startDay: 1 }, projects: new Map() },
    graceSeconds: 0,
    approval: { fallback: false, projects: new Map([['approved', true]]) },
    webhooks: [{
      name: 'billing',
      url: `${url}/hook`,
      secrets: [{ env: 'SECRET' }],
      projects: ['p'],
      events: ['statement.final', 'statement.amended'],
      allowPrivateAddresses: true,
      caFile: null,
      timeoutMs: 5_000,
    }],
  };
}
