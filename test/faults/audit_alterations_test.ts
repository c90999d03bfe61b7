import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { type Alteration, alterationsOf, EVIDENCE } from '../support/altered_columns.ts';
import { AuditWorld } from '../support/audit_world.ts';
import { testSigner } from '../support/test_signer.ts';
import { windowSkipReason } from '../support/window_world.ts';

/** Audits at once: each in a transaction of its own, which no other sees. */
const LANES = 3;

describe('an audit of everything', { skip: windowSkipReason() }, () => {
  let world: AuditWorld;

  before(async () => {
    world = await AuditWorld.start();
  });

  after(async () => {
    await world?.stop();
  });

  test('finds nothing in what was written as it should be, and says how much it looked at', async () => {
    const { differences, checked } = await world.audit();
    assert.deepEqual(differences, []);
    for (
      const what of [
        'entries',
        'tiles',
        'windows',
        'rollups',
        'statements',
        'histories',
        'archives',
      ]
    ) {
      assert.ok((checked[what] ?? 0) > 0, what);
    }
  });

  test('finds a change of one bit in any column of any table, and names the table', async (t) => {
    await world.allowAnyNumber();
    const alterations = await alterationsOf(world.pool, 1);
    const rest = [...alterations];
    const missed: string[] = [];
    await Promise.all(Array.from({ length: LANES }, async () => {
      for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
        missed.push(...await missedBy(world, next));
      }
    }));
    t.diagnostic(`${alterations.length} alterations`);
    assert.deepEqual(missed, []);
    assert.deepEqual(new Set(alterations.map(({ table }) => table)), new Set<string>(EVIDENCE));
  });

  test('finds that a row is gone, of any table', async () => {
    const missed: string[] = [];
    for (const table of EVIDENCE) {
      const statement = `DELETE FROM ${table} WHERE ctid = (SELECT max(ctid) FROM ${table})`;
      missed.push(...await missedBy(world, { table, column: '', statement, otherwise: statement }));
    }
    assert.deepEqual(missed, []);
  });
});

describe('an audit after samples were archived and a key was replaced', {
  skip: windowSkipReason(),
}, () => {
  let world: AuditWorld;

  before(async () => {
    world = await AuditWorld.start();
    await world.dropArchived();
  });

  after(async () => {
    await world?.stop();
  });

  test('finds nothing where nothing was altered', async () => {
    const { differences, steps } = await world.audit();
    assert.deepEqual(differences, []);
    assert.ok(steps.some(({ says }) => says.includes('their samples are in samples_2026_10')));
  });

  test('finds an altered window whose samples are gone', async () => {
    const { differences } = await world.auditAfter(
      `UPDATE windows SET sum = sum + 1 WHERE start = '2026-10-31T22:00:00Z' AND place = 0 AND revision = 0`,
    );
    assert.ok(differences.some(({ subject }) => subject.startsWith('windows: 2026-10-31T22')));
  });

  test('finds an altered byte of the archive', async () => {
    const path = world.archives.pathOf('samples_2026_10');
    const whole = await readFile(path);
    await writeFile(path, whole.map((byte, at) => at === 100 ? byte ^ 1 : byte));
    const { differences } = await world.audit();
    assert.ok(differences.some(({ subject }) => subject === 'archives: samples_2026_10'));
    await writeFile(path, whole);
  });

  test('believes what a former key signed, by the new key alone', async () => {
    const vkey = await world.rotateKey();
    const { differences } = await world.audit(world.pool, [vkey]);
    assert.deepEqual(differences, []);
    const stranger = testSigner(9).vkey;
    const unbelieved = await world.audit(world.pool, [stranger]);
    assert.ok(unbelieved.differences.some(({ check }) => check === 'entry_unproven'));
  });
});

async function missedBy(world: AuditWorld, alteration: Alteration): Promise<string[]> {
  const { table, column, statement, otherwise } = alteration;
  const { differences } = await world.auditAfter(statement, otherwise);
  const isNamed = differences.some(({ subject, detail }) => `${subject} ${detail}`.includes(table));
  return isNamed ? [] : [`${table}.${column}: ${statement}: ${JSON.stringify(differences)}`];
}
