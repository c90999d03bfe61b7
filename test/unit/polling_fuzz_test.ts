import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import type { Fault } from '../../meters/definition_fault.ts';
import { parsePolling } from '../../meters/polling_parse.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/polling/', import.meta.url));
const texts = ['', 'faulty/'].flatMap((folder) =>
  readdirSync(`${FIXTURES}${folder}`).filter((name) => name.endsWith('.yaml'))
    .map((name) => readFileSync(`${FIXTURES}${folder}${name}`, 'utf8'))
);

/** Pieces that YAML, or polling.yaml, makes something of. */
const piece = fc.oneof(
  fc.constantFrom(
    '\n',
    ' ',
    '  - ',
    ': ',
    ':',
    '[',
    ']',
    '{',
    '}',
    ',',
    '&a ',
    '*a',
    '<<: *a',
    '!x ',
  ),
  fc.constantFrom('|', '>', '"', "'", '#', '%', '---\n', '...\n', '\t', '? ', '!!str ', '\u2028'),
  fc.constantFrom(
    'sources:',
    'name: ',
    'interval: ',
    'meters: ',
    '~',
    'null',
    '1e999',
    '0x',
    '1:1',
  ),
  fc.constantFrom('\u0000', '\ud800', '\ufeff', '__proto__: '),
  fc.string({ unit: 'binary', maxLength: 4 }),
);

/** Replaces a stretch of the text; the numbers are cut to its length. */
function edited(text: string, at: number, removed: number, put: string): string {
  const start = text.length === 0 ? 0 : at % (text.length + 1);
  return text.slice(0, start) + put + text.slice(start + removed);
}

function checkPlaces(text: string, faults: readonly Fault[]): void {
  const lines = text.split('\n');
  for (const { file, line, column, message, remedy } of faults) {
    assert.equal(file, 'p');
    assert.ok(line >= 1 && line <= lines.length, `line ${line} of ${lines.length}`);
    assert.ok(column >= 1 && column <= (lines[line - 1] ?? '').length + 1, `column ${column}`);
    assert.ok(message.length < 500 && remedy.length < 700);
    assert.doesNotMatch(message + remedy, /[\n.]$/);
  }
}

function check(text: string): void {
  const parsed = parsePolling(text, { file: 'p' });
  checkPlaces(text, parsed.warnings);
  if (!parsed.ok) {
    assert.ok(parsed.faults.length > 0);
    checkPlaces(text, parsed.faults);
  }
}

test('whatever becomes of a polling.yaml, it is read or has faults with places inside of it', () => {
  const edit = fc.tuple(fc.nat(4_000), fc.nat(12), fc.array(piece, { maxLength: 5 }));
  const mutated = fc.tuple(fc.constantFrom(...texts), fc.array(edit, { maxLength: 6 })).map((
    [text, edits],
  ) =>
    edits.reduce((result, [at, removed, put]) => edited(result, at, removed, put.join('')), text)
  );
  fc.assert(fc.property(mutated, check), { numRuns: 150 });
  fc.assert(fc.property(fc.array(piece, { maxLength: 40 }).map((all) => all.join('')), check), {
    numRuns: 150,
  });
});

const HEAVY: Readonly<Record<string, string>> = {
  'a million quotes': '"'.repeat(1_000_000),
  'a million commas': `[${','.repeat(1_000_000)}`,
  'half a million lists beside each other': '[]'.repeat(500_000),
  'nested brackets': '['.repeat(1_000_000),
  'nested braces': '{a: '.repeat(250_000),
  'nested items': '- '.repeat(20_000),
  'anchors upon each other': '&a '.repeat(300_000),
  'twenty thousand aliases': `x-a: &a 1\nsources: [${'*a, '.repeat(20_000)}]`,
  'aliases of aliases': `x0: &x0 [a, b]\n${
    Array.from({ length: 30 }, (_, i) => `x${i + 1}: &x${i + 1} [*x${i}, *x${i}, *x${i}]`).join(
      '\n',
    )
  }\ncollectors: { a: *x30 }\nsources: []`,
  'merges of a large mapping': `x-a: &a {${
    Array.from({ length: 1_000 }, (_, i) => `k${i}: 1`).join(', ')
  }}\nsources:\n${'  - <<: *a\n'.repeat(2_000)}`,
  'patterns without end': `sources: [{name: a, interval: 60, meters: ['${'*a'.repeat(500_000)}']}]`,
  'faults without end': `sources:\n${'  - {a: 1, b: 2}\n'.repeat(900)}`,
};

for (const [name, text] of Object.entries(HEAVY)) {
  test(`a file with ${name} is refused in time`, () => {
    const started = performance.now();
    const parsed = parsePolling(text, { file: 'p' });
    assert.equal(parsed.ok, false);
    if (!parsed.ok) {
      checkPlaces(text, parsed.faults);
      assert.ok(parsed.faults.length <= 1_000);
    }
    assert.ok(performance.now() - started < 10_000, 'in time');
  });
}
