import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { test } from 'node:test';
import { digestOfSecret, newSecret, principalOf, readBearer } from '../../api/auth.ts';
import {
  ATTEMPTS_WINDOW_MS,
  FailedAttempts,
  MAX_FAILED_ATTEMPTS,
} from '../../api/failed_attempts.ts';

const NOW = '2026-06-01T00:00:00.000000Z';
const KEY = {
  api_key_id: 'key-1',
  name: 'test',
  role: 'project' as const,
  project_id: 'p1',
  created_at: '2026-01-01T00:00:00.000000Z',
  expires_at: null,
  revoked_at: null,
};

test('only a bearer key is a key', () => {
  assert.equal(readBearer('Bearer nepho_abcdefgh'), 'nepho_abcdefgh');
  assert.equal(readBearer('bearer nepho_abcdefgh'), 'nepho_abcdefgh');
  for (
    const header of [
      null,
      undefined,
      '',
      'Bearer',
      'Bearer ',
      'Bearer short',
      'Basic bmVwaG86eA==',
      'Bearer two words here',
      `Bearer ${'x'.repeat(600)}`,
    ]
  ) assert.equal(readBearer(header), null);
});

test('secrets differ, carry 256 bits, and are known by their digest alone', () => {
  const secrets = new Set(Array.from({ length: 100 }, newSecret));
  assert.equal(secrets.size, 100);
  for (const secret of secrets) assert.match(secret, /^nepho_[\w-]{43}$/);
  assert.equal(
    Buffer.from(digestOfSecret('nepho_x')).toString('hex'),
    '0c1c5e42b689ed2aafc0bbcd076d5f03c6bc5f90b511c34c5f14fe9e6422422a',
  );
});

test('a key that is unknown, revoked or expired stands for nobody', () => {
  assert.equal(principalOf(null, NOW), null);
  assert.equal(principalOf({ ...KEY, revoked_at: '2026-05-01T00:00:00.000000Z' }, NOW), null);
  assert.equal(principalOf({ ...KEY, expires_at: NOW }, NOW), null);
  assert.notEqual(
    principalOf({ ...KEY, expires_at: '2026-06-01T00:00:00.000001Z' }, NOW),
    null,
  );
});

test("a project's key without its project stands for nobody, never for all", () => {
  assert.equal(principalOf({ ...KEY, project_id: null }, NOW), null);
  assert.deepEqual(principalOf(KEY, NOW), { role: 'project', keyId: 'key-1', projectId: 'p1' });
  assert.deepEqual(principalOf({ ...KEY, role: 'operator', project_id: null }, NOW), {
    role: 'operator',
    keyId: 'key-1',
  });
});

test('an address has to wait after too many failures, and only for a while', () => {
  let now = 0;
  const failures = new FailedAttempts(() => now);
  for (let i = 0; i < MAX_FAILED_ATTEMPTS; i += 1) {
    assert.equal(failures.isBlocked('10.0.0.1'), false);
    failures.record('10.0.0.1');
  }
  assert.equal(failures.isBlocked('10.0.0.1'), true);
  assert.equal(failures.isBlocked('10.0.0.2'), false);
  now = ATTEMPTS_WINDOW_MS;
  assert.equal(failures.isBlocked('10.0.0.1'), false);
});
