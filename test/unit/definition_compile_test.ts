import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { compileDefinitions } from '../../meters/definition_compile.ts';
import { formatFault } from '../../meters/definition_fault.ts';
import { definition, notificationOf, setOf } from '../support/definitions.ts';

const FAULTY = fileURLToPath(new URL('../fixtures/definitions/faulty/', import.meta.url));

// Each file has its faults and warnings beside it. NEPHO_RECORD_FAULTS=1 writes them anew: read the change.
for (const name of readdirSync(FAULTY).filter((file) => file.endsWith('.yaml'))) {
  test(`compileDefinitions tells all faults of ${name} with their places`, () => {
    const compiled = compileDefinitions([{ name, text: readFileSync(`${FAULTY}${name}`, 'utf8') }]);
    assert.equal(compiled.ok, false);
    const told = [
      ...(compiled.ok ? [] : compiled.faults).map(formatFault),
      ...compiled.warnings.map((warning) => `warning: ${formatFault(warning)}`),
    ].map((line) => `${line}\n`).join('');
    const expected = `${FAULTY}${name.replace('.yaml', '.txt')}`;
    if (process.env['NEPHO_RECORD_FAULTS'] === '1') writeFileSync(expected, told);
    assert.equal(told, readFileSync(expected, 'utf8'));
  });
}

test('among definitions of one name the first file wins, and within a file the last', () => {
  const text = (first: string, second: string) =>
    `metric:\n${definition({ unit: first })}${definition({ unit: second })}`;
  const compiled = compileDefinitions([
    { name: 'operator.yaml', text: text('a', 'b') },
    { name: 'shipped.yaml', text: text('c', 'd') },
  ]);
  assert.ok(compiled.ok);
  const { readings } = compiled.set.extract(notificationOf({ payload: { id: 'r', size: 1 } }));
  assert.deepEqual(readings.map(({ unit }) => unit), ['b']);
  assert.deepEqual(compiled.warnings.map(({ file, line }) => `${file}:${line}`), [
    'operator.yaml:2',
    'shipped.yaml:2',
    'shipped.yaml:8',
  ]);
});

test('a set with faults in one file is refused whole, with those of all files in order', () => {
  const good = `metric:\n${definition({})}`;
  const compiled = compileDefinitions([
    { name: 'z.yaml', text: 'metric: 1' },
    { name: 'good.yaml', text: good },
    { name: 'a.yaml', text: `metric:\n${definition({ type: 'x' })}` },
  ]);
  assert.ok(!compiled.ok);
  assert.deepEqual(compiled.faults.map(({ file }) => file), ['z.yaml', 'a.yaml']);
});

test('places are those of the text also inside of quotes and after wide characters', () => {
  const text = `metric:\n${definition({ volume: `"$.payload.'é'.[0"` })}`;
  const compiled = compileDefinitions([{ name: 'a.yaml', text }]);
  assert.ok(!compiled.ok);
  const [fault] = compiled.faults;
  assert.equal(fault?.column, (text.split('\n')[5] ?? '').indexOf('[0"') + 3);
  assert.equal(fault?.line, 6);
});

test('YAML is read as PyYAML reads it: 1.1, with y and n as texts', () => {
  const set = setOf(definition({
    volume: '010',
    metadata: '{n: $.payload.id, y: $.payload.id, on: $.payload.id}',
  }));
  const [reading] = set.extract(notificationOf({ payload: { id: 'r' } })).readings;
  assert.equal(reading?.volume, '8');
  assert.deepEqual(reading?.metadata, { n: 'r', y: 'r', on: 'r' });
});

test('a nest of aliases is read once for each anchor', () => {
  const levels = Array.from(
    { length: 30 },
    (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}, *a${i}]`,
  );
  const text = `a0: &a0 x\n${levels.join('\n')}\nmetric:\n${definition({})}`;
  const started = performance.now();
  assert.ok(compileDefinitions([{ name: 'bomb.yaml', text }]).ok);
  assert.ok(performance.now() - started < 2_000);
});

test('a file beyond the limit is refused unread', () => {
  const compiled = compileDefinitions([{ name: 'a.yaml', text: '#'.repeat(2_000_000) }]);
  assert.deepEqual(compiled.ok ? [] : compiled.faults.map(({ code }) => code), ['file_too_large']);
});

test('words that are no paths stand for themselves as names and units', () => {
  const set = setOf(definition({ name: 'where.is', unit: "'%'" }));
  const [reading] = set.extract(notificationOf({ payload: { id: 'r', size: 1 } })).readings;
  assert.deepEqual([reading?.meter, reading?.unit], ['where.is', '%']);
});
