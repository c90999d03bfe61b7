import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bindCursor, openCursor } from '../../api/pagination.ts';
import { isNephoError } from '../../meters/errors.ts';

const query = (filters: Record<string, string | null | undefined>, procedure = 'samples.list') => ({
  procedure,
  filters,
});

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (isNephoError(error)) return error.code;
    throw error;
  }
  return 'none';
}

test('a cursor leads back to the cursor of the store, whatever is in it', () => {
  fc.assert(fc.property(fc.string(), fc.dictionary(fc.string(), fc.string()), (inner, filters) => {
    const cursor = bindCursor(query(filters), inner);
    assert.equal(openCursor(query(filters), cursor ?? undefined), inner);
  }));
});

test('a cursor of another query, procedure or viewer is refused by a stable code', () => {
  const cursor = bindCursor(query({ meter: 'memory', viewer: 'a' }), 'inner') ?? undefined;
  for (
    const other of [
      query({ meter: 'vcpus', viewer: 'a' }),
      query({ meter: 'memory', viewer: 'b' }),
      query({ meter: 'memory', viewer: null }),
      query({ viewer: 'a' }),
      query({ meter: 'memory', viewer: 'a' }, 'resources.list'),
    ]
  ) {
    assert.equal(codeOf(() => openCursor(other, cursor)), 'cursor_of_another_query');
  }
});

test('a filter that is not given and one that is undefined are the same query', () => {
  const cursor = bindCursor(query({ meter: 'memory', source: undefined }), 'inner') ?? undefined;
  assert.equal(openCursor(query({ meter: 'memory' }), cursor), 'inner');
});

test('no cursor stays no cursor', () => {
  assert.equal(bindCursor(query({}), null), null);
  assert.equal(openCursor(query({}), undefined), null);
});

test('text that is no cursor is refused, never thrown by the parser', () => {
  for (
    const text of ['x', '!!!', 'bnVsbA', 'e30', 'W10', 'WzFd', 'WzEsImEiLDVd', 'WzIsImEiLCJiIl0']
  ) {
    assert.equal(codeOf(() => openCursor(query({}), text)), 'cursor_invalid', text);
  }
  fc.assert(fc.property(fc.string(), (text) => {
    assert.match(codeOf(() => openCursor(query({}), text)), /^cursor_/);
  }));
});
