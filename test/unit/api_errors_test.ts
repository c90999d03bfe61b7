import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { getHTTPStatusCodeFromError } from '@trpc/server/http';
import { API_ERRORS, apiError, publicError, toTrpcError } from '../../api/errors.ts';
import { errorResponse } from '../../api/error_response.ts';
import { NephoError } from '../../meters/errors.ts';

const CODES = Object.keys(API_ERRORS) as (keyof typeof API_ERRORS)[];

test('each code keeps its HTTP status and its place in docs/api.md', () => {
  const documented = readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8');
  const rows = [...documented.matchAll(/^\| `([a-z_]+)` +\| (\d{3}) /gm)]
    .map(([, code, status]) => `${code} ${status}`);
  const actual = CODES.map((code) =>
    `${code} ${getHTTPStatusCodeFromError(toTrpcError(apiError(code, 'Cannot')))}`
  );
  assert.deepEqual(rows, actual);
});

test('codes are snake_case and remedies are sentences without a period', () => {
  for (const code of CODES) {
    assert.match(code, /^[a-z]+(?:_[a-z]+)*$/);
    assert.match(API_ERRORS[code].remedy, /^[A-Z].*[^.]$/);
  }
});

test('an unknown error is internal and tells nothing of itself', async () => {
  for (
    const error of [
      new Error('connect postgres://nepho:secret@db/'),
      new NephoError('log_damaged', 'Cannot read /var/lib/nepho/secret'),
      new NephoError('constructor', 'Cannot read /secret'),
      'secret',
      null,
    ]
  ) {
    const told = publicError(error);
    assert.equal(told.code, 'internal');
    assert.equal(JSON.stringify(told).includes('secret'), false);
    const response = errorResponse(error, 'request-1');
    assert.equal(response.status, 500);
    assert.equal((await response.text()).includes('secret'), false);
  }
});

test('errors of the database and of NATS keep their own words to themselves', () => {
  const told = publicError(
    new NephoError(
      'database_unreachable',
      'Cannot list samples: connect ECONNREFUSED 10.0.0.7:5432',
    ),
  );
  assert.deepEqual(told, {
    code: 'database_unavailable',
    message: 'Cannot reach the database',
    remedy: API_ERRORS.database_unavailable.remedy,
  });
  assert.equal(
    publicError(new NephoError('bus_unavailable', 'nats://x')).code,
    'intake_unavailable',
  );
});

test('an answer outside of tRPC has the shape of one of tRPC', async () => {
  const response = errorResponse(apiError('unauthenticated', 'Cannot answer without a key'), 'r1');
  assert.equal(response.status, 401);
  assert.equal(response.headers.get('www-authenticate'), 'Bearer realm="nepho"');
  assert.deepEqual(await response.json(), {
    error: {
      message: 'Cannot answer without a key',
      code: -32001,
      data: {
        code: 'UNAUTHORIZED',
        httpStatus: 401,
        error_code: 'unauthenticated',
        remedy: API_ERRORS.unauthenticated.remedy,
        request_id: 'r1',
      },
    },
  });
});
