import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { demoEnvironment } from '../../cli/demo_part.ts';
import { readSettings } from '../../cli/env.ts';
import { parseBilling } from '../../meters/billing_parse.ts';

const home = mkdtempSync(join(tmpdir(), 'nepho-demo-'));
after(() => rmSync(home, { recursive: true, force: true }));

test('the demonstration bills days at once, by a file that is read without a fault', async () => {
  const environment = await demoEnvironment(readSettings({ NEPHO_HOME: home }));
  const file = join(home, 'demo_billing.yaml');
  assert.deepEqual(environment, { NEPHO_SEAL_GRACE: '10s', NEPHO_BILLING: file });
  const parsed = parseBilling(readFileSync(file, 'utf8'), { file });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  assert.equal(parsed.config.periods.fallback.length, 'day');
  assert.equal(parsed.config.graceSeconds, 0);
});

test('what the user configured stays as it is', async () => {
  const given = { NEPHO_HOME: home, NEPHO_SEAL_GRACE: '1h', NEPHO_BILLING: '/etc/billing.yaml' };
  assert.deepEqual(await demoEnvironment(readSettings(given)), {});
  writeFileSync(join(home, 'billing.yaml'), '');
  assert.deepEqual(await demoEnvironment(readSettings({ NEPHO_HOME: home })), {
    NEPHO_SEAL_GRACE: '10s',
  });
});
