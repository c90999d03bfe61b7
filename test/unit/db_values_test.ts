import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkLimit, decodeCursor, encodeCursor, MAX_PAGE, pageOf } from '../../db/cursor.ts';
import { databaseError, sqlstateOf } from '../../db/errors.ts';
import { monthsAhead, partitionSpan } from '../../db/partitions.ts';
import { canonicalTimestamp } from '../../db/timestamp_text.ts';
import { NephoError } from '../../meters/errors.ts';
import { formatMicros } from '../../meters/timestamp.ts';

test('canonicalTimestamp reads what PostgreSQL writes, in any zone and precision', () => {
  const cases = [
    ['2026-01-31 23:59:59+00', '2026-01-31T23:59:59.000000Z'],
    ['2026-01-31 23:59:59.12+00', '2026-01-31T23:59:59.120000Z'],
    ['2026-01-31 23:59:59.000001+00', '2026-01-31T23:59:59.000001Z'],
    ['2026-02-01 05:44:59.5+05:45', '2026-01-31T23:59:59.500000Z'],
    ['2026-01-31 19:59:59-04', '2026-01-31T23:59:59.000000Z'],
  ];
  for (const [text = '', canonical] of cases) assert.equal(canonicalTimestamp(text), canonical);
  for (const text of ['infinity', '10000-01-01 00:00:00+00', '0044-03-15 00:00:00+00 BC', '']) {
    assert.throws(() => canonicalTimestamp(text), { code: 'timestamp_invalid' });
  }
});

test('canonicalTimestamp keeps every microsecond', () => {
  fc.assert(fc.property(fc.bigInt({ min: 0n, max: 4_000_000_000_000_000n }), (micros) => {
    const canonical = formatMicros(micros);
    // PostgreSQL leaves the zeros at the end of the fraction out.
    const written = canonical.replace('T', ' ').replace(/\.?0*Z$/, '+00');
    assert.equal(canonicalTimestamp(written), canonical);
  }));
});

test('a cursor gives back its key, and only to its own list and shape', () => {
  fc.assert(fc.property(fc.string(), fc.maxSafeInteger(), (text, number) => {
    const cursor = encodeCursor('things', [text, number]);
    assert.deepEqual(decodeCursor('things', cursor, ['string', 'number']), [text, number]);
    assert.throws(() => decodeCursor('others', cursor, ['string', 'number']), {
      code: 'cursor_invalid',
    });
    assert.throws(() => decodeCursor('things', cursor, ['number', 'string']), {
      code: 'cursor_invalid',
    });
  }));
  for (const forged of ['[]', '{}', 'null', '["things",1e400]', '["things","x",0.5]', 'nonsense']) {
    const cursor = Buffer.from(forged).toString('base64url');
    assert.throws(() => decodeCursor('things', cursor, ['string', 'number']), {
      code: 'cursor_invalid',
    });
  }
  assert.equal(decodeCursor('things', null, ['number']), null);
});

test('pageOf says that there is more only if there is', () => {
  const cursorOf = (row: number) => `after ${row}`;
  assert.deepEqual(pageOf([1, 2, 3], 2, cursorOf), { rows: [1, 2], nextCursor: 'after 2' });
  assert.deepEqual(pageOf([1, 2], 2, cursorOf), { rows: [1, 2], nextCursor: null });
  assert.deepEqual(pageOf([], 2, cursorOf), { rows: [], nextCursor: null });
  checkLimit(1);
  checkLimit(MAX_PAGE);
});

test('databaseError finds the cause within wrappers and says whether to try again', () => {
  const of = (code: string, message = 'x') => Object.assign(new Error(message), { code });
  const cases: [unknown, string, boolean][] = [
    [of('40001'), 'database_conflict', true],
    [of('40P01'), 'database_conflict', true],
    [of('57P01'), 'database_unreachable', true],
    [of('08006'), 'database_unreachable', true],
    [of('53100'), 'database_full', true],
    [of('23505'), 'already_exists', false],
    [of('23514', 'no partition of relation "samples" found for row'), 'partition_missing', true],
    [of('23514', 'violates check constraint'), 'constraint_broken', false],
    [of('22P02'), 'value_invalid', false],
    [of('54000'), 'value_too_large', false],
    [of('28P01'), 'database_refused', false],
    [of('42P01'), 'database_schema', false],
    [of('P0001'), 'database_failed', false],
    [of('ECONNREFUSED'), 'database_unreachable', true],
    [new AggregateError([of('ECONNREFUSED')]), 'database_unreachable', true],
    [new Error('Failed query', { cause: of('40001') }), 'database_conflict', true],
    [new Error('Connection terminated unexpectedly'), 'database_unreachable', true],
    [new Error('timeout exceeded when trying to connect'), 'database_unreachable', true],
    [new TypeError('x is not a function'), 'database_failed', false],
    ['a text', 'database_failed', false],
  ];
  for (const [cause, code, retryable] of cases) {
    const error = databaseError(cause, 'try');
    assert.deepEqual([error.code, error.retryable], [code, retryable], String(cause));
    assert.match(error.message, /^Cannot try: /);
  }
  const ours = new NephoError('log_fenced', 'Cannot append');
  assert.equal(databaseError(ours, 'try'), ours);
  assert.equal(sqlstateOf(new Error('x')), null);
});

test('partitionSpan covers all that ingest accepts and three months beyond', () => {
  assert.deepEqual(partitionSpan('2026-11-30T23:00:00.000000Z'), {
    from: '2025-10-26T23:00:00.000000Z',
    to: '2027-04-01T00:00:00.000000Z',
  });
  const partitions = ['2026-12', '2027-01', '2027-03'].map((month) => ({
    name: month,
    from: `${month}-01T00:00:00.000000Z`,
    to: '',
  }));
  assert.equal(monthsAhead(partitions, '2026-11-30T23:00:00.000000Z'), 2);
});
