import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { isNephoError } from '../../meters/errors.ts';
import { parseSelector } from '../../meters/exposition_selector.ts';
import { parseTemplate } from '../../meters/exposition_template.ts';

function takes(selector: string, name: string, labels: Record<string, string> = {}): boolean {
  return parseSelector(selector).matches(name, new Map(Object.entries(labels)));
}

test('parseSelector: matchers mean what they mean in PromQL', () => {
  const cases: [string, string, Record<string, string>, boolean][] = [
    ['up', 'up', {}, true],
    ['up', 'upper', {}, false],
    ['up{job="a"}', 'up', { job: 'a' }, true],
    ['up{job="a"}', 'up', {}, false],
    ['up{job=""}', 'up', {}, true],
    ['up{job!="a"}', 'up', {}, true],
    ['up{job!=""}', 'up', {}, false],
    ['up{job=~"a|b"}', 'up', { job: 'b' }, true],
    ['up{job=~"a|b"}', 'up', { job: 'ab' }, false],
    ['up{job=~"a"}', 'up', { job: 'a\n' }, false],
    ['up{job!~"a.*"}', 'up', { job: 'abc' }, false],
    ['up{job!~"a.+"}', 'up', { job: 'a' }, true],
    ['up{job=~"(?i)ABC"}', 'up', { job: 'abc' }, true],
    ['up { job = "a" , env=~`\\d+` , }', 'up', { job: 'a', env: '12' }, true],
    ['{__name__=~"node_.*_total", mode="idle"}', 'node_cpu_total', { mode: 'idle' }, true],
    ['{__name__="up"}', 'up', {}, true],
    ['{"my.metric", "a label"="x"}', 'my.metric', { 'a label': 'x' }, true],
    ["up{a='\\u00fc\\x41\\\\'}", 'up', { a: 'üA\\' }, true],
  ];
  for (const [selector, name, labels, expected] of cases) {
    assert.equal(takes(selector, name, labels), expected, selector);
  }
});

test('parseSelector: what it does not take is refused with a remedy', () => {
  const cases: [string, RegExp][] = [
    ['', /names nothing/],
    ['{}', /names nothing/],
    ['{job=~".*"}', /takes every series/],
    ['rate(up[5m])', /'\(up\[5m\]\)' is left over. Write name\{label="value"\}/],
    ['up{job="a"', /'\}' is missing/],
    ['up{job=a}', /a value has no quotes/],
    ['up{job="a}', /not closed/],
    ['up{job="\\d"}', /Double the backslash/],
    ['up{job~"a"}', /no operator/],
    ['up{job=~"("}', /Cannot read the pattern/],
    ['up{job=~"[[:alpha:]]"}', /Write its range/],
    ['up{="a"}', /name of a label is missing/],
    [`up{a="${'x'.repeat(5_000)}"}`, /at most 4096/],
  ];
  for (const [selector, message] of cases) {
    assert.throws(
      () => parseSelector(selector),
      (error) =>
        isNephoError(error) && error.code === 'selector_invalid' && message.test(error.message),
      selector,
    );
  }
});

test('parseSelector: any text gives a selector or a fault', () => {
  const soup = fc.string({
    unit: fc.constantFrom('a', '{', '}', '"', "'", '`', '\\', '=', '~', '!', ',', ' ', '(', '*'),
    maxLength: 40,
  });
  fc.assert(fc.property(soup, (text) => {
    try {
      parseSelector(text);
    } catch (error) {
      assert.ok(isNephoError(error) && error.code === 'selector_invalid', String(error));
    }
  }));
});

test('parseSelector: a pattern that would run for ever is cut off', () => {
  const selector = parseSelector('up{job=~"(a*)*(a*)*(a*)*b"}');
  assert.throws(
    () => selector.matches('up', new Map([['job', 'a'.repeat(200)]])),
    (error) => isNephoError(error) && error.code === 'definition_failed',
  );
});

test('parseTemplate: labels are put in, and one that is missing or empty gives nothing', () => {
  const template = parseTemplate('host-${instance}/${my.label}$$');
  assert.deepEqual([template.prefix, template.labels], ['host-', ['instance', 'my.label']]);
  const labels = new Map([['instance', 'a'], ['my.label', 'b'], ['empty', '']]);
  assert.equal(template.fill((label) => labels.get(label)), 'host-a/b$');
  assert.equal(parseTemplate('x${none}').fill((label) => labels.get(label)), null);
  assert.equal(parseTemplate('x${empty}').fill((label) => labels.get(label)), null);
  for (const bad of ['', 'a$b', '${', '${}', 'a'.repeat(2_000)]) {
    assert.throws(
      () => parseTemplate(bad),
      (error) => isNephoError(error) && error.code === 'template_invalid',
      bad,
    );
  }
});
