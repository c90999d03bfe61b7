import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { loadUsageRules } from '../../cli/usage_rules_file.ts';
import { formatMillis } from '../../meters/timestamp.ts';
import { DATABASES } from '../support/api_databases.ts';
import { type ApiSystem, imageUpload, startApiSystem } from '../support/api_system.ts';
import { type NatsServer, natsSkipReason, startNats } from '../support/nats_server.ts';
import { nepho } from '../support/nepho_command.ts';
import { sealLogs } from '../support/seal_logs.ts';
import { testKeyPem } from '../support/test_signer.ts';

const HOUR_MS = 3_600_000;
const FIRST_MS = Math.floor(Date.now() / HOUR_MS - 6) * HOUR_MS;
const GIB = 1024 ** 3;

describe('the commands about usage', { skip: DATABASES[0]?.skip || natsSkipReason() }, () => {
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
    // Images of 1, 2, 3 and 4 GiB in two projects, half an hour into the first hour.
    await system.send(Array.from({ length: 4 }, (_, n) =>
      imageUpload({
        messageId: `message-${n}`,
        imageId: `image-${n}`,
        projectId: `project-${n % 2}`,
        size: (n + 1) * GIB,
        atMs: FIRST_MS + HOUR_MS / 2,
      })));
    await system.ingest();
    await sealLogs(system.db.pool, {
      shards: 2,
      signingKey: testKeyPem(7),
      rules: await loadUsageRules(),
      until: hour(3),
    });
  });

  after(async () => {
    await system.stop();
    await server.stop();
    await nats.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  function hour(n: number): string {
    return formatMillis(FIRST_MS + n * HOUR_MS);
  }

  /** Runs a command that must succeed, and reads the one JSON document that it prints. */
  async function json<Answer>(...args: string[]): Promise<Answer> {
    return JSON.parse(await table(...args, '--json')) as Answer;
  }

  async function table(...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await nepho(args, { env });
    assert.equal(status, 0, `${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  interface Row {
    quantity: string;
    group: Record<string, string>;
    sealed: boolean;
  }

  test('usage shows the same quantities to people and programs, by group and by span', async () => {
    const range = ['image.size', '--from', hour(0), '--to', hour(3)];
    const { usage } = await json<{ usage: Row[] }>('usage', ...range, '--group-by', 'project');
    // 4 and 6 GiB for two and a half hours.
    assert.deepEqual(usage.map(({ group, quantity, sealed }) => [group, quantity, sealed]), [
      [{ project_id: 'project-0' }, String(10 * GIB), true],
      [{ project_id: 'project-1' }, String(15 * GIB), true],
    ]);
    const text = await table(
      'usage',
      ...range,
      '--group-by',
      'project,resource',
      '--every',
      'hour',
    );
    assert.match(
      text,
      /^HOUR +PROJECT +RESOURCE +METER +QUANTITY +UNIT +SAMPLES +COVERED S +SEALED/,
    );
    assert.equal(text.match(/ B·h /g)?.length, 12);
    assert.match(
      text,
      /^Sealed: until .*Z\. The same answer again: --as-of nepho\.test\/log\/0@\d+/m,
    );
    const few = await json<{ usage: Row[]; next_cursor: string }>(
      'usage',
      ...range,
      '--group-by',
      'resource',
      '--limit',
      '3',
    );
    const paged = [...range, '--group-by', 'resource', '--cursor', few.next_cursor];
    assert.equal((await json<{ usage: Row[] }>('usage', ...paged)).usage.length, 1);
  });

  test('usage as of the checkpoints of an answer is that answer, whatever came since', async () => {
    const range = [
      'usage',
      'image.size',
      '--from',
      hour(0),
      '--to',
      hour(5),
      '--resource',
      'image-0',
    ];
    const before = await table(...range);
    const [, asOf = ''] = /--as-of (\S+)/.exec(before) ?? [];
    await system.send([
      imageUpload({
        messageId: 'another',
        imageId: 'image-0',
        projectId: 'project-0',
        size: 7 * GIB,
        atMs: FIRST_MS + 3 * HOUR_MS,
      }),
    ]);
    await system.ingest();
    assert.notEqual(await table(...range), before);
    const again = await table(...range, '--as-of', asOf);
    assert.equal(again.split('\n')[1], before.split('\n')[1]);
    const ago = await table(...range, '--as-of', hour(0));
    assert.doesNotMatch(ago, /image\.size/);
  });

  test('usage is exported as CSV, JSON lines and FOCUS, with the quantities of the answer', async () => {
    const range = ['usage', 'image.size', '--from', hour(0), '--to', hour(3)];
    const lines = async (...args: string[]) =>
      (await table(...range, ...args)).trim().split(/\r?\n/);
    const [head, ...rows] = await lines('--csv', '--group-by', 'project', '--every', 'hour');
    assert.match(head ?? '', /^project_id,start,end,meter,/);
    assert.equal(rows.length, 6);
    const json = await lines('--jsonl', '--group-by', 'project');
    assert.deepEqual(json.map((line) => (JSON.parse(line) as Row).quantity), [
      String(10 * GIB),
      String(15 * GIB),
    ]);
    const [columns, ...charges] = await lines('--focus', '--zone', 'UTC');
    assert.match(columns ?? '', /ConsumedQuantity/);
    assert.ok(charges.length >= 4);
    const asOf = await lines('--csv', '--as-of', hour(0));
    assert.equal(asOf.length, 1);
    for (const wrong of [['--csv', '--focus'], ['--focus', '--group-by', 'project']]) {
      const { status, stderr } = await nepho([...range, ...wrong], { env });
      assert.equal(status, 2, stderr);
      assert.match(stderr, /^Cannot export usage so: .*\(usage_invalid\)\n$/);
    }
  });

  test('windows are listed, shown and proven with nothing running', async () => {
    const list = ['windows', 'list', '-m', 'image.size', '--project', 'project-0'];
    const { windows } = await json<{ windows: { series: string; start: string }[] }>(...list);
    assert.equal(windows.length, 6);
    assert.match(await table(...list), /^START +METER +QUANTITY +UNIT +SAMPLES +RESOURCE/);
    const [{ series, start }] = windows as [{ series: string; start: string }];
    const shown = await table('windows', 'show', series, start);
    assert.match(shown, /^meter +image\.size \(gauge\)\n/);
    assert.match(shown, /seal, entry \d+ of log \d$/m);
    const file = join(directory, 'window.json');
    assert.match(await table('windows', 'show', series, start, '-o', file), /nepho windows verify/);
    const offline = { NEPHO_URL: '', NEPHO_TOKEN: '', NEPHO_HOME: join(directory, 'no-home') };
    for (const command of [['windows', 'verify'], ['verify']]) {
      const verified = await nepho([...command, file], { env: offline });
      assert.equal(verified.status, 0, verified.stderr);
      assert.match(verified.stdout, /^verified +yes\n[^]*^window +\S+ to \S+, revision 0$/m);
    }
    const altered = join(directory, 'altered.json');
    writeFileSync(altered, readFileSync(file, 'utf8').replace('\\"count\\":1', '\\"count\\":2'));
    const refused = await nepho(['windows', 'verify', altered, '--vkey', `${file}.vkey`], {
      env: offline,
    });
    assert.equal(refused.status, 1);
    assert.match(refused.stdout, /^REFUSED at step 'inclusion'/);
  });

  test('what is missing or mistaken is told in one sentence, with a status', async () => {
    const cases: [string[], number, RegExp][] = [
      [['usage'], 2, /missing required argument 'meters'/],
      [['usage', 'vcpus', '--zone', 'Europe/Brelin'], 1, /\(zone_unknown\)/],
      [['usage', 'vcpus', '--every', 'minute'], 2, /Allowed choices are hour/],
      [['usage', 'vcpus', '--as-of', '2999-01-01'], 1, /\(as_of_in_future\)/],
      [['usage', 'vcpus', '--from', hour(2), '--to', hour(1)], 1, /\(range_invalid\)/],
      [['usage', 'vcpus', '--csv', '--from', hour(2), '--to', hour(1)], 1, /\(range_invalid\)/],
      [['windows', 'show', 'x', hour(0)], 1, /\(input_invalid\)/],
      [['windows', 'show', '0'.repeat(32), hour(0)], 1, /\(not_found\)/],
      [['windows', 'verify', join(directory, 'none')], 1, /\(file_unreadable\)/],
    ];
    await Promise.all(cases.map(async ([args, status, sentence]) => {
      const result = await nepho(args, { env });
      assert.equal(result.status, status, `${args.join(' ')}: ${result.stderr}`);
      assert.match(result.stderr, /^Cannot [^\n]*\n$/, args.join(' '));
      assert.match(result.stderr, sentence);
    }));
  });
});
