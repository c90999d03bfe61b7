import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { exportLog } from '../../ledger/export_log.ts';
import type { BrowserVerdicts } from '../support/browser_page.ts';
import { serveBrowserSite } from '../support/browser_site.ts';
import { findChromium, withPage } from '../support/chromium.ts';
import { MemoryLog, testEntries } from '../support/memory_log.ts';
import { testSigner } from '../support/test_signer.ts';
import { usageVectors } from '../support/usage_vectors.ts';

const GOLDEN = new URL('../golden/ledger.json', import.meta.url);
const chromium = findChromium();
const skip = chromium === null
  ? 'no chromium: install it (Debian: chromium) or set NEPHO_TEST_CHROMIUM'
  : false;
if (skip !== false) console.log(`SKIPPED ALOUD: the verifier in a browser: ${skip}`);

/** Each part of a receipt with one bit altered, and the step at which it must break. */
function alterations(receipt: string): [string, string, string][] {
  const [head = '', extra = '', index = '', ...rest] = receipt.split('\n');
  const [entry = '', ...metadata] = Buffer.from(extra.slice('extra '.length), 'base64').toString()
    .split('\n');
  const withExtra = (text: string) =>
    [head, `extra ${Buffer.from(text).toString('base64')}`, index, ...rest].join('\n');
  const lines = (at: number, change: (line: string) => string) =>
    [head, extra, index, ...rest.map((line, i) => i === at ? change(line) : line)].join('\n');
  // Newest key first: the last signature is that of the first key, the only one that is trusted.
  const signature = rest.findLastIndex((line) => line.startsWith('— '));
  return [
    ['the volume', withExtra([entry.replace('20.5', '20.4'), ...metadata].join('\n')), 'inclusion'],
    [
      'the metadata',
      withExtra([entry, ...metadata].join('\n').replace('4096', '4097')),
      'metadata',
    ],
    ['the index', receipt.replace('\nindex 3\n', '\nindex 2\n'), 'inclusion'],
    ['the proof', lines(0, flipBase64), 'inclusion'],
    ['the root', lines(rest.indexOf('5') + 1, flipBase64), 'signature'],
    ['the signature', lines(signature, flipBase64), 'signature'],
  ];
}

/** Alters one bit of what the base64 at the end of a line says, away from its padding. */
function flipBase64(line: string): string {
  const start = line.lastIndexOf(' ') + 1;
  const bytes = Buffer.from(line.slice(start), 'base64');
  bytes[10] = (bytes[10] ?? 0) ^ 1;
  return line.slice(0, start) + bytes.toString('base64');
}

test(
  'a browser verifies receipts, windows, statements and logs, and refuses one altered bit',
  { skip },
  async (context) => {
    const golden = JSON.parse(await readFile(GOLDEN, 'utf8')) as {
      receipt: string;
      keys: string[];
    };
    const usage = await usageVectors();
    const altered = alterations(golden.receipt);
    for (const [what, text] of altered) assert.notEqual(text, golden.receipt, what);
    const work = await mkdtemp(join(tmpdir(), 'nepho-browser-'));
    context.after(() => rm(work, { recursive: true }));
    const [good, bad] = [join(work, 'good'), join(work, 'bad')];
    for (const directory of [good, bad]) {
      await exportLog(await MemoryLog.of(testEntries(600)), directory);
    }
    const tile = join(bad, 'tile', '0', '001');
    const bytes = await readFile(tile);
    bytes[777] = (bytes[777] ?? 0) ^ 1;
    await writeFile(tile, bytes);

    const { vkey } = testSigner();
    const site = await serveBrowserSite({
      vkeys: [golden.keys[0] ?? ''],
      receipts: [golden.receipt, ...altered.map(([, text]) => text)],
      windows: [
        usage.sealed_bundle,
        usage.revised_bundle,
        usage.sealed_bundle.replace('1024', '1025'),
      ],
      statements: [
        usage.statement_bundle,
        usage.amendment_bundle,
        usage.statement_bundle.replace('1024', '1025'),
      ],
      logs: [{ path: '/good', vkeys: [vkey] }, { path: '/bad', vkeys: [vkey] }],
    }, { '/good': good, '/bad': bad });
    context.after(() => site.close());
    const verdicts: BrowserVerdicts = await withPage(chromium ?? '', site.url, site.verdicts);

    assert.equal(verdicts.error, null);
    assert.match(verdicts.userAgent, /Chrome/);
    assert.equal(verdicts.native, false, 'the browser has nothing of Node');
    assert.deepEqual(verdicts.receipts, [
      { ok: true },
      ...altered.map(([, , step]) => ({ ok: false, step })),
    ]);
    assert.deepEqual(verdicts.windows, [
      { ok: true },
      { ok: true },
      { ok: false, step: 'inclusion' },
    ]);
    assert.deepEqual(verdicts.statements, [
      { ok: true },
      { ok: true },
      { ok: false, step: 'signature' },
    ]);
    assert.deepEqual(verdicts.logs, [{ ok: true, size: 601 }, { ok: false, step: 'tile' }]);
    const foreign = site.requested.filter((path) => path.startsWith('/node_modules/'));
    assert(
      foreign.length > 0 &&
        foreign.every((path) => path.startsWith('/node_modules/@noble/hashes/')),
    );
  },
);
