import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { PROJECT_DIR, readSettings, unknownVariables } from '../../cli/env.ts';
import { variableNotes } from '../../cli/environment_schema.ts';
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
