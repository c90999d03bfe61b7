import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type BillingClient, createBillingClient } from '../../client/mod.ts';
import { formatMillis } from '../../meters/timestamp.ts';
import { DATABASES } from '../support/api_databases.ts';
import { imageUpload } from '../support/api_system.ts';
import { type BilledApi, startBilledApi } from '../support/billed_api.ts';
import { docExamples, runModule } from '../support/doc_examples.ts';
import { type NatsServer, natsSkipReason, startNats } from '../support/nats_server.ts';
import { testSigner } from '../support/test_signer.ts';

const HOUR_MS = 3_600_000;
const CLIENT = new URL('../../client/mod.ts', import.meta.url).href;

describe('the billing client', { skip: DATABASES[0]?.skip || natsSkipReason() }, () => {
  let nats: NatsServer;
  let server: { url: string; stop(): Promise<void> };
  let system: BilledApi;
  let billing: BillingClient;

  before(async () => {
    nats = await startNats();
    server = await (DATABASES[0] as (typeof DATABASES)[number]).start();
    system = await startBilledApi({ databaseUrl: server.url, natsUrl: nats.url });
    billing = createBillingClient({ url: system.url, token: system.operatorToken });
    await system.send([upload(0, 10), upload(1, 11)]);
    await system.bill();
  });

  after(async () => {
    await system.stop();
    await server.stop();
    await nats.stop();
  });

  /** An image of 3,600 bytes in project `n`, uploaded at that hour of the billed day. */
  function upload(n: number, hour: number, imageId = `image-${n}`): string {
    return imageUpload({
      imageId,
      projectId: `project-${n}`,
      size: 3_600,
      atMs: system.dayMs + hour * HOUR_MS,
    });
  }

  /** The first `count` of a stream without end. */
  async function take<Event>(events: AsyncGenerator<Event>, count: number): Promise<Event[]> {
    const taken: Event[] = [];
    for await (const event of events) if (taken.push(event) === count) break;
    return taken;
  }

  const nameOf = ({ project_id, period, number }: {
    project_id: string;
    period: string;
    number: number;
  }) => `${project_id} ${period} ${number}`;

  test('followStatements gives each statement once, in all and behind a cursor', async () => {
    const all = await take(billing.followStatements(), 2);
    const names = all.map(nameOf).sort();
    assert.deepEqual(names, [`project-0 ${system.period} 0`, `project-1 ${system.period} 0`]);
    const [second] = await take(billing.followStatements({ cursor: all[0]?.cursor ?? null }), 1);
    assert.deepEqual(second, all[1]);
  });

  test('an amendment reaches who follows, and is verified against the statement before it', async () => {
    const all = await take(billing.followStatements(), 2);
    const next = take(billing.followStatements({ cursor: all[1]?.cursor ?? null }), 1);
    const revised = take(billing.followRevisions(), 1);
    await system.send([upload(0, 12, 'image-late')]);
    await system.bill();
    const [amendment] = await next;
    assert.ok(amendment !== undefined);
    assert.equal(nameOf(amendment), `project-0 ${system.period} 1`);
    const [revision] = await revised;
    assert.equal(revision?.project_id, 'project-0');
    assert.ok(
      revision?.changes.some(({ start }) => start === formatMillis(system.dayMs + 12 * HOUR_MS)),
    );
    const { statement } = await billing.fetchAndVerifyStatement(amendment, {
      vkeys: [system.vkey],
    });
    assert.equal(statement.amends?.number, 0);
    const sizes = statement.lines.filter(({ meter }) => meter === 'image.size');
    assert.deepEqual(
      sizes.map(({ resource_id, quantity, difference }) => [
        resource_id,
        quantity,
        difference,
      ]),
      [['image-0', '50400', '0'], ['image-late', '43200', '43200']],
    );
  });

  test('a project follows its own statements, and all sealed hours with its own windows', async () => {
    const token = await system.projectToken('project-1');
    const own = createBillingClient({ url: system.url, token });
    const [statement] = await take(own.followStatements(), 1);
    assert.equal(statement?.project_id, 'project-1');
    const hours = await take(own.followSeals(), 24);
    assert.ok(hours.some(({ windows }) => windows > 0));
    const foreign = { project_id: 'project-0', period: system.period, number: 0 };
    await assert.rejects(own.fetchAndVerifyStatement(foreign, { vkeys: [system.vkey] }), {
      code: 'not_found',
    });
  });

  test('fetchAndVerifyStatement believes neither other keys nor an API that lies', async () => {
    const name = { project_id: 'project-0', period: system.period, number: 0 };
    const { vkey } = testSigner(99, 'nepho.test');
    await assert.rejects(billing.fetchAndVerifyStatement(name, { vkeys: [vkey] }), {
      code: 'statement_refused',
      message: /at step 'signature'/,
    });
    const asked = async (change: (text: string) => string) => {
      const lying = createBillingClient({
        url: system.url,
        token: system.operatorToken,
        fetch: async (url, init) => {
          const answer = await fetch(url, init);
          return new Response(change(await answer.text()), answer);
        },
      });
      return await lying.fetchAndVerifyStatement(name, { vkeys: [system.vkey] });
    };
    assert.equal((await asked((text) => text)).statement.number, 0);
    await assert.rejects(asked((text) => text.replaceAll('50400', '50401')), {
      code: 'statement_refused',
    });
    // Genuine, and not what was asked for.
    const { bundle } = await billing.statements.bundle.query({ ...name, project_id: 'project-1' });
    const other = JSON.stringify(bundle);
    await assert.rejects(
      asked((text) => text.replace(/"bundle":"(?:[^"\\]|\\.)*"/, () => `"bundle":${other}`)),
      { code: 'statement_refused', message: /it is another one/ },
    );
  });

  test('a wrong key and a wrong cursor are told, not tried again', async () => {
    const wrong = createBillingClient({ url: system.url, token: 'nepho_op_wrong' });
    await assert.rejects(take(wrong.followStatements(), 1), { code: 'unauthenticated' });
    await assert.rejects(take(billing.followStatements({ cursor: 'x' }), 1), {
      code: 'cursor_invalid',
    });
  });

  for (const file of ['client/billing.ts', 'client/client.ts']) {
    test(`the examples of ${file} run`, async () => {
      const examples = docExamples(file);
      assert.ok(examples.length > 0);
      for (const example of examples) {
        const code = example.replaceAll('http://127.0.0.1:8777', system.url);
        await runModule(
          `import { createBillingClient, createClient } from '${CLIENT}';\n` +
            `const token = '${system.operatorToken}';\n${code}\n`,
        );
      }
    });
  }
});
