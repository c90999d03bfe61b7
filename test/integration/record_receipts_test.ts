/** Who gets the receipt of an entry that is no sample: its project, everybody, or an operator alone. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Principal } from '../../api/principal.ts';
import { receiptOf } from '../../api/receipts.ts';
import { createDatabase, type Database } from '../../db/client.ts';
import { appendAsGuest } from '../../db/log_guest.ts';
import { databaseLog } from '../../db/log_tiles.ts';
import { migrate } from '../../db/migrate.ts';
import { parseEntry } from '../../ledger/entry.ts';
import { parseReceipt } from '../../ledger/receipt.ts';
import { verifyReceipt } from '../../ledger/verify_receipt.ts';
import { type DatabaseChoice, DATABASES } from '../support/api_databases.ts';
import { testSigner } from '../support/test_signer.ts';
import { usageVectors } from '../support/usage_vectors.ts';
import { WrittenLog } from '../support/written_log.ts';

const SIGNER = testSigner();
const UNKNOWN = '{"kind":"rating","project_id":"p1","v":1}';
const project = (projectId: string): Principal => ({ role: 'project', keyId: 'k', projectId });
const OPERATOR: Principal = { role: 'operator', keyId: 'k' };

describe('receipts of records', () => {
  let server: Awaited<ReturnType<DatabaseChoice['start']>>;
  let db: Database;
  let entries: string[];

  before(async () => {
    // The first that can be had here: PGlite can be had everywhere.
    const choice = DATABASES.find(({ skip }) => skip === false);
    assert(choice !== undefined);
    server = await choice.start();
    db = createDatabase(server.url);
    await migrate(db.pool);
    await WrittenLog.open(db.pool);
    const records = (await usageVectors()).entries.map(({ kind, entry }) => ({ kind, entry }));
    records.push({ kind: 'rating', entry: UNKNOWN });
    entries = records.map(({ entry }) => entry);
    const options = { signers: [SIGNER], now: () => '2026-11-22T09:00:00.000000Z' };
    await appendAsGuest(db.pool, 0, options, () => Promise.resolve({ records, result: null }));
  });

  after(async () => {
    await db.close();
    await server.stop();
  });

  /** The kinds of entries whose receipts are given away, in the order of the log. */
  async function kindsFor(principal: Principal): Promise<string[]> {
    const deps = {
      db: db.pool,
      archives: null,
      openLog: (logId: number) => databaseLog(db.pool, logId, null),
    };
    const kinds: string[] = [];
    for (const [leaf, entry] of entries.entries()) {
      try {
        const text = await receiptOf(deps, { logId: 0, leaf }, { principal, metadata: null });
        assert.equal(parseReceipt(text).entry, entry);
        if (entry !== UNKNOWN) {
          const verdict = await verifyReceipt(text, { vkeys: [SIGNER.vkey] });
          assert(verdict.ok, JSON.stringify(verdict));
        }
        kinds.push(entry === UNKNOWN ? 'unknown' : parseEntry(entry).kind);
      } catch (error) {
        assert.equal((error as { message: string }).message, 'Cannot find an entry at this place');
      }
    }
    return kinds;
  }

  const PUBLIC = ['key', 'definitions', 'usage_rules', 'seal'];

  test('an operator gets all, of kinds too that only a newer version understands', async () => {
    assert.deepEqual(await kindsFor(OPERATOR), [
      ...PUBLIC,
      'statement',
      'revision',
      'statement',
      'history',
      'archive',
      'unknown',
    ]);
  });

  test("a project gets its own revisions and statements, and what is nobody's", async () => {
    assert.deepEqual(await kindsFor(project('p1')), [
      ...PUBLIC,
      'statement',
      'revision',
      'statement',
    ]);
  });

  test("another project gets what is nobody's, and no word of others", async () => {
    assert.deepEqual(await kindsFor(project('p2')), PUBLIC);
    const seal = entries.find((entry) => entry.includes('"kind":"seal"')) ?? '';
    assert(!seal.includes('"p1"') && !seal.includes('"p2"'));
  });
});
