import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { PROJECT_DIR, readSettings, unknownVariables } from '../../cli/env.ts';
import { variableNotes } from '../../cli/environment_schema.ts';
import { configurationTable, RUNNING_DOC, tableInDoc } from '../../scripts/configuration_table.ts';
import { errorMessage, isNephoError } from '../../meters/errors.ts';

function faultsOf(environment: Record<string, string>): string[] {
  try {
    readSettings(environment);
  } catch (error) {
    assert.ok(isNephoError(error));
    assert.equal(error.code, 'configuration_invalid');
    return errorMessage(error).split('\n').slice(1).map((line) => line.trim());
  }
  return [];
}

test('readSettings gives the embedded defaults of an empty environment', () => {
  const settings = readSettings({});
  assert.equal(settings.home, path.join(PROJECT_DIR, '.nepho'));
  assert.equal(settings.httpHost, '127.0.0.1');
  assert.equal(settings.httpPort, null);
  assert.equal(settings.source, 'openstack');
  assert.equal(settings.databaseUrl, null);
  assert.deepEqual(settings.definitionDirs, [path.join(PROJECT_DIR, 'definitions')]);
});

test('readSettings takes an empty variable for one that is not set', () => {
  assert.deepEqual(readSettings({ NEPHO_SHARDS: '', DATABASE_URL: '  ' }), readSettings({}));
});

test('readSettings reports every fault at once, with variable, value, class and example', () => {
  const faults = faultsOf({
    NEPHO_SHARDS: '0',
    NEPHO_HTTP_PORT: '99999',
    NEPHO_LOG_LEVEL: 'loud',
    NEPHO_NATS_URL: 'http://nats',
    NEPHO_TEMPORAL_ADDRESS: 'temporal',
  });
  assert.deepEqual(faults.map((fault) => fault.split(':')[0]), [
    'NEPHO_NATS_URL',
    'NEPHO_TEMPORAL_ADDRESS',
    'NEPHO_SHARDS',
    'NEPHO_HTTP_PORT',
    'NEPHO_LOG_LEVEL',
  ]);
  assert.equal(
    faults[2],
    "NEPHO_SHARDS: '0' is not a whole number from 1 to 256, as in 4",
  );
});

test('readSettings never shows the value of a secret', () => {
  const secrets = { NEPHO_TOKEN: 'hunt3r', DATABASE_URL: 'mysql://u:hunt3r@db/x' };
  const faults = faultsOf(secrets);
  assert.equal(faults.length, 2);
  assert.ok(!faults.join('\n').includes('hunt3r'));
});

test('readSettings takes several signing keys, the newest first', () => {
  const key = (body: string) => `-----BEGIN PRIVATE KEY-----\\n${body}\\n-----END PRIVATE KEY-----`;
  const { signingKeys, signingKeyFiles } = readSettings({
    NEPHO_SIGNING_KEY: `${key('new')}\\n${key('old')}`,
    NEPHO_SIGNING_KEY_FILE: '/run/a.key:/run/b.key',
  });
  assert.deepEqual(signingKeys.map((each) => /new|old/.exec(each)?.[0]), ['new', 'old']);
  assert.deepEqual(signingKeyFiles, ['/run/a.key', '/run/b.key']);
});

test('readSettings accepts each variable at its own example', () => {
  for (const [name, note] of variableNotes()) {
    if (note.example.includes('…')) continue;
    assert.deepEqual(faultsOf({ [name]: note.example }), [], name);
  }
});

test('unknownVariables names the misspelt ones', () => {
  const environment = { NEPHO_SHARD: '2', NEPHO_HOME: '/x', NEPHO_TEST_SEEDS: '3', HOME: '/root' };
  assert.deepEqual(unknownVariables(environment), ['NEPHO_SHARD']);
});

test('docs/running.md has the table of all variables', () => {
  // Aligned there by the formatter.
  const bare = (table: string) => table.replaceAll(/-{3,}/g, '---').replaceAll(/ +/g, ' ');
  const inDoc = tableInDoc(readFileSync(RUNNING_DOC, 'utf8'));
  assert.equal(bare(inDoc), bare(configurationTable()), 'run `npm run docs`');
});

test('readSettings takes several telemetry secrets, and not the one that everybody knows', () => {
  const secrets = (value: string) =>
    readSettings({ NEPHO_TELEMETRY_SECRET: value }).sampleSignatures.secrets;
  assert.deepEqual(secrets('one two, three'), ['one two, three']);
  assert.deepEqual(secrets('new\\nold'), ['new', 'old']);
  assert.deepEqual(secrets('new\n\n old \n'), ['new', 'old']);
  const [fault = ''] = faultsOf({ NEPHO_TELEMETRY_SECRET: 'new\nchange this for valid signing' });
  assert.match(fault, /not the default that Ceilometer ships/);
  assert.ok(!fault.includes('new\n'), 'a secret is never shown');
  assert.deepEqual(readSettings({}).sampleSignatures, { secrets: [], acceptUnsigned: false });
  const accepting = readSettings({ NEPHO_TELEMETRY_UNSIGNED: 'accept' });
  assert.equal(accepting.sampleSignatures.acceptUnsigned, true);
});

test('readSettings reads how a signing key changes', () => {
  assert.deepEqual(readSettings({}).keyChange, {
    overlapMs: 30 * 86_400_000,
    unendorsedKey: null,
  });
  assert.equal(readSettings({ NEPHO_KEY_OVERLAP_DAYS: '0' }).keyChange.overlapMs, 0);
  const half = { NEPHO_ALLOW_UNENDORSED_KEY: 'nepho.example+00000000+AQOhB7' };
  assert.equal(faultsOf(half).length, 1);
});
