import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { DATABASES } from '../support/api_databases.ts';
import { imageUpload } from '../support/api_system.ts';
import { type BilledApi, localEndpoint, startBilledApi } from '../support/billed_api.ts';
import { type NatsServer, natsSkipReason, startNats } from '../support/nats_server.ts';
import { nepho } from '../support/nepho_command.ts';
import { status, WebhookReceiver } from '../support/webhook_receiver.ts';

const HOUR_MS = 3_600_000;

describe('the commands about statements', { skip: DATABASES[0]?.skip || natsSkipReason() }, () => {
  let nats: NatsServer;
  let server: { url: string; stop(): Promise<void> };
  let receiver: WebhookReceiver;
  let system: BilledApi;
  let env: Record<string, string>;
  const directory = mkdtempSync(join(tmpdir(), 'nepho-cli-'));

  before(async () => {
    nats = await startNats();
    server = await (DATABASES[0] as (typeof DATABASES)[number]).start();
    receiver = await WebhookReceiver.start();
    receiver.answer('/refusing', status(500));
    system = await startBilledApi({
      databaseUrl: server.url,
      natsUrl: nats.url,
      webhookSecret: `whsec_${btoa('0123456789abcdef01234567')}`,
    });
    const webhooks = [localEndpoint('books', `${receiver.url}/refusing`)];
    system.config = { ...system.config, webhooks };
    env = {
      NEPHO_URL: system.url,
      NEPHO_TOKEN: system.operatorToken,
      NEPHO_HOME: join(directory, 'no-home'),
    };
    await system.send([upload('first', 10), upload('second', 11)]);
    await system.bill();
    await system.send([upload('late', 12)]);
    await system.bill();
  });

  after(async () => {
    await system.stop();
    await receiver.stop();
    await server.stop();
    await nats.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  /** An image of 3,600 bytes, uploaded at that hour of the billed day. */
  function upload(imageId: string, hour: number): string {
    return imageUpload({
      messageId: `message-${imageId}`,
      imageId,
      projectId: 'alpha',
      size: 3_600,
      atMs: system.dayMs + hour * HOUR_MS,
    });
  }

  async function table(...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await nepho(args, { env });
    assert.equal(status, 0, `${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  const offline = { NEPHO_URL: '', NEPHO_TOKEN: '', NEPHO_HOME: join(directory, 'no-home') };
  const own = ['--project', 'alpha'];

  test('statements are listed and shown, amendments with their differences', async () => {
    const { period } = system;
    const listed = await table('statements', 'list', '--period', period);
    assert.match(listed, /^PERIOD +PROJECT +NUMBER +LINES +CLOSED +DIGEST\n/);
    assert.equal(listed.match(new RegExp(`^${period} +alpha`, 'gm'))?.length, 2);
    const last = await table('statements', 'show', period, ...own);
    assert.match(last, /^number +1$/m);
    assert.match(last, /image\.size +late +43200 +B·h +43200 +12 +1/);
    assert.match(last, /image\.size +first +50400 +B·h +0 /);
    const first = await table('statements', 'show', period, ...own, '--number', '0');
    assert.doesNotMatch(first, /DIFFERENCE|late/);
    assert.match(first, /^image\.size +97200 +B·h$/m);
    assert.match(await table('statements', 'totals', period, ...own), /image\.size +140400 +B·h/);
  });

  test('a statement that was exported verifies with nothing running, and not when it was altered', async () => {
    const { period } = system;
    const shown = JSON.parse(await table('statements', 'show', period, ...own, '--json'));
    const lines: { meter: string; resource_id: string }[] = shown.statement.lines;
    const line = String(
      lines.findIndex(({ meter, resource_id }) => meter === 'image.size' && resource_id === 'late'),
    );
    const [file, former] = [join(directory, 'statement.json'), join(directory, 'former.json')];
    await table('statements', 'export', period, ...own, '-o', former, '--number', '0');
    const saved = await table('statements', 'export', period, ...own, '-o', file, '--line', line);
    const [, words = ''] = /^verify +nepho (.*)$/m.exec(saved) ?? [];
    const verified = await nepho([...words.split(' '), '--former', former], { env: offline });
    assert.equal(verified.status, 0, verified.stderr);
    assert.match(verified.stdout, /^verified +yes\n[^]*^number +1$[^]*^image\.size +140400 B·h$/m);
    const windows = `${file}.line-${line}`;
    const records = readFileSync(windows, 'utf8').split('\n');
    assert.equal(records.length, 13);
    writeFileSync(windows, records.toSpliced(3, 1).join('\n'));
    const partial = await nepho(words.split(' '), { env: offline });
    assert.match(partial.stdout, /^REFUSED at step 'windows'/);
    const altered = join(directory, 'altered.json');
    writeFileSync(altered, readFileSync(file, 'utf8').replaceAll('140400', '140401'));
    const refused = await nepho(['verify', altered, '--vkey', `${file}.vkey`, '--json'], {
      env: offline,
    });
    assert.equal(refused.status, 1);
    assert.equal((JSON.parse(refused.stdout) as { step: string }).step, 'signature');
    const other = await nepho(['windows', 'verify', file], { env: offline });
    assert.match(other.stderr, /\(evidence_other\)\n$/);
  });

  test('explain leads from a notification to the lines it counts in, and back', async () => {
    const { period } = system;
    const up = await table('explain', 'message-late');
    const [, id = '', line = ''] =
      /^([0-9a-f]{32}) +image\.size .* line (\d+) of \S+, number 1$/m.exec(up) ?? [];
    const sample = await table('explain', id);
    assert.match(sample, new RegExp(`^counts in +line ${line} of ${period}, number 1$`, 'm'));
    assert.match(sample, /^revision 1 +has it: entry \d+ of log \d$/m);
    const down = await table('explain', '--period', period, '--line', line, ...own);
    assert.match(down, /^sums +12 windows with 1 samples$/m);
    assert.match(down, new RegExp(`${id} +3600 .* image\\.upload +message-late`));
    assert.equal(down.match(/, held on/g)?.length, 11);
  });

  test('deliveries tell each attempt, and what the endpoint answered', async () => {
    const told = await table('statements', 'deliveries', system.period, ...own);
    assert.match(told, /^books +statement\.final +pending +1 +\S+ +\d+ +500 /m);
    const none = await nepho(['statements', 'deliveries', system.period], { env });
    assert.match(none.stderr, /^Cannot tell whose statement .*\(input_invalid\)\n$/);
  });

  test('what is missing or mistaken is told in one sentence, with a status', async () => {
    const cases: [string[], number, RegExp][] = [
      [['statements', 'show', '1999-01-01', ...own], 1, /\(not_found\)/],
      [['statements', 'show', 'x x', ...own], 1, /\(input_invalid\)/],
      [['statements', 'approve', system.period, ...own], 2, /--digest/],
      [['statements', 'actor', system.period, ...own], 1, /\(actors_unavailable\)/],
      [['statements', 'verify', join(directory, 'none')], 1, /\(file_unreadable\)/],
      [['explain'], 2, /\(usage_invalid\)/],
      [['explain', 'message-late', '--line', '3'], 2, /\(usage_invalid\)/],
    ];
    await Promise.all(cases.map(async ([args, code, sentence]) => {
      const result = await nepho(args, { env });
      assert.equal(result.status, code, `${args.join(' ')}: ${result.stderr}`);
      assert.match(result.stderr, /^Cannot [^\n]*\n$/, args.join(' '));
      assert.match(result.stderr, sentence);
    }));
  });
});
