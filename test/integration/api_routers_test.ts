import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { TRPCClientError } from '@trpc/client';
import type { NephoOutputs } from '../../client/client.ts';
import { lifeOfCloud } from '../../cli/demo_cloud.ts';
import { verifyReceipt } from '../../ledger/verify_receipt.ts';
import { testSigner } from '../support/test_signer.ts';
import { DATABASES } from '../support/api_databases.ts';
import { type ApiSystem, imageUpload, startApiSystem } from '../support/api_system.ts';
import { TEST_DEPLOYMENT } from '../support/ingest_setup.ts';
import { type NatsServer, natsSkipReason, startNats } from '../support/nats_server.ts';

type Sample = NephoOutputs['samples']['get'];

const HOUR = 3_600_000;
const START_MS = Math.floor(Date.now() / HOUR) * HOUR - 24 * HOUR;
const IMAGES = 30;
const VKEYS = [testSigner(7, TEST_DEPLOYMENT).vkey];

for (const database of DATABASES) {
  describe(`the API on ${database.name}`, { skip: database.skip || natsSkipReason() }, () => {
    let nats: NatsServer;
    let server: { url: string; stop(): Promise<void> };
    let system: ApiSystem;
    const messageIds: string[] = Array.from({ length: IMAGES }, () => randomUUID());

    before(async () => {
      nats = await startNats();
      server = await database.start();
      system = await startApiSystem({ databaseUrl: server.url, natsUrl: nats.url });
      const images = messageIds.map((messageId, i) =>
        imageUpload({
          messageId,
          imageId: `image-${i % 10}`,
          projectId: `project-${i % 2}`,
          size: `9007199254740993.${i}`,
          atMs: START_MS + i * 60_000,
        }).replace(/"size":"([^"]+)"/, '"size":$1')
      );
      const demo = [...takeMessages(200)];
      await system.send([...images, ...demo, 'not json', images[0] ?? '']);
      await system.ingest();
      // Again, behind the back of the stream's own window of duplicates.
      await system.send([`${images[0]} `]);
      await system.ingest();
    });

    after(async () => {
      await system.stop();
      await server.stop();
      await nats.stop();
    });

    test('meters.list names each meter, type and unit once, page by page', async () => {
      const whole = await system.operator.meters.list.query({});
      const names = whole.meters.map((row) => `${row.meter} ${row.type} ${row.unit}`);
      assert.equal(new Set(names).size, names.length);
      assert.ok(names.includes('image.size gauge B'));
      const paged = await allPages((page) =>
        system.operator.meters.list.query({ ...page, limit: 3 }).then((answer) => ({
          rows: answer.meters,
          next: answer.next_cursor,
        }))
      );
      assert.deepEqual(paged, whole.meters);
      const ofOne = await system.operator.meters.list.query({ resource_id: 'image-3' });
      assert.deepEqual(ofOne.meters.map((row) => [row.meter, row.resources, row.projects]), [
        ['image', 1, 1],
        ['image.size', 1, 1],
        ['image.upload', 1, 1],
      ]);
    });

    test('samples.list pages through all samples in both orders, each once', async () => {
      const pagesOf = (order: 'newest' | 'oldest') =>
        allPages((page) =>
          system.operator.samples.list.query({ ...page, order, limit: 37 }).then((answer) => ({
            rows: answer.samples,
            next: answer.next_cursor,
          }))
        );
      const [newest, oldest] = [await pagesOf('newest'), await pagesOf('oldest')];
      assert.deepEqual(oldest, newest.toReversed());
      assert.equal(new Set(newest.map(({ id }) => id)).size, newest.length);
      const { logs } = await system.operator.logs.list.query();
      const leaves = logs.reduce((sum, log) => sum + log.size, 0);
      const { event_types } = await system.operator.notifications.eventTypes.query({});
      const counted = event_types.reduce((sum, row) => sum + row.samples, 0);
      assert.equal(newest.length, counted);
      // Each log begins with a key and a definition set.
      assert.equal(newest.length, leaves - 2 * logs.length);
    });

    test('samples keep every digit of their volumes', async () => {
      const { samples } = await system.operator.samples.list.query({
        meter: 'image.size',
        resource_id: 'image-7',
        order: 'oldest',
      });
      assert.deepEqual(samples.map((sample) => sample.volume), [
        '9007199254740993.7',
        '9007199254740993.17',
        '9007199254740993.27',
      ]);
    });

    test('samples.list obeys each filter', async () => {
      const list = async (filters: Parameters<typeof system.operator.samples.list.query>[0]) =>
        (await system.operator.samples.list.query({ limit: 1_000, ...filters })).samples;
      const from = new Date(START_MS + 5 * 60_000).toISOString();
      const to = new Date(START_MS + 8 * 60_000).toISOString();
      const spanned = await list({ meter: 'image.size', project_id: 'project-1', from, to });
      assert.deepEqual(spanned.map(({ resource_id }) => resource_id), ['image-7', 'image-5']);
      assert.equal((await list({ meter: 'image', metadata: { name: 'cirros' } })).length > 0, true);
      assert.equal((await list({ meter: 'image', metadata: { name: 'none' } })).length, 0);
      assert.equal((await list({ meter: 'image', source: 'elsewhere' })).length, 0);
      assert.equal((await list({ project_id: 'project-0', meter: 'image.upload' })).length, 15);
    });

    test('samples.get and samples.explain lead from a sample to its cause and its place', async () => {
      const sample = await oneSample(system, 'image-4');
      assert.deepEqual(await system.operator.samples.get.query({ id: sample.id }), sample);
      const { id, timestamp } = sample;
      assert.deepEqual(await system.operator.samples.get.query({ id, timestamp }), sample);
      const story = await system.operator.samples.explain.query({ id });
      assert.deepEqual(story.sample, sample);
      assert.ok(messageIds.includes(story.origin.id));
      assert.equal(story.origin.event_type, 'image.upload');
      const { sets } = await system.operator.definitions.list.query();
      assert.deepEqual(sets.map((set) => set.digest), [story.definitions.digest]);
      const set = await system.operator.definitions.get.query({
        digest: story.definitions.digest,
      });
      const [rule] = story.definitions.rules;
      assert.equal(story.definitions.rules.length, 1);
      const file = set.files.find(({ name }) => name === rule?.file);
      const lines = file?.text.split('\n').slice((rule?.line ?? 0) - 1) ?? [];
      assert.match(lines.slice(0, 3).join('\n'), new RegExp(`name: ${sample.meter}$`, 'm'));
      assert.ok(set.files.length > 0);
      assert.ok(set.files.every((file) => file.text.length > 0));
      const { logs } = await system.operator.definitions.current.query();
      assert.deepEqual(logs.map((log) => log.digest), [set.digest, set.digest]);
      const { receipt } = await system.operator.receipts.entry.query(story.log);
      const verified = await verifyReceipt(receipt, { vkeys: VKEYS });
      assert.ok(verified.ok);
      assert.ok(verified.entry.kind === 'sample' && verified.entry.id === id);
    });

    test('receipts.sample verifies offline, with and without metadata, and by no other key', async () => {
      const sample = await oneSample(system, 'image-5');
      const full = await system.operator.receipts.sample.query({ id: sample.id });
      const verified = await verifyReceipt(full.receipt, { vkeys: VKEYS });
      assert.ok(verified.ok);
      assert.deepEqual(JSON.parse(verified.metadata ?? ''), sample.metadata);
      assert.equal(verified.index, full.leaf_index);
      const bare = await system.operator.receipts.sample.query({
        id: sample.id,
        include_metadata: false,
      });
      const verifiedBare = await verifyReceipt(bare.receipt, { vkeys: VKEYS });
      assert.ok(verifiedBare.ok && verifiedBare.metadata === null);
      const foreign = await verifyReceipt(full.receipt, {
        vkeys: [testSigner(8, TEST_DEPLOYMENT).vkey],
      });
      assert.ok(!foreign.ok && foreign.step === 'signature');
      const { keys } = await system.client(null).logs.keys.query();
      assert.deepEqual(keys.map((key) => key.vkey), VKEYS);
    });

    test('statistics.query adds up exactly, by group and by period', async () => {
      const { statistics } = await system.operator.statistics.query.query({
        meter: 'image.size',
        from: new Date(START_MS).toISOString(),
        to: new Date(START_MS + IMAGES * 60_000).toISOString(),
        group_by: ['project_id'],
        metadata: { name: 'cirros' },
      });
      const rows = statistics.filter(({ group }) => group.project_id?.startsWith('project-'));
      assert.deepEqual(rows.map((row) => [row.group.project_id, row.count, row.sum, row.min]), [
        ['project-0', 15, '135107988821114898.9', '9007199254740993'],
        ['project-1', 15, '135107988821114899.5', '9007199254740993.1'],
      ]);
      const periods = await system.operator.statistics.query.query({
        meter: 'image.upload',
        project_id: 'project-0',
        from: new Date(START_MS).toISOString(),
        period_seconds: 600,
      });
      assert.deepEqual(periods.statistics.map((row) => row.count), [5, 5, 5]);
    });

    test('resources.list and resources.get show what has samples', async () => {
      const paged = await allPages((page) =>
        system.operator.resources.list.query({ ...page, meter: 'image.upload', limit: 4 })
          .then((answer) => ({ rows: answer.resources, next: answer.next_cursor }))
      );
      const ids = paged.map((row) => row.resource_id).filter((id) => id.startsWith('image-'));
      assert.deepEqual(ids, Array.from({ length: 10 }, (_, i) => `image-${i}`));
      const one = await system.operator.resources.get.query({ resource_id: 'image-2' });
      assert.deepEqual(one.meters, ['image', 'image.size', 'image.upload']);
      assert.equal(one.project_id, 'project-0');
      assert.equal(one.metadata['name'], 'cirros');
    });

    test('notifications.explain tells samples, repetitions and what is unmatched', async () => {
      const [first = ''] = messageIds;
      const story = await system.operator.notifications.explain.query({ message_id: first });
      const [one] = story.understood;
      assert.deepEqual(one?.samples.map(({ meter }) => meter).sort(), [
        'image',
        'image.size',
        'image.upload',
      ]);
      assert.equal(one?.redelivered, 1);
      assert.equal(one?.outcome, 'samples');
      const unmatched = randomUUID();
      await system.send([
        JSON.stringify({ message_id: unmatched, event_type: 'nobody.knows', payload: {} }),
      ]);
      await system.ingest();
      const other = await system.operator.notifications.explain.query({ message_id: unmatched });
      assert.deepEqual(other.understood.map(({ outcome }) => outcome), ['unmatched']);
    });

    test('the quarantine shows the original bytes, and a retry brings them in again', async () => {
      const { messages } = await system.operator.quarantine.list.query({ reason: 'not_json' });
      assert.equal(messages.length, 1);
      const [kept] = messages;
      const quarantine_id = kept?.quarantine_id ?? 0;
      const shown = await system.operator.quarantine.show.query({ quarantine_id });
      assert.equal(atob(shown.base64), 'not json');
      const retried = await system.operator.quarantine.retry.mutate({
        quarantine_ids: [quarantine_id, 987_654],
      });
      assert.deepEqual(retried.messages.map(({ result }) => result), ['retried', 'not_found']);
      await system.ingest();
      const again = await system.operator.quarantine.show.query({ quarantine_id });
      assert.deepEqual([again.status, again.attempts], ['open', 2]);
      const discard = () =>
        system.operator.quarantine.discard.mutate({
          quarantine_ids: [quarantine_id],
          note: 'a test',
        });
      assert.equal((await discard()).messages[0]?.result, 'discarded');
      assert.equal((await discard()).messages[0]?.result, 'already_decided');
      const decided = await system.operator.quarantine.show.query({ quarantine_id });
      assert.equal(decided.note, 'a test');
      assert.match(decided.decided_by ?? '', /^key-/);
    });

    test('a conflict of contents is told under the message id', async () => {
      const message = {
        messageId: messageIds[1] ?? '',
        imageId: 'image-1',
        projectId: 'project-1',
      };
      await system.send([imageUpload({ ...message, size: 1, atMs: START_MS })]);
      await system.ingest();
      const story = await system.operator.notifications.explain.query({
        message_id: message.messageId,
      });
      assert.deepEqual(story.quarantined.map(({ reason }) => reason), ['content_conflict']);
      assert.equal(story.understood.length, 1);
    });

    test('keys are shown once, listed without their secrets, and end at once', async () => {
      const { key, secret } = await system.operator.keys.create.mutate({
        name: 'billing',
        role: 'project',
        project_id: 'project-1',
      });
      const client = system.client(secret);
      assert.deepEqual(await client.keys.whoami.query(), {
        api_key_id: key.api_key_id,
        role: 'project',
        project_id: 'project-1',
      });
      const listed = await system.operator.keys.list.query();
      assert.equal(JSON.stringify(listed).includes(secret), false);
      const stored = await system.db.pool.query('SELECT * FROM api_keys');
      assert.equal(JSON.stringify(stored.rows).includes(secret), false);
      await system.operator.keys.revoke.mutate({ api_key_id: key.api_key_id });
      assert.equal(await codeOf(client.keys.whoami.query()), 'unauthenticated');
      const expired = await codeOf(system.operator.keys.create.mutate({
        name: 'late',
        role: 'operator',
        expires_at: '2020-01-01',
      }));
      assert.equal(expired, 'range_invalid');
    });

    test('a cursor of another query or another key is refused', async () => {
      const { next_cursor } = await system.operator.samples.list.query({
        meter: 'image',
        limit: 2,
      });
      const cursor = next_cursor ?? '';
      const list = system.operator.samples.list;
      assert.equal(
        await codeOf(list.query({ meter: 'image.size', cursor })),
        'cursor_of_another_query',
      );
      assert.equal(
        await codeOf(list.query({ meter: 'image', order: 'oldest', cursor })),
        'cursor_of_another_query',
      );
      const project = system.client(await system.projectToken('project-0'));
      assert.equal(
        await codeOf(project.samples.list.query({ meter: 'image', cursor })),
        'cursor_of_another_query',
      );
      assert.equal(await codeOf(list.query({ meter: 'image', cursor: 'x' })), 'cursor_invalid');
      // Another size of page is the same query.
      await list.query({ meter: 'image', limit: 5, cursor });
    });

    test('health says that database and intake answer', async () => {
      assert.deepEqual(await system.client(null).health.check.query(), {
        status: 'ok',
        parts: { database: true, intake: true, temporal: null },
      });
    });
  });
}

function* takeMessages(count: number): Generator<string> {
  let taken = 0;
  for (const { body } of lifeOfCloud({ seed: 'api', startMs: START_MS })) {
    if (taken === count) return;
    taken += 1;
    yield body;
  }
}

async function allPages<Row>(
  read: (page: { cursor?: string }) => Promise<{ rows: Row[]; next: string | null }>,
): Promise<Row[]> {
  const rows: Row[] = [];
  let cursor: string | null = null;
  do {
    const page: { rows: Row[]; next: string | null } = await read(
      cursor === null ? {} : { cursor },
    );
    rows.push(...page.rows);
    cursor = page.next;
  } while (cursor !== null);
  return rows;
}

async function oneSample(system: ApiSystem, resource: string): Promise<Sample> {
  const { samples: [sample] } = await system.operator.samples.list.query({
    resource_id: resource,
    limit: 1,
  });
  assert.ok(sample);
  return sample;
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
