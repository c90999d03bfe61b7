import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { webhookBody } from '../../activities/webhook_body.ts';
import * as statements from '../../cli/statements.ts';
import { canonicalJson } from '../../ledger/canonical_json.ts';
import { checkStatement } from '../../ledger/statement_check.ts';
import { parseStatement, statementDigest } from '../../ledger/statement_document.ts';
import { signWebhook, verifyWebhook } from '../../ledger/webhook_signature.ts';
import { parseBilling } from '../../meters/billing_parse.ts';
import type { JsonValue } from '../../meters/json.ts';
import { WEBHOOK_DELAYS } from '../../temporal.config.ts';

const document = readFileSync(
  fileURLToPath(new URL('../../docs/statements.md', import.meta.url)),
  'utf8',
);

function blocks(kind: string): string[] {
  const found = [...document.matchAll(new RegExp(`^\`\`\`${kind}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))];
  assert.ok(found.length > 0, kind);
  return found.map(([, text = '']) => text);
}

test('docs/statements.md: the billing.yaml that it shows is without fault or warning', () => {
  for (const text of blocks('yaml billing')) {
    const parsed = parseBilling(text, { file: 'billing.yaml' });
    assert.deepEqual(parsed.ok ? parsed.warnings : parsed.faults, []);
  }
});

test('docs/statements.md: the tables have the keys that billing.yaml takes', () => {
  const section = document.slice(document.indexOf('## billing.yaml'));
  const keysAfter = (sentence: string): string[] => {
    const rest = section.slice(section.indexOf(sentence) + sentence.length);
    const table = /(?:^\|.*\n)+/m.exec(rest)?.[0] ?? '';
    return [...table.matchAll(/^\| `(\w+)`/gm)].map((match) => match[1] ?? '').sort();
  };
  const known = (text: string): string[] => {
    const parsed = parseBilling(text, { file: 'b' });
    assert.ok(!parsed.ok);
    const told = parsed.faults.find(({ code }) => code === 'key_unknown')?.remedy ?? '';
    return told.replace('Use one of ', '').split(', ').sort();
  };
  assert.deepEqual(keysAfter('the log says why'), known('zzzzzz: 1'));
  assert.deepEqual(keysAfter('Of a period:'), known('periods: {default: {zzzzzz: 1}}'));
  assert.deepEqual(keysAfter('Of a webhook:'), known('webhooks: [{zzzzzz: 1}]'));
});

test('docs/statements.md: the statement that it shows is one, and the webhook is of it', () => {
  const [shown = ''] = blocks('json statement');
  const text = canonicalJson(JSON.parse(shown) as JsonValue);
  const statement = parseStatement(text);
  checkStatement(statement);
  const digest = statementDigest(text);
  const sent = JSON.parse(webhookBody(statement, { digest, event: 'statement.amended' })) as {
    data: Record<string, unknown>;
  };
  assert.match(String(sent.data['url']), /^\/trpc\/statements\.get\?input=%7B/);
  assert.equal(sent.data['digest'], digest);
  const [webhook = ''] = blocks('json webhook');
  const told = { ...sent.data, digest: 'DIGEST', url: '/trpc/statements.get?input=…' };
  assert.deepEqual(JSON.parse(webhook), { ...sent, data: told });
});

test('docs/statements.md: both receivers take what is genuine, once, and nothing else', () => {
  const secret = `whsec_${'c2VjcmV0'.repeat(4)}`;
  const now = Math.floor(Date.now() / 1_000);
  const webhook = { id: 'msg_1', timestamp: now, body: '{"type":"statement.final"}' };
  const request = (changes: { body?: string; timestamp?: number; secret?: string } = {}) => {
    const { body = webhook.body, timestamp = now } = changes;
    const signature = signWebhook({ ...webhook, timestamp }, [changes.secret ?? secret]);
    return {
      body: Buffer.from(body),
      headers: {
        'webhook-id': webhook.id,
        'webhook-timestamp': String(timestamp),
        'webhook-signature': signature,
      },
    };
  };
  for (const code of blocks('ts receiver')) {
    const program = code.replace(/^import .*$/gm, '');
    const names = ['headers', 'body', 'secrets', 'seen'];
    const tools = { verifyWebhook, createHmac, timingSafeEqual, Buffer };
    // oxlint-disable-next-line typescript/no-implied-eval -- the code of the page is what is tested
    const receive = new Function(...names, ...Object.keys(tools), `${program}\nreturn isNew;`);
    const received = (changes = {}, secrets = [secret], seen = new Set<string>()): unknown => {
      const { headers, body } = request(changes);
      return receive(headers, body, secrets, seen, ...Object.values(tools));
    };
    assert.equal(received(), true);
    assert.equal(received({}, [secret], new Set(['msg_1'])), false);
    assert.equal(received({}, [`whsec_${'b3RoZXIh'.repeat(4)}`, secret]), true);
    assert.throws(() => received({ body: '{"type":"statement.amended"}' }));
    assert.throws(() => received({ timestamp: now - 400 }));
    assert.throws(() => received({ secret: `whsec_${'b3RoZXIh'.repeat(4)}` }));
  }
});

test('docs/statements.md: the schedule is that of the actor, and every word is explained', () => {
  const [, schedule = ''] = /at once, after (.*?) each from/s.exec(document) ?? [];
  const units: Record<string, number> = { s: 1, min: 60, h: 3_600 };
  const seconds = [...schedule.matchAll(/(\d+) (s|min|h)\b/g)]
    .map(([, count = '', unit = '']) => Number(count) * (units[unit] ?? 0));
  assert.deepEqual([0, ...seconds], WEBHOOK_DELAYS);
  const words = 'cut_hours expired resets resources_grouped steps_back types_differ units_differ ' +
    'unaccounted redirected gone rate_limited server_error refused timeout unreachable ' +
    'certificate_invalid name_unknown address_private secret_missing endpoint_unknown outcome_unknown';
  for (const word of words.split(' ')) {
    assert.match(document, new RegExp(`^\\|.*\`${word}\``, 'm'), word);
  }
});

test('docs/statements.md: the commands that it shows are there, with their options', () => {
  const program = new Command();
  statements.register(program);
  const shown = [...document.matchAll(/^npx nepho statements (\w+) (.*)$/gm)];
  assert.ok(shown.length > 4);
  const [all] = program.commands;
  for (const [, name = '', rest = ''] of shown) {
    const command = all?.commands.find((one) => one.name() === name);
    assert.ok(command, name);
    const known = command.options.map(({ long }) => long);
    for (const [option] of rest.matchAll(/--\w+/g)) assert.ok(known.includes(option), option);
  }
});
