/** The programs of docs/billing_tutorial.md, run as its reader would against a small system. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { formatMillis } from '../../meters/timestamp.ts';
import { DATABASES } from '../support/api_databases.ts';
import { imageUpload } from '../support/api_system.ts';
import { type BilledApi, localEndpoint, startBilledApi } from '../support/billed_api.ts';
import { type NatsServer, natsSkipReason, startNats } from '../support/nats_server.ts';

const HOUR_MS = 3_600_000;
const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const CLIENT = new URL('../../client/mod.ts', import.meta.url).href;
const SECRET = `whsec_${btoa('0123456789abcdef01234567')}`;
const RUNTIME = 'Deno' in globalThis
  ? ['run', '-A', '--no-check', '--node-modules-dir=manual', '--config', join(PROJECT, 'deno.json')]
  : ['--import', import.meta.resolve('tsx')];

/** The code blocks of the page that name their file in their first line. */
function programs(): Map<string, string> {
  const page = readFileSync(join(PROJECT, 'docs/billing_tutorial.md'), 'utf8');
  const blocks = page.matchAll(/^```ts\n\/\/ (\S+\.ts)\n([^]*?)^```$/gm);
  return new Map(
    [...blocks].map(([, file = '', code = '']) => [file, code.replaceAll('nepho/client', CLIENT)]),
  );
}

interface Run {
  child: ChildProcess;
  text: () => string;
  ended: Promise<number | null>;
}

describe('docs/billing_tutorial.md', { skip: DATABASES[0]?.skip || natsSkipReason() }, () => {
  let nats: NatsServer;
  let server: { url: string; stop(): Promise<void> };
  let system: BilledApi;
  const folder = mkdtempSync(join(tmpdir(), 'nepho-tutorial-'));
  const running = new Set<ChildProcess>();

  before(async () => {
    nats = await startNats();
    server = await (DATABASES[0] as (typeof DATABASES)[number]).start();
    system = await startBilledApi({
      databaseUrl: server.url,
      natsUrl: nats.url,
      webhookSecret: SECRET,
    });
    await system.send([upload('first', 0), upload('second', 1)]);
    await system.bill();
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    writeFileSync(join(folder, 'nepho.vkey'), `${system.vkey}\n`);
    for (const [file, code] of programs()) writeFileSync(join(folder, file), code);
  });

  after(async () => {
    for (const child of running) child.kill('SIGKILL');
    await system.stop();
    await server.stop();
    await nats.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** An image of 3,600 bytes in project `n`, uploaded at ten o'clock of the billed day. */
  function upload(imageId: string, n: number): string {
    return imageUpload({
      imageId,
      projectId: `project-${n}`,
      size: 3_600,
      atMs: system.dayMs + 10 * HOUR_MS,
    });
  }

  function start(file: string, ...args: string[]): Run {
    const child = spawn(process.execPath, [...RUNTIME, join(folder, file), ...args], {
      cwd: folder,
      env: {
        ...process.env,
        NEPHO_URL: system.url,
        NEPHO_TOKEN: system.operatorToken,
        WEBHOOK_SECRET: SECRET,
        PORT: '0',
      },
    });
    running.add(child);
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (part: string) => text += part);
    }
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    void ended.then(() => running.delete(child));
    return { child, text: () => text, ended };
  }

  async function says({ text, child }: Run, words: string): Promise<void> {
    while (!text().includes(words)) {
      assert.equal(child.exitCode, null, text());
      await delay(20);
    }
  }

  async function output(file: string, ...args: string[]): Promise<string> {
    const run = start(file, ...args);
    assert.equal(await run.ended, 0, run.text());
    return run.text();
  }

  async function kill(run: Run): Promise<void> {
    run.child.kill('SIGKILL');
    await run.ended;
  }

  interface Books {
    invoices: Record<string, { items: { resource_id: string; meter: string; quantity: string }[] }>;
  }
  const books = () => JSON.parse(readFileSync(join(folder, 'books.json'), 'utf8')) as Books;
  const sizes = (key: string) =>
    books().invoices[key]?.items.filter(({ meter }) => meter === 'image.size')
      .map(({ resource_id, quantity }) => [resource_id, quantity]);

  test('usage is read in a time zone, with what it was made from', async () => {
    const range = [0, 24].map((hour) => formatMillis(system.dayMs + hour * HOUR_MS));
    const text = await output('read_usage.ts', ...range);
    assert.match(text, /project-0 image\.size \d+ B·h sealed/);
    assert.match(text, /^gaps: 0 checkpoints: \[\{/m);
  });

  test('each statement is booked once, amendments by their difference, over a crash', async () => {
    const { period } = system;
    const run = start('follow.ts');
    await says(run, `booked project-0 ${period} 0`);
    await says(run, `booked project-1 ${period} 0`);
    assert.deepEqual(sizes(`project-0 ${period} 0`), [['first', '50400']]);
    await system.send([upload('late', 0)]);
    await system.bill();
    await says(run, `booked project-0 ${period} 1`);
    await kill(run);
    await system.send([upload('later', 1)]);
    await system.bill();
    const again = start('follow.ts');
    await says(again, `booked project-1 ${period} 1`);
    await kill(again);
    assert.equal(again.text().match(/booked/g)?.length, 1, again.text());
    assert.deepEqual(sizes(`project-0 ${period} 1`), [['late', '50400']]);
    assert.deepEqual(sizes(`project-1 ${period} 1`), [['later', '50400']]);
    assert.equal(Object.keys(books().invoices).length, 4);
  });

  test('a bundle that was kept verifies offline, and not when it was altered', async () => {
    await output('keep_evidence.ts', 'project-0', system.period, '1');
    assert.match(await output('verify_offline.ts'), /^genuine: [0-9a-f]{64}\n$/);
    const file = join(folder, 'statement.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('100800', '100801'));
    assert.match(await output('verify_offline.ts'), /^signature: Cannot accept/);
  });

  test('a webhook is believed for its signature, and its statement booked', async () => {
    const run = start('receive.ts');
    await says(run, 'listening');
    const { port } = JSON.parse(/listening (.*)/.exec(run.text())?.[1] ?? '') as { port: number };
    const url = `http://127.0.0.1:${port}/`;
    const forged = await fetch(url, {
      method: 'POST',
      body: '{}',
      headers: {
        'webhook-id': 'x',
        'webhook-timestamp': String(Math.floor(Date.now() / 1_000)),
        'webhook-signature': `v1,${btoa('x')}`,
      },
    });
    assert.equal(forged.status, 400);
    await says(run, 'refused signature_wrong');
    system.config = { ...system.config, webhooks: [localEndpoint('books', url)] };
    await system.send([upload('latest', 0)]);
    await system.bill();
    await says(run, `booked project-0 ${system.period} 2`);
    assert.deepEqual(sizes(`project-0 ${system.period} 2`), [['latest', '50400']]);
    await kill(run);
  });

  test('every program of the page was run', () => {
    const run = [
      'connect',
      'read_usage',
      'books',
      'follow',
      'keep_evidence',
      'verify_offline',
      'receive',
    ];
    assert.deepEqual([...programs().keys()], run.map((name) => `${name}.ts`));
  });
});
