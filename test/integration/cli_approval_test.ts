/** What operators decide about statements by commands, before real actors. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DATABASES } from '../support/api_databases.ts';
import { imageUpload } from '../support/api_system.ts';
import { type BilledApi, localEndpoint, startBilledApi } from '../support/billed_api.ts';
import { BillingActors, startBillingWorkers } from '../support/billing_actors.ts';
import { FaultTemporal } from '../support/fault_temporal.ts';
import { type NatsServer, natsSkipReason, startNats } from '../support/nats_server.ts';
import { nepho } from '../support/nepho_command.ts';
import { temporalSkipReason } from '../support/temporal_server.ts';
import { WebhookReceiver } from '../support/webhook_receiver.ts';

const skip = DATABASES[0]?.skip || natsSkipReason() || temporalSkipReason();

describe('the commands about approval', { skip }, () => {
  let nats: NatsServer;
  let server: { url: string; stop(): Promise<void> };
  let temporal: FaultTemporal;
  let actors: BillingActors;
  let workers: { stop(): Promise<void> };
  let receiver: WebhookReceiver;
  let system: BilledApi;

  before(async () => {
    [nats, server, temporal, receiver] = await Promise.all([
      startNats(),
      (DATABASES[0] as (typeof DATABASES)[number]).start(),
      FaultTemporal.start(),
      WebhookReceiver.start(),
    ]);
    actors = await BillingActors.connect(temporal.server);
    system = await startBilledApi({
      databaseUrl: server.url,
      natsUrl: nats.url,
      workflows: actors.client.workflow,
      webhookSecret: `whsec_${btoa('0123456789abcdef01234567')}`,
    });
    system.config = {
      ...system.config,
      approval: { fallback: true, projects: new Map() },
      webhooks: [localEndpoint('books', `${receiver.url}/books`)],
    };
    workers = await startBillingWorkers(
      { address: temporal.server.address, bundlePath: temporal.bundlePath },
      system.billing,
    );
    await system.send([
      imageUpload({ imageId: 'one', projectId: 'alpha', size: 1, atMs: system.dayMs }),
    ]);
    await system.seal();
    await actors.run();
  });

  after(async () => {
    await workers.stop();
    await system.stop();
    await actors.close();
    await temporal.stop();
    await receiver.stop();
    await server.stop();
    await nats.stop();
  });

  async function run(command: string, ...args: string[]) {
    return await nepho(['statements', command, system.period, '--project', 'alpha', ...args], {
      env: { NEPHO_URL: system.url, NEPHO_TOKEN: system.operatorToken },
    });
  }

  async function table(command: string, ...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await run(command, ...args);
    assert.equal(status, 0, stderr);
    return stdout;
  }

  async function digestOfDraft(): Promise<string> {
    const mode = 'awaiting_approval';
    await actors.until('alpha', system.period, (status) => status.mode === mode);
    const shown = await table('actor');
    assert.match(shown, /^mode +awaiting_approval$/m);
    return /^digest +([0-9a-f]{64})$/m.exec(shown)?.[1] ?? '';
  }

  test('a draft is shown, rejected, made anew, approved by its digest, told of and told of again', async () => {
    await digestOfDraft();
    const other = await run('approve', '--digest', '0'.repeat(64));
    assert.equal(other.status, 1);
    assert.match(other.stderr, /^Cannot approve [^\n]*\([a-z_]+\)\n$/);
    assert.match(await table('reject', '--reason', 'wrong flavor'), /^rejected +billing-alpha-/);
    await actors.until('alpha', system.period, ({ mode }) => mode === 'rejected');
    assert.match(await table('actor'), /^reason +wrong flavor/m);
    await table('resume');
    const approved = await table('approve', '--digest', await digestOfDraft());
    assert.match(approved, /^approved +number 0\n/);
    const [first] = await receiver.until('/books', 1);
    assert.match(
      await table('deliveries'),
      /^books +statement\.final +delivered +1 +\S+ +\d+ +204 /m,
    );
    assert.match(await table('resend', '--endpoint', 'books'), /^sent again +\S+\n$/);
    const [, second] = await receiver.until('/books', 2);
    assert.equal(second?.headers['webhook-id'], first?.headers['webhook-id']);
  });
});
