import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { parse } from 'yaml';
import { compileRestDefinitions } from '../../collectors/rest/definition_compile.ts';
import { restSettingsSchema } from '../../collectors/rest/settings_schema.ts';
import { formatFault } from '../../meters/definition_fault.ts';
import { compileExpression } from '../../meters/expression.ts';
import { FUNCTIONS } from '../../meters/expression_functions.ts';
import { METHODS } from '../../meters/expression_methods.ts';

const PAGE = readFileSync(new URL('../../docs/collectors/rest.md', import.meta.url), 'utf8');
const BLOCKS = [...PAGE.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = '']) => text);

test('the settings and the pollsters of the page are sound, without a warning', () => {
  const [polling = '', pollsters = ''] = BLOCKS;
  const settings = restSettingsSchema.parse(parse(polling).collectors.rest);
  const file = { name: 'page.yaml', text: pollsters, isPrivate: false };
  const compiled = compileRestDefinitions([file], settings);
  assert.ok(compiled.ok, compiled.ok ? '' : compiled.faults.map(formatFault).join('\n'));
  assert.deepEqual([compiled.definitions.length, compiled.warnings], [3, []]);
});

test('the page names every function and method, and no other', () => {
  const listed = (start: string) => {
    const from = PAGE.indexOf(start);
    const text = PAGE.slice(from + start.length, PAGE.indexOf('\n- ', from));
    return [...text.matchAll(/`(\w+)`/g)].map(([, name = '']) => name).sort();
  };
  assert.deepEqual(listed('- functions:'), [...Object.keys(FUNCTIONS), 'isinstance'].sort());
  assert.deepEqual([...new Set(listed('- methods of texts:'))], Object.keys(METHODS).sort());
});

test('the page says truly what differs from Python', () => {
  const evaluate = (text: string) => compileExpression(text, ['value']).evaluate({ value: 1 });
  assert.equal(evaluate('0.1 + 0.2'), 0.3);
  assert.deepEqual(
    evaluate('1 / 3'),
    compileExpression('value', ['value']).evaluate({
      value: evaluate('1 / 3'),
    }),
  );
  assert.deepEqual([evaluate('1 % 0.1'), evaluate('round(2.675, 2)')], [0, 2.68]);
  assert.equal(evaluate('[value for x in (1, 2)][0]'), 1);
  assert.throws(() => evaluate("float('nan')"), { code: 'expression_failed' });
  assert.throws(() => evaluate("'ΣΑΣ'.title()"), { code: 'expression_failed' });
});
