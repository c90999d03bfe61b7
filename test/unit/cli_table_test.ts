import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupsOf, spanSeconds } from '../../cli/statistics.ts';
import { formatFields, formatTable, printable } from '../../cli/table.ts';

test('columns are as wide as they must be, numbers stand to the right', () => {
  const text = formatTable([
    { title: 'name', value: (row: [string | null, number]) => row[0] },
    { title: 'size', value: (row) => row[1], align: 'right' },
  ], [['a', 5], [null, 1000]]);
  assert.equal(text, 'NAME  SIZE\na        5\n-     1000\n');
});

test('what a notification says cannot steer the terminal', () => {
  assert.equal(printable('\u001b]0;owned\u0007'), '\\u{1b}]0;owned\\u{7}');
  assert.equal(printable('a\nb\u202ec\u2028'), 'a\\u{a}b\\u{202e}c\\u{2028}');
  assert.equal(formatFields([['x', '\r']]), 'x  \\u{d}\n');
});

test('statistics reads groups and spans as people write them', () => {
  assert.deepEqual(groupsOf('project, meter,project_id'), ['project_id', 'meter']);
  assert.throws(() => groupsOf('flavour'), /none of meter, project/);
  assert.deepEqual(['90', '90s', '15m', '2h', '1d'].map(spanSeconds), [90, 90, 900, 7200, 86400]);
  for (const text of ['', '0', '-1', '1w', '1.5h']) assert.throws(() => spanSeconds(text));
});
