import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { authorityReader, openBillingSource } from '../../cli/billing_files.ts';
import { readSettings } from '../../cli/env.ts';
import { DEFAULT_BILLING } from '../../meters/billing_config.ts';

let directory = '';
before(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'nepho-billing-'));
});
after(() => rm(directory, { recursive: true }));

const quiet = (): void => {};

test('billing.yaml is looked for in NEPHO_HOME and the working directory, or is the one named', () => {
  const { billingFiles, isBillingNamed } = readSettings({ NEPHO_HOME: '/n' });
  assert.deepEqual([billingFiles, isBillingNamed], [
    ['/n/billing.yaml', path.resolve('billing.yaml')],
    false,
  ]);
  const named = readSettings({ NEPHO_BILLING: '/etc/b.yaml' });
  assert.deepEqual([named.billingFiles, named.isBillingNamed], [['/etc/b.yaml'], true]);
});

test('without a billing.yaml the defaults hold, but one that is named must be there', async () => {
  const billingFiles = [path.join(directory, 'none.yaml')];
  const source = await openBillingSource({ billingFiles, isBillingNamed: false }, quiet);
  assert.equal(await source.current(), DEFAULT_BILLING);
  await assert.rejects(openBillingSource({ billingFiles, isBillingNamed: true }, quiet), {
    code: 'billing_file_missing',
  });
});

test('the first that is there counts, and a faulty one is told whole', async () => {
  const file = path.join(directory, 'billing.yaml');
  const places = { billingFiles: [path.join(directory, 'none.yaml'), file], isBillingNamed: false };
  await writeFile(file, 'grace: 1h\n');
  const source = await openBillingSource(places, quiet);
  assert.equal((await source.current()).graceSeconds, 3_600);
  assert.equal(source.baseDir, directory);
  await writeFile(file, 'grace: soon\nmeters: none\n');
  await assert.rejects(
    openBillingSource(places, quiet),
    ({ code, message }: Error & { code?: string }) =>
      code === 'billing_faulty' && message.includes(':1:8:') && message.includes('2 faults'),
  );
});

test('certificates are read relative to billing.yaml', async () => {
  await writeFile(path.join(directory, 'ca.pem'), 'certificate');
  const read = authorityReader(directory);
  assert.equal(await read('ca.pem'), 'certificate');
  await assert.rejects(read('none.pem'), { code: 'ca_file_unreadable' });
});
