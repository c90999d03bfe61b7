import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isNephoError, type NephoError } from '../../meters/errors.ts';
import { compileExpression } from '../../meters/expression.ts';
import { ExactNumber, type JsonValue } from '../../meters/json.ts';

function evaluate(text: string, value: JsonValue): JsonValue {
  return compileExpression(text, ['value']).evaluate({ value });
}

function failureOf(action: () => unknown): NephoError {
  try {
    action();
  } catch (error) {
    if (isNephoError(error)) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

const LINKS = [{ href: 'http://a/2', rel: 'prev' }, { href: 'http://a/3', rel: 'next' }];

// What Ceilometer's documentation and tests show, and what operators wrote in their pollster files. That
// every form means what it means in Python is compared with Python's own `eval` in test/conformance.
const OPERATORS: readonly [expression: string, value: JsonValue, result: JsonValue][] = [
  ["value.split('$')[0].strip()", ' a$b', 'a'],
  ["value.split ('$')", 'a$b', ['a', 'b']],
  ['value[0]', ['a', 'b'], 'a'],
  ['value.strip()', ' a ', 'a'],
  ["value['some_field'] if 'some_field' in value else ''", {}, ''],
  ["value['some_field'] if 'some_field' in value else ''", { some_field: 5 }, 5],
  ["filter(lambda v: v.get('rel') == 'next', value)", LINKS, [LINKS[1] ?? null]],
  ['list(value)', LINKS, LINKS],
  ["value.get('href')", LINKS[0] ?? null, 'http://a/2'],
  ["value.replace('http:', 'https:')", 'http://a', 'https://a'],
  ["value or { 'id': '' }", '', { id: '' }],
  ["value['id']", { id: 'i' }, 'i'],
  ["','.join(value)", ['a', 'b'], 'a,b'],
  [
    "'aws s3api list-objects --starting-token \"' + value + '\"'",
    't',
    'aws s3api list-objects --starting-token "t"',
  ],
  ['value + 1', 1, 2],
  ['value / 2', 2, 1],
  ['value.upper()', 'active', 'ACTIVE'],
  ['len(value)', [1, 2], 2],
  ['int(value) if value is not None else 0', null, 0],
  ["1 if value in ('ACTIVE', 'RUNNING') else 0", 'RUNNING', 1],
  ["{'ACTIVE': 1, 'ERROR': 2}.get(value, 0)", 'ERROR', 2],
  ["sum(v['size'] for v in value if v['status'] != 'deleted')", [{ size: 3, status: 'ok' }, {
    size: 9,
    status: 'deleted',
  }], 3],
  ["next((v['href'] for v in value if v['rel'] == 'next'), None)", LINKS, 'http://a/3'],
  ['round(float(value) / 1024 ** 3, 2)', '5368709120', 5],
  ['value if isinstance(value, list) else [value]', { a: 1 }, [{ a: 1 }]],
  ['value.splitlines()[-1].split()[2]', 'a b c\nd e f\n', 'f'],
  ["'{}:{}'.format(value.get('host'), value['port'])", { host: 'h', port: 1 }, 'h:1'],
  ["str(value).lower() == 'true'", true, true],
  ['[k for k, v in value.items() if v > 0]', { a: 1, b: 0 }, ['a']],
  ["max(value, key=lambda v: v['n'])['n']", [{ n: 1 }, { n: 4 }], 4],
];

test('compileExpression understands what operators wrote', () => {
  for (const [text, value, result] of OPERATORS) {
    assert.deepEqual(evaluate(text, value), result, text);
  }
});

test('an expression computes exactly, and a quotient that does not end has twenty decimals', () => {
  assert.equal(evaluate('value + 0.2', 0.1), 0.3);
  assert.deepEqual(
    evaluate('value + 2', new ExactNumber('9007199254740993')),
    new ExactNumber('9007199254740995'),
  );
  assert.deepEqual(evaluate('value / 3', 1), new ExactNumber('0.33333333333333333333'));
  assert.equal(evaluate('value / 1024 / 1024 * 1024 * 1024', 7), 7);
  assert.deepEqual(
    evaluate('float(value)', '123456789012345678901234567890.5'),
    new ExactNumber('123456789012345678901234567890.5'),
  );
  assert.deepEqual(
    ['value // 2', 'value % 4', '-value // 2', '-value % 4'].map((text) => evaluate(text, 7)),
    [3, 3, -4, 1],
  );
  assert.deepEqual(
    ['round(value)', 'round(value + 1)', 'int(value)'].map((text) => evaluate(text, 2.5)),
    [2, 4, 2],
  );
});

const REFUSED: readonly [expression: string, offset: number, remedy: RegExp][] = [
  ['', 0, /value/],
  ['value.', 6, /name/],
  ['value.__class__', 6, /\['__class__'\]/],
  ['value.upper', 6, /Call it: upper\(…\)/],
  ['value.encode()', 6, /Use one of upper/],
  ['().__class__.__bases__[0]', 3, /Write/],
  ["__import__('os').system('id')", 0, /Use one of str/],
  ["open('/etc/passwd').read()", 0, /Use one of/],
  ['eval("1")', 0, /Use one of/],
  ["getattr(value, 'x')", 0, /value\.get/],
  ['json.loads(value)', 0, /response_handlers/],
  ['re.sub("a", "b", value)', 0, /replace/],
  ['self.conf', 0, /Use 'value'/],
  ["f'{value}'", 0, /format/],
  ["b'value'", 0, /prefix/],
  ["'''value'''", 0, /one quote/],
  ["'value", 0, /Close/],
  ['value = 1', 6, /==/],
  ['value += 1', 6, /without assignment/],
  ['(x := value)', 3, /without assignment/],
  ['value | 1', 6, /pipe/],
  ['value & 1', 6, /and/],
  ['~value', 0, /not/],
  ['lambda x: x', 0, /filter, map/],
  ['(lambda x: x)(value)', 1, /filter, map/],
  ['{k: 1 for k in value}', 1, /'value'/],
  ['{value: 1 for k in value}', 10, /Make a list/],
  ['{value, 1}', 1, /list/],
  ['[x for y in value for x in y]', 1, /'y', 'value'|'value', 'y'/],
  ['[y for y in value for z in y]', 18, /Walk one list/],
  ['value is 1', 9, /==/],
  ['value if value', 6, /else b/],
  ['str', 0, /str\(…\)/],
  ['len()', 0, /as many/],
  ['len(value, value)', 0, /as many/],
  ["value.split(',', limit=1)", 23, /Remove/],
  ['sum(x for x in value, 1)', 6, /Bracket/],
  ['isinstance(value, bytes)', 18, /str, int/],
  ['map(upper, value)', 4, /'value'/],
  ['value[1', 7, /Write|Close/],
  ['01', 0, /leading zeros/],
  ['1j', 0, /letters/],
  ['value 1', 6, /one expression/],
  ['name', 0, /quote it/],
  ['1e999', 0, /40/],
  [`value${' '.repeat(5_000)}`, 0, /4096/],
  [`${'('.repeat(100)}value`, 86, /levels|Nest/],
];

test('what is no expression is refused at its place, with a remedy', () => {
  for (const [text, offset, remedy] of REFUSED) {
    const { code, context } = failureOf(() => compileExpression(text, ['value']));
    assert.equal(code, 'expression_invalid', text);
    assert.match(String(context['remedy']), remedy, text);
    if (text.length < 100) assert.equal(context['offset'], offset, text);
  }
});

test('an evaluation fails by kind, and its message holds no value', () => {
  const cases: [string, JsonValue, string][] = [
    ["value['a']", { secret: 'hidden' }, 'key_missing'],
    ["value['__proto__']", {}, 'key_missing'],
    ["value['constructor']", {}, 'key_missing'],
    ["value['length']", [1], 'type'],
    ['value[3]', ['hidden'], 'index_missing'],
    ['next(x for x in value)', [], 'index_missing'],
    ['value + 1', 'hidden', 'type'],
    ['value.get(1)', 'hidden', 'type'],
    ['int(value)', 'hidden', 'value'],
    ['float(value)', 'nan', 'value'],
    ['value / 0', 1, 'value'],
    ['value < 1', 'hidden', 'type'],
    ['value ** 100000', 10, 'too_large'],
    ['10 ** value', 1_000_000_000, 'too_large'],
    ["'a' * value", 100_000_000, 'too_large'],
    ['[1] * value', 100_000_000, 'too_large'],
    ["'%1000000d' % value", 1, 'too_large'],
    ['value ** 0.5', 4, 'value'],
    ['value', new ExactNumber(`1${'0'.repeat(100)}`), 'too_large'],
  ];
  for (const [text, value, failure] of cases) {
    const error = failureOf(() => evaluate(text, value));
    assert.equal(error.code, 'expression_failed', text);
    assert.equal(error.context['failure'], failure, text);
    assert.doesNotMatch(error.message, /hidden/);
  }
});

test('an expression cannot run or grow without end', () => {
  const long = Array.from({ length: 2_000 }, (_, at) => at);
  const square = '[len([y for y in value if y == x]) for x in value]';
  assert.equal(failureOf(() => evaluate(square, long)).context['failure'], 'too_large');
  const double = compileExpression('[value, value]', ['value']);
  let nested: JsonValue = 1;
  for (let times = 0; times < 5; times += 1) nested = double.evaluate({ value: nested });
  assert.throws(() => {
    for (let times = 0; times < 40; times += 1) nested = double.evaluate({ value: nested });
  }, /too many steps|nested too deeply/);
  const grown = Array(1_300).fill('value').join('+');
  assert.equal(
    failureOf(() => compileExpression(grown, ['value'])).code,
    'expression_invalid',
  );
});

test('an expression changes nothing that it is given, and what it finds is own', () => {
  const given = JSON.parse('{"list": [3, 1], "__proto__": {"x": 1}, "n": {"a": 1}}');
  const before = JSON.stringify(given);
  assert.deepEqual(evaluate("sorted(value['list'])", given), [1, 3]);
  assert.deepEqual(evaluate("value['__proto__']['x']", given), 1);
  assert.equal(evaluate("'toString' in value", given), false);
  assert.equal(evaluate("value.get('hasOwnProperty')", given), null);
  assert.equal(JSON.stringify(given), before);
  assert.equal(Object.getPrototypeOf(evaluate("{'__proto__': value}", 1)), Object.prototype);
  assert.deepEqual(Object.keys(evaluate("{'__proto__': value}", 1) as object), ['__proto__']);
});

test('any text either is an expression or is refused, and none does harm', () => {
  const pieces = fc.constantFrom(
    'value',
    'x',
    ' for ',
    ' in ',
    ' if ',
    ' else ',
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    ',',
    ':',
    '.',
    '+',
    '-',
    '**',
    '%',
    "'a'",
    '"',
    '\\',
    '1',
    '1.5',
    'lambda ',
    'not ',
    'is ',
    'str',
    'map',
    'isinstance',
    '=',
    '==',
    '<',
    '|',
    '😀',
    '\n',
    '__proto__',
    'get',
  );
  fc.assert(
    fc.property(
      fc.oneof(fc.array(pieces, { maxLength: 14 }).map((parts) => parts.join('')), fc.string()),
      (text) => {
        try {
          evaluate(text, { a: [1, 'b'] });
        } catch (error) {
          if (!isNephoError(error) || !/^expression_(?:invalid|failed)$/.test(error.code)) {
            throw error;
          }
          const offset = error.context['offset'];
          assert.ok(typeof offset === 'number' && offset >= 0 && offset <= text.length);
        }
      },
    ),
    { numRuns: 3_000, seed: 4 },
  );
});
