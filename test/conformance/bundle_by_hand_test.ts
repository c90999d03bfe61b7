/** docs/verifying.md: what it gives to check bundles by, run as it stands, accepts and refuses. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { canonicalJson } from '../../ledger/canonical_json.ts';
import { type Finished, runProgram } from '../support/go_tools.ts';
import { ledgerVectors } from '../support/ledger_vectors.ts';
import { testSigner } from '../support/test_signer.ts';
import { usageVectors, windowsOfLines } from '../support/usage_vectors.ts';

const ROOT = join(import.meta.dirname, '../..');
const VECTORS = await usageVectors();
const LINES = windowsOfLines(VECTORS);

/** The blocks of a page in a language, in their order. */
async function blocksOf(page: string, language: string): Promise<string[]> {
  const text = await readFile(join(ROOT, 'docs', page), 'utf8');
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))]
    .map(([, block = '']) => block);
}

/** Why Python cannot run here, or null. */
function lackingPython(): string | null {
  const asked = spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))']);
  return asked.status === 0 ? null : 'python3 of at least 3.9 is not there';
}

function lackingShell(): string | null {
  const { stdout } = spawnSync('openssl', ['version'], { encoding: 'utf8' });
  if (!/^OpenSSL (?:[3-9]|\d\d)/.test(stdout ?? '')) return 'OpenSSL 3 is not installed';
  return spawnSync('bash', ['--version']).status === 0 ? lackingPython() : 'bash is not installed';
}

function skipping(reason: string | null): { skip?: string } {
  if (reason === null) return {};
  console.log(`SKIPPED ALOUD: bundles checked by hand: ${reason}`);
  return { skip: reason };
}

let work: string;
before(async () => {
  work = await mkdtemp(join(tmpdir(), 'nepho-by-hand-'));
  const { receipt } = await ledgerVectors([testSigner(0)]);
  const files = {
    'sample.tlog-proof': receipt,
    'window.json': VECTORS.sealed_bundle,
    'revised.json': VECTORS.revised_bundle,
    'statement.json': VECTORS.statement_bundle,
    'amendment.json': VECTORS.amendment_bundle,
    'windows.jsonl': `${LINES[1]?.records.join('\n')}\n`,
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(work, name), text);
});
after(() => rm(work, { recursive: true }));

describe('the Python of docs/verifying.md', skipping(lackingPython()), () => {
  before(async () => {
    const [script = ''] = await blocksOf('verifying.md', 'python');
    await writeFile(join(work, 'check_bundle.py'), script);
  });

  const run = (file: string, ...more: string[]) =>
    runProgram('python3', ['check_bundle.py', file, ...more], { cwd: work });

  /** The bundle with a text in one of its fields replaced. */
  async function altered(bundle: string, field: string, [from, to]: [string, string]) {
    const value = JSON.parse(bundle) as Record<string, string | number>;
    const old = `${value[field]}`;
    assert(old.includes(from), `${field} has ${from}`);
    const next = field === 'place' ? Number(to) : old.replace(from, to);
    await writeFile(join(work, 'altered.json'), canonicalJson({ ...value, [field]: next }));
    return await run('altered.json', VECTORS.vkey);
  }

  it('accepts a sealed window, a revised one, a statement, its windows and its amendment', async () => {
    for (const file of ['window.json', 'revised.json', 'statement.json', 'amendment.json']) {
      const { status, stderr } = await run(file, VECTORS.vkey);
      assert.equal(status, 0, `${file}: ${stderr}`);
    }
    const { status, stdout } = await run('statement.json', VECTORS.vkey, '1', 'windows.jsonl');
    assert.equal(status, 0);
    assert.deepEqual(JSON.parse(stdout)[1], {
      meter: 'memory',
      quantity: '4',
      usage_unit: 'GiB·h',
    });
  });

  it('refuses what was altered, other windows and another key', async () => {
    const refused: [string, Finished][] = [
      ['key', await run('statement.json', testSigner(2).vkey)],
      ['other windows', await run('statement.json', VECTORS.vkey, '0', 'windows.jsonl')],
      ['window', await altered(VECTORS.sealed_bundle, 'window', ['1024', '1025'])],
      ['place', await altered(VECTORS.sealed_bundle, 'place', ['2', '1'])],
      ['receipt', await altered(VECTORS.sealed_bundle, 'receipt', ['index 3', 'index 2'])],
      ['revised', await altered(VECTORS.revised_bundle, 'window', ['0.25', '0.5'])],
      ['change', await altered(VECTORS.revised_bundle, 'place', ['1', '0'])],
      ['document', await altered(VECTORS.statement_bundle, 'document', ['1024', '1023'])],
      ['signature', await altered(VECTORS.statement_bundle, 'signature', ['2026-01', '2026-02'])],
    ];
    for (const [what, { status, stderr }] of refused) {
      assert.notEqual(status, 0, what);
      assert.match(stderr, /refused: /, what);
    }
  });
});

describe('the shell of docs/verifying.md', skipping(lackingShell()), () => {
  it('finds the digest of a document, and the leaf of a window, in what is logged', async () => {
    const [byFormats = ''] = (await blocksOf('formats.md', 'bash'))
      .filter((block) => block.startsWith('#!'));
    await writeFile(join(work, 'check_receipt.sh'), byFormats);
    const [statement = '', window = ''] = await blocksOf('verifying.md', 'bash');
    const env = { VKEY: VECTORS.vkey };
    const first = await runProgram('bash', ['-euc', statement], { cwd: work, env });
    const digest = VECTORS.statements[0]?.digest ?? '';
    assert.equal(first.stdout, `${digest}\n"digest":"${digest}"\n`, first.stderr);
    const second = await runProgram('bash', ['-euc', window], { cwd: work, env });
    assert.equal(second.stdout, `${VECTORS.windows[2]?.leaf}\n`, second.stderr);
  });
});

describe('the TypeScript of docs/verifying.md', () => {
  async function run(cwd: string): Promise<Finished> {
    const [example = ''] = await blocksOf('verifying.md', 'ts');
    const entry = pathToFileURL(join(ROOT, 'client/verify.ts')).href;
    const file = join(cwd, 'example.mts');
    await writeFile(file, example.replace("'nepho/verify'", `'${entry}'`));
    const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
    const runtime = 'Deno' in globalThis
      ? ['run', '-A', '--no-check', '--quiet', '--node-modules-dir=manual']
      : ['--import', loader];
    return await runProgram(process.execPath, [...runtime, file], { cwd });
  }

  it('verifies a receipt, a window and a statement with its windows', async () => {
    const { status, stdout, stderr } = await run(work);
    assert.equal(status, 0, stderr);
    assert.deepEqual(stdout.trimEnd().split('\n'), [
      'sample',
      'image.download 2026-01-31T23:00:00.000000Z seal',
      'image.download 1024 B',
      'memory 4 GiB·h',
      'network.incoming.bytes 993 B',
    ]);
  });
});
