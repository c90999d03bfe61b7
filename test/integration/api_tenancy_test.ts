import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import type { NephoOutputs } from '../../client/client.ts';
import { parseEntry } from '../../ledger/entry.ts';
import { parseReceipt } from '../../ledger/receipt.ts';
import { appRouter } from '../../api/root.ts';
import { loadUsageRules } from '../../cli/usage_rules_file.ts';
import { formatMillis } from '../../meters/timestamp.ts';
import { DATABASES } from '../support/api_databases.ts';
import { type ApiSystem, imageUpload, startApiSystem } from '../support/api_system.ts';
import { type NatsServer, natsSkipReason, startNats } from '../support/nats_server.ts';
import { sealLogs } from '../support/seal_logs.ts';
import { testKeyPem } from '../support/test_signer.ts';

type Sample = NephoOutputs['samples']['get'];

const START_MS = Date.now() - 3_600_000;
const PROJECTS = ['alpha', 'beta', 'gamma'];
const IMAGES = 60;
/** Every operation that a project's key must never get an answer from. */
const OPERATORS_ONLY = [
  'quarantine.list',
  'quarantine.show',
  'quarantine.retry',
  'quarantine.discard',
  'audits.list',
  'audits.runs',
  'audits.explain',
  'audits.run',
  'actors.list',
  'actors.describe',
  'actors.pause',
  'actors.resume',
  'actors.drain',
  'actors.look',
  'definitions.get',
  'definitions.reloadStatus',
  'keys.create',
  'keys.list',
  'keys.revoke',
  'notifications.publish',
  'notifications.eventTypes',
  'sources.plan',
  'sources.applyPlan',
  'sources.list',
  'sources.describe',
  'sources.pause',
  'sources.resume',
  'sources.trigger',
  'sources.backfill',
  'coverage.list',
  'coverage.gaps',
  'statements.resend',
  'statements.actor',
  'statements.approve',
  'statements.reject',
  'statements.pause',
  'statements.resume',
];

describe('tenancy', { skip: DATABASES[0]?.skip || natsSkipReason() }, () => {
  let nats: NatsServer;
  let server: { url: string; stop(): Promise<void> };
  let system: ApiSystem;
  let all: Sample[];
  const tokens = new Map<string, string>();

  before(async () => {
    nats = await startNats();
    server = await (DATABASES[0] as (typeof DATABASES)[number]).start();
    system = await startApiSystem({ databaseUrl: server.url, natsUrl: nats.url });
    await system.send(Array.from({ length: IMAGES }, (_, i) =>
      imageUpload({
        messageId: `message-${i}`,
        // Some resources are of several projects over time, as after a transfer.
        imageId: `image-${i % 7}`,
        projectId: PROJECTS[i % 3] ?? '',
        size: i,
        atMs: START_MS + i * 1_000,
        name: `name-${i % 4}`,
      })));
    await system.ingest();
    await sealLogs(system.db.pool, {
      shards: 2,
      signingKey: testKeyPem(7),
      rules: await loadUsageRules(),
      until: formatMillis(Math.ceil((START_MS + 120_000) / 3_600_000) * 3_600_000),
    });
    all = (await system.operator.samples.list.query({ limit: 1_000 })).samples;
    assert.equal(all.length, IMAGES * 3);
    for (const project of [...PROJECTS, 'nobody']) {
      tokens.set(project, await system.projectToken(project));
    }
  });

  after(async () => {
    await system.stop();
    await server.stop();
    await nats.stop();
  });

  const clientOf = (project: string) => system.client(tokens.get(project) ?? null);
  const anyProject = fc.constantFrom(...PROJECTS, 'nobody');
  const anyFilter = fc.record({
    project_id: fc.constantFrom(...PROJECTS, 'nobody', null),
    resource_id: fc.constantFrom('image-0', 'image-1', 'image-2', 'other'),
    meter: fc.constantFrom('image', 'image.size', 'image.upload'),
    metadata: fc.constantFrom<Record<string, string | string[]>>(
      { name: 'name-1' },
      { name: ['name-2', 'name-3'] },
    ),
    from: fc.integer({ min: 0, max: IMAGES }).map((i) => isoAt(i)),
    to: fc.integer({ min: IMAGES + 1, max: 2 * IMAGES }).map((i) => isoAt(i)),
  }, { requiredKeys: [] });

  test('samples.list gives a project exactly its own samples, whatever it asks for', async () => {
    await fc.assert(
      fc.asyncProperty(
        anyProject,
        anyFilter,
        fc.integer({ min: 1, max: 40 }),
        async (project, filter, limit) => {
          const list = clientOf(project).samples.list;
          const seen: Sample[] = [];
          let cursor: string | undefined;
          do {
            const page = await list.query({
              ...filter,
              limit,
              ...cursor === undefined ? {} : { cursor },
            });
            seen.push(...page.samples);
            cursor = page.next_cursor ?? undefined;
          } while (cursor !== undefined);
          const own = all.filter((sample) => sample.project_id === project);
          const whole = await system.operator.samples.list.query({ ...filter, limit: 1_000 });
          const expected = whole.samples.filter((sample) => sample.project_id === project);
          assert.deepEqual(seen, expected);
          assert.ok(seen.every((sample) => own.some(({ id }) => id === sample.id)));
        },
      ),
      { numRuns: 40 },
    );
  });

  test("statistics, meters and resources count a project's own samples alone", async () => {
    await fc.assert(
      fc.asyncProperty(anyProject, anyFilter, async (project, filter) => {
        const { statistics } = await clientOf(project).statistics.query.query({
          ...filter,
          group_by: ['project_id'],
        });
        assert.ok(statistics.every(({ group }) => group.project_id === project));
        const { metadata: _, ...plain } = filter;
        const { resources } = await clientOf(project).resources.list.query(plain);
        assert.ok(resources.every((row) => row.project_id === project));
        const { from: _from, to: _to, ...series } = plain;
        const { meters } = await clientOf(project).meters.list.query(series);
        assert.ok(meters.every((row) => row.projects === 1));
        const isForeign = filter.project_id !== undefined && filter.project_id !== project;
        if (isForeign || project === 'nobody') {
          assert.deepEqual([statistics, resources, meters], [[], [], []]);
        }
      }),
      { numRuns: 40 },
    );
  });

  test('by id and by leaf a project gets its own samples and receipts, and no others', async () => {
    for (const sample of all.filter((_, i) => i % 12 === 0)) {
      const story = await system.operator.samples.explain.query({ id: sample.id });
      for (const project of PROJECTS) {
        const client = clientOf(project);
        const isOwn = sample.project_id === project;
        const answers = await Promise.allSettled([
          client.samples.get.query({ id: sample.id }),
          client.samples.explain.query({ id: sample.id }),
          client.receipts.sample.query({ id: sample.id }),
          client.receipts.entry.query(story.log),
          client.notifications.explain.query({ message_id: story.origin.id }),
        ]);
        assert.deepEqual(
          answers.map(({ status }) => status === 'fulfilled'),
          answers.map(() => isOwn),
        );
      }
    }
  });

  test('no leaf of any log shows a project an entry of another', async () => {
    const { logs } = await system.operator.logs.list.query();
    for (const log of logs) {
      for (let leaf = 0; leaf < log.size + 2; leaf += 3) {
        const place = { log_id: log.log_id, leaf_index: leaf };
        const answer = await clientOf('beta').receipts.entry.query(place).catch(() => null);
        if (answer === null) continue;
        const entry = parseEntry(parseReceipt(answer.receipt).entry);
        assert.ok(entry.kind !== 'sample' || entry.project_id === 'beta');
      }
    }
  });

  test('what is foreign is answered by the same bytes as what does not exist', async () => {
    const foreign = all.find((sample) => sample.project_id === 'alpha');
    assert.ok(foreign);
    const { log, origin } = await system.operator.samples.explain.query({ id: foreign.id });
    const absent = 'f'.repeat(32);
    const { windows } = await system.operator.windows.list.query({ project_id: 'alpha' });
    assert.ok(windows[0] !== undefined);
    const window = { series: windows[0].series, start: windows[0].start };
    const statement = { period: '2026-10', number: 0 };
    const range = { meter: 'image.size', from: isoAt(0), to: isoAt(7_200) };
    const [beta, nobody] = [tokens.get('beta') ?? '', tokens.get('nobody') ?? ''];
    const pairs: [string, object, object][] = [
      ['samples.get', { id: foreign.id }, { id: absent }],
      [
        'samples.get',
        { id: foreign.id, timestamp: foreign.timestamp },
        { id: absent, timestamp: foreign.timestamp },
      ],
      ['samples.explain', { id: foreign.id }, { id: absent }],
      ['receipts.sample', { id: foreign.id }, { id: absent }],
      ['receipts.entry', log, { log_id: 0, leaf_index: 1_000_000 }],
      ['receipts.entry', log, { log_id: 77, leaf_index: 0 }],
      ['notifications.explain', { message_id: origin.id }, { message_id: 'none' }],
      ['samples.list', { project_id: 'alpha' }, { project_id: 'absent' }],
      ['resources.list', { project_id: 'alpha' }, { project_id: 'absent' }],
      ['meters.list', { project_id: 'alpha' }, { project_id: 'absent' }],
      ['statements.list', { project_id: 'alpha' }, { project_id: 'absent' }],
      ['statements.get', { project_id: 'alpha', period: '2026-10' }, {
        project_id: 'absent',
        period: '2026-10',
      }],
      ['statistics.query', { project_id: 'alpha' }, { project_id: 'absent' }],
      ['windows.list', { project_id: 'alpha' }, { project_id: 'absent' }],
      ['windows.get', window, { ...window, series: absent }],
      ['windows.explain', window, { ...window, series: absent }],
      ['proofs.window', window, { ...window, series: absent }],
      ['proofs.statement', { ...statement, project_id: 'alpha' }, {
        ...statement,
        project_id: 'absent',
      }],
      ['statements.explainLine', { ...statement, project_id: 'alpha', line: 0 }, {
        ...statement,
        project_id: 'absent',
        line: 0,
      }],
      ['usage.query', { ...range, project_id: 'alpha' }, { ...range, project_id: 'absent' }],
    ];
    for (const token of [beta, nobody]) {
      for (const [procedure, one, other] of pairs) {
        assert.equal(
          await rawAnswer(procedure, one, token),
          await rawAnswer(procedure, other, token),
          procedure,
        );
      }
    }
  });

  test('without a key, or with a wrong one, no tenant data and no order is answered', async () => {
    const isPublic = /^(?:health\.|logs\.|proofs\.(?:inclusion|consistency)$)/;
    const names = Object.keys(appRouter._def.procedures);
    assert.ok(names.length > 25);
    for (const name of names) {
      for (const token of [null, 'nepho_wrong_wrong_wrong']) {
        const answer = await request(name, {}, token);
        if (isSubscription(name)) {
          const text = await answer.text();
          assert.match(text, /"error_code":"(?:unauthenticated|too_many_attempts)"/, name);
          assert.doesNotMatch(text, /^id: /m, name);
          continue;
        }
        if (isPublic.test(name) && token === null) assert.notEqual(answer.status, 401, name);
        else assert.ok([401, 429].includes(answer.status), `${name}: ${answer.status}`);
      }
    }
  });

  test("a project's key never does what is an operator's", async () => {
    const names = Object.keys(appRouter._def.procedures);
    const refused: string[] = [];
    for (const name of names) {
      const answer = await request(name, {}, tokens.get('alpha') ?? '');
      if (answer.status === 403) refused.push(name);
      if (isSubscription(name)) await answer.body?.cancel();
    }
    assert.deepEqual(refused.sort(), OPERATORS_ONLY.toSorted());
  });

  /** The whole answer, headers included, apart from what differs from one moment to the next. */
  async function rawAnswer(procedure: string, input: object, token: string): Promise<string> {
    const response = await request(procedure, input, token);
    const headers = [...response.headers].filter(([name]) => name !== 'date');
    return JSON.stringify([response.status, headers, await response.text()]);
  }

  async function request(procedure: string, input: object, token: string | null) {
    const url = new URL(`/trpc/${procedure}`, system.url);
    const headers = {
      'x-request-id': 'the-same',
      'content-type': 'application/json',
      ...token === null ? {} : { authorization: `Bearer ${token}` },
    };
    if (typeOf(procedure) === 'mutation') {
      return await fetch(url, { method: 'POST', headers, body: JSON.stringify(input) });
    }
    url.searchParams.set('input', JSON.stringify(input));
    return await fetch(url, { headers });
  }
});

function isoAt(second: number): string {
  return new Date(START_MS + second * 1_000).toISOString();
}

function typeOf(procedure: string): string | undefined {
  const procedures = appRouter._def.procedures as unknown as Record<
    string,
    { _def: { type: string } }
  >;
  return procedures[procedure]?._def.type;
}

function isSubscription(procedure: string): boolean {
  return typeOf(procedure) === 'subscription';
}
