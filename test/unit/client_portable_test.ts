import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { test } from 'node:test';

const ROOT = resolve(import.meta.dirname, '../..');
/** Imports that remain when types are erased. */
const IMPORT = /^(?:import|export)\s+(?!type\b)(?:[^'"`;]*?from\s*)?['"]([^'"]+)['"]/gms;
const PACKAGES = ['@trpc/client', '@noble/hashes/sha2.js', 'eventsource'];

test("the client's entry loads no code of the server and nothing of Node", () => {
  const open = [resolve(ROOT, 'client/mod.ts')];
  const seen = new Set<string>();
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    const folder = relative(ROOT, file).split('/')[0] ?? '';
    assert.ok(['client', 'ledger', 'meters'].includes(folder), relative(ROOT, file));
    for (const [, name = ''] of readFileSync(file, 'utf8').matchAll(IMPORT)) {
      if (name.startsWith('.')) open.push(resolve(file, '..', name));
      else assert.ok(PACKAGES.includes(name), `${relative(ROOT, file)} imports ${name}`);
    }
  }
  assert.ok(seen.size > 10);
});

test('the package is entered by its name', async () => {
  const entry = await import('nepho/client');
  assert.deepEqual(Object.keys(entry).sort(), [
    'createBillingClient',
    'createClient',
    'explainCallError',
    'fetchLog',
    'verifyLog',
    'verifyReceipt',
    'verifyStatement',
    'verifyWebhook',
    'verifyWindow',
  ]);
});
