import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createApiKey, findApiKey, listApiKeys, revokeApiKey } from '../../db/api_keys.ts';
import { findDefinitionSet, listDefinitionSets } from '../../db/definition_sets.ts';
import { listEventCounts, sumEventCounts } from '../../db/event_counts.ts';
import { explainOrigin, readOrigin } from '../../db/origins.ts';
import { decideQuarantine, listQuarantine, readQuarantine } from '../../db/quarantine.ts';
import { definitionsDigest } from '../../ledger/identity.ts';
import type { Sample } from '../../meters/sample.ts';
import { DEFINITION_FILES, SOURCE } from '../support/written_log.ts';
import { allPages, BORDER, FIRST, type LogSuite, SAMPLES, wire } from './db_model.ts';

/** Notifications, quarantine, counts, definitions and keys. */
export function originSuite(suite: LogSuite): void {
  test('a notification is explained: to an operator wholly, to a project its own share', async () => {
    const twin = { ...SAMPLES[0] as Sample, resource_id: 'r-a', project_id: 'p-1' };
    const shared = [twin, { ...twin, resource_id: 'r-b', project_id: 'p-2' }];
    const notifications = [
      { origin: 'message-shared', eventType: 'shared', readings: shared },
      { origin: 'message-unmatched', eventType: 'nobody.knows', readings: [] },
    ];
    await suite.log.append('2026-11-21T00:00:00.000000Z', notifications);
    const again = await suite.log.append('2026-11-21T00:00:01.000000Z', notifications);
    assert.deepEqual([again.samples, again.duplicates], [0, 2]);
    const other = [{ ...notifications[0]!, content: '2' }];
    const conflict = await suite.log.append('2026-11-21T00:00:02.000000Z', other);
    assert.deepEqual([conflict.conflicts, conflict.quarantined], [1, 1]);

    const whole = await explainOrigin(suite.db.pool, 'all', 'message-shared');
    const [told] = whole.understood;
    assert.deepEqual(
      [told?.outcome, told?.eventType, told?.redelivered, told?.samples.length],
      ['samples', 'shared', 1, 2],
    );
    assert.deepEqual(whole.quarantined.map(({ reason }) => reason), ['content_conflict']);
    const part = await explainOrigin(suite.db.pool, { projectId: 'p-1' }, 'message-shared');
    assert.deepEqual(
      part.understood.map((one) => wire(one.samples).map((s) => s.resource_id)),
      [
        ['r-a'],
      ],
    );
    assert.equal(part.understood[0]?.sampleCount, 1);
    assert.deepEqual(part.quarantined, []);
    const nothing = { understood: [], quarantined: [] };
    const foreign = await explainOrigin(suite.db.pool, { projectId: 'p-9' }, 'message-shared');
    assert.deepEqual(foreign, nothing);
    const unmatched = await explainOrigin(suite.db.pool, 'all', 'message-unmatched', {
      sources: [SOURCE],
    });
    assert.deepEqual(unmatched.understood.map((one) => [one.outcome, one.samples]), [
      ['unmatched', []],
    ]);
    const project = { projectId: 'p-1' };
    assert.deepEqual(await explainOrigin(suite.db.pool, project, 'message-unmatched'), nothing);
    assert.equal(await readOrigin(suite.db.pool, SOURCE, 'message-none'), null);
  });

  test('quarantined bytes are kept as they came, and decided on once', async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    const reject = {
      bytes,
      reason: 'not_utf8',
      place: null,
      detail: 'byte 128',
      eventType: null,
      origin: null,
      via: 'rabbitmq',
      streamSequence: 9_007_199_254_740_991,
    };
    await suite.log.append('2026-11-21T00:00:03.000000Z', [], [reject]);
    const page = await listQuarantine(suite.db.pool, { reason: 'not_utf8' }, { limit: 1 });
    const id = page.rows[0]?.quarantineId ?? 0;
    const kept = await readQuarantine(suite.db.pool, id);
    assert.deepEqual([...kept?.bytes ?? []], [...bytes]);
    assert.equal(kept?.streamSequence, 9_007_199_254_740_991);
    const decision = { status: 'discarded', by: 'key-1', at: BORDER, note: 'test' } as const;
    const decided = await Promise.all(
      [1, 2].map(() => decideQuarantine(suite.db.pool, id, ['open'], decision)),
    );
    assert.equal(decided.filter((one) => one?.status === 'discarded').length, 1);
    assert.equal((await readQuarantine(suite.db.pool, id))?.decidedAt, BORDER);
    const all = await allPages((cursor) => listQuarantine(suite.db.pool, {}, { limit: 1, cursor }));
    assert.equal(all.length, 2);
  });

  test('events are counted by type, and add up', async () => {
    const counts = await allPages((cursor) => listEventCounts(suite.db.pool, { limit: 2, cursor }));
    const sums = await sumEventCounts(suite.db.pool);
    assert.equal(counts.reduce((sum, one) => sum + one.samples, 0), sums.samples);
    assert.equal(sums.samples, SAMPLES.length + 2);
    assert.equal(counts.find((one) => one.eventType === 'nobody.knows')?.unmatched, 1);
  });

  test('definition sets keep the texts of their files', async () => {
    const set = await findDefinitionSet(suite.db.pool, definitionsDigest(DEFINITION_FILES));
    assert.deepEqual(set?.files.map(({ name, text }) => ({ name, text })), DEFINITION_FILES);
    const [listed] = await listDefinitionSets(suite.db.pool);
    assert.deepEqual(Object.keys(listed?.files[0] ?? {}).sort(), ['name', 'sha256']);
    assert.equal(await findDefinitionSet(suite.db.pool, '0'.repeat(64)), null);
  });

  test('an API key is found by the digest of its secret and keeps the time of its end', async () => {
    const digest = Buffer.alloc(32, 7);
    const key = await createApiKey(suite.db.pool, {
      apiKeyId: 'key-1',
      name: 'billing',
      role: 'project',
      projectId: 'p-1',
      digest,
      createdAt: FIRST,
      expiresAt: null,
    });
    assert.deepEqual(await findApiKey(suite.db.pool, digest), key);
    assert.equal(await findApiKey(suite.db.pool, Buffer.alloc(32)), null);
    assert.equal((await revokeApiKey(suite.db.pool, 'key-1', BORDER))?.revoked_at, BORDER);
    assert.equal((await revokeApiKey(suite.db.pool, 'key-1', FIRST))?.revoked_at, BORDER);
    assert.equal(await revokeApiKey(suite.db.pool, 'key-2', FIRST), null);
    assert.deepEqual((await listApiKeys(suite.db.pool)).map((one) => one.api_key_id), ['key-1']);
  });
}
