import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import test from 'node:test';
import { maskSecrets } from '../../cli/mask_secrets.ts';
import { childEnvironment, PROJECT_DIR } from '../../cli/env.ts';

const PROGRAM = `
  import { configureLogging, logger } from './cli/logging.ts';
  await configureLogging({ logLevel: 'info', logFormat: process.argv.at(-1) }, 'worker');
  logger('ingest').debug('Not shown');
  logger('ingest').info('Connected to amqp://u:hunt3r@rabbit/', {
    token: 'hunt3r',
    nats: 'nats://u:hunt3r@host:4222',
    size: 2n ** 63n,
    failure: new Error('postgres://u:hunt3r@db refused'),
  });
`;

/** What a process that logs as above writes to standard error. */
function logged(format: string): string {
  const args = ['--import=tsx', '--input-type=module', '--eval', PROGRAM, format];
  const { stderr, status } = spawnSync('node', args, {
    cwd: PROJECT_DIR,
    env: childEnvironment({ npm_config_loglevel: 'silent' }),
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return stderr;
}

test('a JSON log line is one object with the event, its fields and no secret', () => {
  const text = logged('json');
  const lines = text.trim().split('\n');
  assert.equal(lines.length, 1);
  const line = JSON.parse(lines[0] ?? '');
  assert.equal(line.level, 'INFO');
  assert.equal(line.logger, 'nepho.ingest');
  assert.equal(line.service, 'worker');
  assert.equal(line.message, 'Connected to amqp://u:…@rabbit/');
  assert.equal(line.size, '9223372036854775808');
  assert.ok(!text.includes('hunt3r'), text);
});

test('a log line for people is short and has no secret', () => {
  const text = logged('human');
  assert.match(text, /^\d\d:\d\d:\d\d\.\d{3} ingest Connected to amqp:\/\/u:…@rabbit\/ token=…/);
  assert.ok(!text.includes('hunt3r'), text);
});

test('maskSecrets leaves addresses without a password as they are', () => {
  for (const text of ['nats://127.0.0.1:4222', 'http://a.example:80/x?y=z@w', path.sep]) {
    assert.equal(maskSecrets(text), text);
  }
});
