import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Finished, runProgram } from '../support/go_tools.ts';
import { ledgerVectors } from '../support/ledger_vectors.ts';
import { testSigner } from '../support/test_signer.ts';

const DOCUMENT = join(import.meta.dirname, '../../docs/formats.md');

/** Why the script of the documentation cannot run here, or null. */
function lacking(): string | null {
  const { stdout } = spawnSync('openssl', ['version'], { encoding: 'utf8' });
  if (!/^OpenSSL (?:[3-9]|\d\d)/.test(stdout ?? '')) return 'OpenSSL 3 is not installed';
  return spawnSync('bash', ['--version']).status === 0 ? null : 'bash is not installed';
}

const reason = lacking();
if (reason !== null) console.log(`SKIPPED ALOUD: a receipt checked by hand: ${reason}`);

describe('the script of docs/formats.md', reason === null ? {} : { skip: reason }, () => {
  let work: string;
  let receipt: string;
  let keys: string[];

  before(async () => {
    work = await mkdtemp(join(tmpdir(), 'nepho-by-hand-'));
    ({ receipt, keys } = await ledgerVectors());
    const blocks = (await readFile(DOCUMENT, 'utf8')).matchAll(/^```bash\n(.*?)^```$/gms);
    const script = [...blocks].map(([, text = '']) => text).find((text) => text.startsWith('#!'));
    assert(script !== undefined, 'docs/formats.md holds the script');
    await writeFile(join(work, 'check_receipt.sh'), script);
  });

  after(() => rm(work, { recursive: true }));

  async function check(text: string, vkey = keys[0] ?? ''): Promise<Finished> {
    const file = join(work, 'sample.tlog-proof');
    await writeFile(file, text);
    return await runProgram('bash', [join(work, 'check_receipt.sh'), file, vkey]);
  }

  it('accepts a receipt by either key of an overlap, and prints the entry', async () => {
    for (const key of keys) {
      const { status, stdout } = await check(receipt, key);
      assert.equal(status, 0);
      assert.equal((JSON.parse(stdout) as { meter: string }).meter, 'disk.root.size');
    }
  });

  it('refuses another place, entry, metadata, size or key', async () => {
    const extra = /^extra (.*)$/m.exec(receipt)?.[1] ?? '';
    const content = Buffer.from(extra, 'base64').toString();
    const withContent = (from: string, to: string) => {
      assert(content.includes(from));
      return receipt.replace(extra, Buffer.from(content.replace(from, to)).toString('base64'));
    };
    const refused = [
      receipt.replace('index 3', 'index 2'),
      receipt.replace('\n5\n', '\n6\n'),
      withContent('20.5', '10.5'),
      withContent('4096,', '4097,'),
    ];
    for (const text of refused) assert.notEqual((await check(text)).status, 0, text);
    assert.notEqual((await check(receipt, testSigner(2).vkey)).status, 0);
  });
});
