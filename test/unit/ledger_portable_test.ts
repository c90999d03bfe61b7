import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';
import { sha256 as portableSha256 } from '@noble/hashes/sha2.js';
import fc from 'fast-check';
import { makeReceipt } from '../../ledger/prove.ts';
import { formatReceipt } from '../../ledger/receipt.ts';
import { sha256, sha256Hex } from '../../ledger/sha256.ts';
import { formatTilePath, tilesOf } from '../../ledger/tile.ts';
import { MemoryLog, testEntries } from '../support/memory_log.ts';
import { testSigner } from '../support/test_signer.ts';
import { usageVectors } from '../support/usage_vectors.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const require = createRequire(import.meta.url);

/** What a browser, or a verifier of any kind, loads. */
const PORTABLE = [
  'verify_receipt',
  'verify_window',
  'verify_statement',
  'verify_log',
  'fetch_log',
  'prove',
  'prove_window',
  'keyring',
  'receipt',
];

/** Imports that remain when types are erased: `import type` is gone, `import { type T }` is not. */
const IMPORT = /^(?:import|export)\s+(?!type\b)(?:[^'"`;]*?from\s*)?['"]([^'"]+)['"]/gms;

async function graphOf(entry: string): Promise<Map<string, string[]>> {
  const graph = new Map<string, string[]>();
  const open = [entry];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (graph.has(file)) continue;
    const imports = [...(await readFile(file, 'utf8')).matchAll(IMPORT)].map(([, name = '']) =>
      name
    );
    graph.set(file, imports);
    for (const name of imports) {
      if (name.startsWith('.')) open.push(resolve(dirname(file), name));
      else if (!name.startsWith('node:')) open.push(require.resolve(name));
    }
  }
  return graph;
}

test('the verifiers import nothing of Node, and one package alone', async () => {
  for (const name of PORTABLE) {
    const graph = await graphOf(join(ROOT, 'ledger', `${name}.ts`));
    assert(graph.size > 3, `${name} has imports that were found`);
    for (const [file, imports] of graph) {
      const foreign = imports.filter((one) => !one.startsWith('.'));
      const allowed = foreign.every((one) => one === '@noble/hashes/sha2.js');
      assert(allowed, `${relative(ROOT, file)} imports ${foreign.join(', ')}`);
    }
  }
});

test('the walk over imports would find a forbidden one', async () => {
  const graph = await graphOf(join(ROOT, 'ledger', 'key_file.ts'));
  assert([...graph.values()].flat().includes('node:fs/promises'));
});

test('sha256 is the same by every implementation, for text and bytes', () => {
  assert.equal(
    sha256Hex('abc'),
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  );
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
    const bytes = Buffer.from(text);
    const expected = Buffer.from(portableSha256(bytes)).toString('hex');
    assert.equal(Buffer.from(sha256(text)).toString('hex'), expected);
    assert.equal(Buffer.from(sha256(bytes)).toString('hex'), expected);
    assert.equal(sha256Hex(text), expected);
    assert.equal(sha256Hex(bytes), expected);
  }));
});

/** Deno's program: the running one, or that of the npm package. */
function denoCommand(): string {
  return 'Deno' in globalThis ? process.execPath : join(ROOT, 'node_modules/.bin/deno');
}

async function inBrowserStandIn(task: unknown): Promise<Record<string, unknown>> {
  const script = join(ROOT, 'test/support/browser_stand_in.ts');
  const child = spawn(
    denoCommand(),
    ['run', '--quiet', '--no-prompt', '--no-check', '--node-modules-dir=manual', script],
    { cwd: ROOT, stdio: ['pipe', 'pipe', 'pipe'], timeout: 60_000 },
  );
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => stdout += String(chunk));
  child.stderr.on('data', (chunk) => stderr += String(chunk));
  child.stdin.end(JSON.stringify(task));
  const status = await new Promise((resolve) => child.on('close', resolve));
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as Record<string, unknown>;
}

function stepsOf(verdicts: unknown): string[] {
  return (verdicts as { ok: boolean; step?: string }[])
    .map(({ ok, step }) => ok ? 'none' : step ?? '');
}

test('the verifiers run with no permission and nothing but what a browser has', async () => {
  const log = await MemoryLog.of(testEntries(300));
  const files: Record<string, string> = {
    checkpoint: Buffer.from(await log.readCheckpoint()).toString('base64'),
  };
  for (const name of tilesOf(301)) {
    const bytes = name.level === 'entries'
      ? await log.readEntries(name.index, name.width)
      : await log.readTile(name.level, name.index, name.width);
    files[formatTilePath(name)] = Buffer.from(bytes).toString('base64');
  }
  const checkpoint = await log.readCheckpoint();
  const source = { entry: log.entries[7] ?? '', metadata: null, index: 7, checkpoint };
  const receipt = formatReceipt(
    await makeReceipt(source, (level, index, width) => log.readTile(level, index, width)),
  );
  const forged = receipt.replace('index 7', 'index 6');
  const { vkey } = testSigner();
  const usage = await usageVectors();
  const verdicts = await inBrowserStandIn({
    vkey,
    receipts: [receipt, forged],
    windows: [usage.sealed_bundle, usage.sealed_bundle.replace('1024', '1025')],
    statements: [usage.statement_bundle, usage.statement_bundle.replace('1024', '1025')],
    files,
  });
  assert.equal(verdicts['native'], false, 'the stand-in found crypto of Node');
  assert.deepEqual(stepsOf(verdicts['receipts']), ['none', 'inclusion']);
  assert.deepEqual(stepsOf(verdicts['windows']), ['none', 'inclusion']);
  assert.deepEqual(stepsOf(verdicts['statements']), ['none', 'signature']);
  const whole = verdicts['log'] as { ok: boolean; size: number };
  assert.deepEqual([whole.ok, whole.size], [true, 301]);
});
