import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { DATABASES } from '../support/api_databases.ts';
import { type ApiSystem, imageUpload, startApiSystem } from '../support/api_system.ts';
import { type NatsServer, natsSkipReason, startNats } from '../support/nats_server.ts';
import { nepho } from '../support/nepho_command.ts';

const START_MS = Date.now() - 3_600_000;

describe('the reading commands', { skip: DATABASES[0]?.skip || natsSkipReason() }, () => {
  let nats: NatsServer;
  let server: { url: string; stop(): Promise<void> };
  let system: ApiSystem;
  let env: Record<string, string>;
  const directory = mkdtempSync(join(tmpdir(), 'nepho-cli-'));

  before(async () => {
    nats = await startNats();
    server = await (DATABASES[0] as (typeof DATABASES)[number]).start();
    system = await startApiSystem({ databaseUrl: server.url, natsUrl: nats.url });
    env = {
      NEPHO_URL: system.url,
      NEPHO_TOKEN: system.operatorToken,
      NEPHO_HOME: join(directory, 'no-home'),
    };
    const list = Array.from({ length: 12 }, (_, i) =>
      imageUpload({
        messageId: `message-${i}`,
        imageId: `image-${i % 3}`,
        projectId: `project-${i % 2}`,
        size: 1_000 + i,
        atMs: START_MS + i * 1_000,
        name: i === 0 ? '\u001b[31mred' : 'cirros',
      }));
    writeFileSync(join(directory, 'list.json'), `[${list.slice(0, 6).join(',')}]`);
    writeFileSync(join(directory, 'lines.jsonl'), `${list.slice(6).join('\n')}\n{"broken":\n`);
  });

  after(async () => {
    await system.stop();
    await server.stop();
    await nats.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  /** Runs a command that must succeed, and reads the one JSON document that it prints. */
  async function json<Answer>(...args: string[]): Promise<Answer> {
    const { status, stdout, stderr } = await nepho([...args, '--json'], { env });
    assert.equal(status, 0, `${args.join(' ')}: ${stderr}`);
    assert.match(stdout, /^[^\n]+\n$/);
    return JSON.parse(stdout) as Answer;
  }

  async function table(...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await nepho(args, { env });
    assert.equal(status, 0, `${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  test('send publishes a list, lines and standard input, and says what was no JSON', async () => {
    assert.deepEqual(await json<unknown>('send', join(directory, 'list.json')), {
      messages: 6,
      stored: 6,
      duplicates: 0,
      refused: 0,
      not_json: 0,
    });
    assert.deepEqual(await json<unknown>('send', join(directory, 'lines.jsonl')), {
      messages: 7,
      stored: 7,
      duplicates: 0,
      refused: 0,
      not_json: 1,
    });
    const piped = await nepho(['send', '-', '--json'], {
      env,
      input: readFileSync(join(directory, 'list.json')),
    });
    assert.equal((JSON.parse(piped.stdout) as { duplicates: number }).duplicates, 6);
    const refused = await nepho(['send', '-'], { env, input: 'hello\n' });
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /^Cannot send this input: .* \(input_unreadable\)\n$/);
    await system.ingest();
  });

  test('meters, samples, resources and statistics show the same to people and programs', async () => {
    const { samples } = await json<{
      samples: { volume: string; id: string; resource_id: string }[];
    }>('samples', '--meter', 'image.size', '--limit', '100');
    assert.equal(samples.length, 12);
    const text = await table('samples', '-m', 'image.size');
    assert.equal(text.split('\n').length, 14);
    assert.ok(samples.every((sample) => text.includes(sample.id)));
    assert.match(await table('meters'), /^METER +TYPE +UNIT +RESOURCES +PROJECTS\nimage +gauge/);
    const { resources } = await json<{ resources: { resource_id: string }[] }>('resources');
    assert.deepEqual(resources.map((row) => row.resource_id), ['image-0', 'image-1', 'image-2']);
    const statistics = await table('statistics', '-m', 'image.size', '--group-by', 'project');
    assert.match(statistics, /^PROJECT +TYPE +UNIT +COUNT +SUM/);
    assert.match(statistics, /^project-0 +gauge +B +6 +6030 +1005 +1000 +1010 /m);
    const few = await json<{ samples: object[]; next_cursor: string }>('samples', '--limit', '5');
    assert.equal(few.samples.length, 5);
    const rest = await json<{
      samples: object[];
    }>('samples', '--limit', '1000', '--cursor', few.next_cursor);
    assert.equal(rest.samples.length, 31);
    const filtered = await json<{
      samples: object[];
    }>(
      'samples',
      '--metadata',
      'name=cirros',
      '--oldest',
      '-m',
      'image',
    );
    assert.equal(filtered.samples.length, 11);
  });

  test('explain takes a message id or a sample id', async () => {
    const story = await table('explain', 'message-3');
    assert.match(story, /^notification {2}message-3\n/);
    assert.match(story, /outcome +samples/);
    const id = /([0-9a-f]{32}) +image\.size/.exec(story)?.[1] ?? '';
    const sample = await table('explain', id);
    assert.match(sample, /^notification +message-3$/m);
    assert.match(sample, /^definition +image\.yaml:\d+ \(image\.size\)$/m);
    assert.match(sample, /^definition set +[0-9a-f]{64}$/m);
    const absent = await nepho(['explain', 'no-such-message'], { env });
    assert.equal(absent.status, 1);
    assert.match(absent.stderr, /^Cannot find a notification of this id\. .*\(not_found\)\n$/);
  });

  test('a receipt that was saved verifies with nothing running, and not when it was altered', async () => {
    const { samples } = await json<{ samples: { id: string }[] }>('samples', '--limit', '1');
    const file = join(directory, 'receipt.txt');
    assert.match(await table('receipt', samples[0]?.id ?? '', '-o', file), /verify +nepho verify/);
    const offline = { NEPHO_URL: '', NEPHO_TOKEN: '', NEPHO_HOME: join(directory, 'no-home') };
    const verified = await nepho(['verify', file], { env: offline });
    assert.equal(verified.status, 0, verified.stderr);
    assert.match(verified.stdout, /^verified +yes\n/);
    const altered = join(directory, 'altered.txt');
    writeFileSync(altered, readFileSync(file, 'utf8').replace(/^index \d+$/m, 'index 3'));
    const refused = await nepho(['verify', altered, '--vkey', `${file}.vkey`, '--json'], {
      env: offline,
    });
    assert.equal(refused.status, 1);
    assert.equal((JSON.parse(refused.stdout) as { step: string }).step, 'inclusion');
    const keyless = await nepho(['verify', altered], { env: offline });
    assert.match(keyless.stderr, /^Cannot verify without a key to believe: .*\(vkey_missing\)\n$/);
  });

  test('log verify takes the running system, one log, and an exported directory', async () => {
    const running = await json<{ ok: boolean; logs: { size: number }[] }>('log', 'verify');
    assert.equal(running.ok, true);
    assert.equal(running.logs.length, 2);
    assert.match(await table('log', 'verify', `${system.url}/log/0`), / yes /);
    const exported = join(directory, 'export');
    assert.match(await table('log', 'export', exported), /nepho\.test\/log\/1/);
    assert.match(await table('log', 'verify', exported), / yes /);
    const tile = join(exported, '0', 'tile', 'entries');
    const bundle = join(tile, `000.p/${running.logs[0]?.size}`);
    const bytes = readFileSync(bundle);
    bytes[bytes.length - 3] = (bytes[bytes.length - 3] ?? 0) ^ 1;
    writeFileSync(bundle, bytes);
    const refused = await nepho(['log', 'verify', exported], { env });
    assert.equal(refused.status, 1);
    assert.match(refused.stdout, /0 +NO /);
  });

  test('quarantine shows, retries and discards', async () => {
    const { messages } = await json<{
      messages: { quarantine_id: number; reason: string }[];
    }>('quarantine', 'list');
    assert.deepEqual(messages.map(({ reason }) => reason), ['not_json']);
    const id = String(messages[0]?.quarantine_id);
    assert.match(await table('quarantine', 'show', id), /\{"broken":/);
    assert.equal(await table('quarantine', 'show', id, '--bytes'), '{"broken":');
    assert.match(await table('quarantine', 'retry', '--all'), / retried /);
    await system.ingest();
    assert.match(await table('quarantine', 'discard', id, '--note', 'a test'), /discarded +a test/);
    assert.equal((await json<{ messages: object[] }>('quarantine', 'list')).messages.length, 0);
    const unclear = await nepho(['quarantine', 'discard'], { env });
    assert.equal(unclear.status, 2);
  });

  test('keys are made and revoked, and a project key reads its own', async () => {
    const made = await json<{
      secret: string;
      key: { api_key_id: string };
    }>('keys', 'create', 'billing', '--project', 'project-1');
    const own = { ...env, NEPHO_TOKEN: made.secret };
    const { stdout } = await nepho(['meters', '--json'], { env: own });
    const { meters } = JSON.parse(stdout) as { meters: { projects: number }[] };
    assert.deepEqual(meters.map(({ projects }) => projects), [1, 1, 1]);
    const forbidden = await nepho(['quarantine', 'list'], { env: own });
    assert.match(forbidden.stderr, /\(operator_only\)\n$/);
    assert.match(await table('keys', 'list'), /billing +project +project-1/);
    await table('keys', 'revoke', made.key.api_key_id);
    const revoked = await nepho(['meters'], { env: own });
    assert.equal(revoked.status, 1);
    assert.match(revoked.stderr, /\(unauthenticated\)\n$/);
  });

  test('what is missing or mistaken is told in one sentence, with a status', async () => {
    const home = join(directory, 'no-home');
    const cases: [string[], Record<string, string>, number, RegExp][] = [
      [['meters'], { NEPHO_URL: '', NEPHO_TOKEN: '', NEPHO_HOME: home }, 1, /\(not_running\)/],
      [
        ['meters'],
        { NEPHO_URL: 'http://127.0.0.1:1', NEPHO_TOKEN: 'x'.repeat(9) },
        1,
        /\(api_unreachable\)/,
      ],
      [['meters'], { ...env, NEPHO_TOKEN: '' }, 1, /\(token_missing\)/],
      [['meters'], { ...env, NEPHO_URL: nats.monitorUrl }, 1, /\(api_unreadable\)/],
      [['meters', '--limits', '3'], env, 2, /unknown option/],
      [['samples', '--limit', '0'], env, 2, /whole number/],
      [['samples', '--from', 'yesterday'], env, 1, /Cannot accept 'from'/],
      [['statistics', '--group-by', 'flavor'], env, 2, /none of meter, project/],
      [['actors', 'list'], env, 1, /\(actors_unavailable\)/],
      [['actors', 'pause', 'one'], env, 2, /ingest-shard-0/],
      [['receipt', 'xyz'], env, 2, /32 hexadecimal digits/],
      [['log', 'verify', directory], env, 1, /\(log_missing\)/],
      [['send', join(directory, 'none')], env, 1, /\(file_unreadable\)/],
      [['keys', 'create', 'x'], env, 2, /without its project/],
    ];
    await Promise.all(cases.map(async ([args, variables, status, sentence]) => {
      const result = await nepho(args, { env: variables });
      assert.equal(result.status, status, `${args.join(' ')}: ${result.stderr}`);
      assert.match(result.stderr, /^Cannot [^\n]*\n$/, args.join(' '));
      assert.match(result.stderr, sentence);
      assert.equal(result.stdout, '');
    }));
  });

  test('the running embedded system is found by itself, with its key', async () => {
    const home = mkdtempSync(join(directory, 'home-'));
    const tokenFile = join(home, 'operator.token');
    writeFileSync(tokenFile, `${system.operatorToken}\n`);
    const running = { url: system.url, tokenFile, pid: process.pid };
    writeFileSync(join(home, 'running.json'), JSON.stringify(running));
    const found = { NEPHO_URL: '', NEPHO_TOKEN: '', NEPHO_HOME: home };
    const listed = await nepho(['meters', '--json'], { env: found });
    assert.equal(listed.status, 0, listed.stderr);
    // The file of a system that was killed.
    writeFileSync(join(home, 'running.json'), JSON.stringify({ ...running, pid: 2 ** 22 + 1 }));
    const dead = await nepho(['meters'], { env: found });
    assert.match(dead.stderr, /\(not_running\)/);
  });
});
