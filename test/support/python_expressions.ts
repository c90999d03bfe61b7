/** Random expressions of the language of dynamic pollsters, and what Python makes of them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import type { JsonValue } from '../../meters/json.ts';

const SCRIPT = fileURLToPath(new URL('../conformance/evaluate_expressions.py', import.meta.url));

export type PythonResult =
  | null
  | boolean
  | string
  | { int: string }
  | { float: string }
  | { list: PythonResult[] }
  | { dict: [string, PythonResult][] };
export type PythonAnswer = { value: PythonResult } | { error: string };
export type ExpressionCase = readonly [expression: string, value: JsonValue];

/** Null if there is a Python here, else what is missing. */
export function findPython(): string | null {
  const asked = spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))']);
  return asked.status === 0 ? null : 'python3 of at least 3.9 is not there';
}

/** What Python's `eval` says to each. */
export function askPython(cases: readonly ExpressionCase[]): PythonAnswer[] {
  const folder = mkdtempSync(path.join(tmpdir(), 'nepho-python-'));
  try {
    const file = path.join(folder, 'cases.json');
    writeFileSync(file, JSON.stringify(cases));
    const run = spawnSync('python3', ['-W', 'ignore', SCRIPT, file], {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
      timeout: 60_000,
    });
    if (run.status !== 0) throw new Error(`python3 failed: ${run.stderr}`);
    return JSON.parse(run.stdout) as PythonAnswer[];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Values as answers have them. Fractions are sums of halves, which a float holds exactly. */
export const VALUES: readonly JsonValue[] = [
  null,
  true,
  0,
  7,
  -3,
  2.5,
  -0.75,
  123456789012,
  '',
  'ACTIVE',
  ' a$b ',
  '12',
  '1.50',
  'a,b,,c',
  'Été 😀 x',
  'line one\nline two\r\n',
  [],
  [3, 1, 2],
  ['b', 'a', 'c'],
  [1, 'a', null],
  [[1, 2], [0, 5]],
  [{ rel: 'next', href: 'http://a/1', n: 2 }, { rel: 'prev', href: 'http://a/2', n: 1.5 }],
  {},
  { id: 'x', size: 10, tags: ['t', 'u'], deep: { a: { b: 1 } } },
  { a: 1, b: 0, c: 2.25 },
];

const ATOMS = [
  'value',
  'value',
  'value',
  'None',
  'True',
  'False',
  '0',
  '1',
  '2',
  '3',
  '10',
  '0.5',
  '2.25',
  "''",
  "'a'",
  "'ACTIVE'",
  "'$'",
  "'a b  c'",
  "'\\x41\\n'",
  "r'\\d'",
  '[]',
  '[1, 2, 3]',
  "['x', 'y']",
  '()',
  '(1,)',
  "('a', 'b')",
  '{}',
  "{'a': 1, 'id': 'z'}",
  "{1: 'one', True: 'yes', None: 'none'}",
];
const METHODS = [
  'upper()',
  'lower()',
  'title()',
  'capitalize()',
  'strip()',
  "strip('a ')",
  'lstrip()',
  'rstrip()',
  'split()',
  "split(',')",
  "split(',', 1)",
  'split(None, 1)',
  'split(maxsplit=1)',
  "rsplit(',', 1)",
  'rsplit(None, 1)',
  'splitlines()',
  "join(['x', 'y'])",
  'join(value)',
  "replace('a', 'bb')",
  "replace('', '-', 2)",
  "replace('a', 'b', 1)",
  "removeprefix('A')",
  "removesuffix('E')",
  "startswith('A')",
  "startswith(('A', ' '))",
  "endswith('')",
  "find('b')",
  "rfind('b')",
  "index('a')",
  "count('a')",
  "count('')",
  'isdigit()',
  'format(1, 2)',
  'format(a=value)',
  "get('a')",
  "get('id', 0)",
  'get(1)',
  'keys()',
  'values()',
  'items()',
  'index(2)',
  'count(1)',
];
const CALLS = [
  'str(@)',
  'int(@)',
  'float(@)',
  'bool(@)',
  'len(@)',
  'min(@)',
  'max(@)',
  'max(@, default=0)',
  'max(@, key=str)',
  'max(@, 2)',
  'sum(@)',
  'sum(@, 1)',
  'abs(@)',
  'round(@)',
  'round(@, 1)',
  'round(@, -1)',
  'sorted(@)',
  'sorted(@, reverse=True)',
  'sorted(@, key=str)',
  'sorted(@, key=lambda x: x[0])',
  'list(@)',
  'any(@)',
  'all(@)',
  'list(map(str, @))',
  'list(map(lambda x: x, @))',
  'list(filter(None, @))',
  "list(filter(lambda v: v.get('rel') == 'next', @))",
  "next((x for x in @ if x), 'none')",
  'next(x for x in @)',
  '[x for x in @]',
  '[x for x in @ if x]',
  '[str(a) for a, b in @]',
  '[k for k, v in value.items() if v == @]',
  "','.join(str(x) for x in @)",
  'sum(x for x in @ if x)',
  "sum(x['n'] for x in @)",
  'isinstance(@, str)',
  'isinstance(@, (list, dict))',
  'int(@, 16)',
];
const FORMATS = [
  "'%s' % @",
  "'%d|%5d|%-5d|%05d' % (@, @, @, @)",
  "'%.2f' % @",
  "'%5s|%-5s|%.1s' % (@, @, @)",
  "'%r %%' % (@,)",
  "'%(a)s' % @",
  "'{}-{}'.format(@, value)",
  "'{0}{1}{0}'.format(@, 1)",
  "'{:.2f}'.format(@)",
  "'{:>5}|{:<5}'.format(@, @)",
  "'{:05d}'.format(@)",
  "'{{}}{n}'.format(n=@)",
];
const SIGNS = ['+', '-', '*', '/', '//', '%', '==', '!=', '<', '<=', '>', '>=', 'in', 'not in'];

/** An expression in which `@` stands where another goes. */
const shape: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...SIGNS).map((sign) => `@ ${sign} @`),
  fc.constantFrom(...METHODS).map((method) => `@.${method}`),
  fc.constantFrom(...CALLS),
  fc.constantFrom(...FORMATS),
  fc.constantFrom(
    '@[0]',
    '@[-1]',
    "@['id']",
    "@['a']",
    '@[1:]',
    '@[:-1]',
    '@[::-1]',
    '@[::2]',
    '@[5:1]',
  ),
  fc.constantFrom(
    '@ and @',
    '@ or @',
    'not @',
    '@ if @ else @',
    '-@',
    '+@',
    '@ is None',
    '@ is not True',
  ),
  fc.constantFrom(
    '(@)',
    '[@, @]',
    '(@, @)',
    "{'k': @}",
    '@ ** 2',
    '@ ** -1',
    '-@ ** 2',
    '2 ** @ % 3',
  ),
  fc.constantFrom('0 < @ < 5', '@ in (1, 2)', "@ in {'a', 'ACTIVE'}", '@ == @ != @'),
);

/** Shapes within shapes, with and without brackets, so that both parsers must agree on the order. */
export const expressions: fc.Arbitrary<string> = fc
  .tuple(
    fc.array(shape, { minLength: 1, maxLength: 3 }),
    fc.array(fc.constantFrom(...ATOMS), { minLength: 8, maxLength: 8 }),
    fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
  )
  .map(([shapes, atoms, bracketed]) => {
    let text = '@';
    for (const [index, inner] of shapes.entries()) {
      text = text.replace('@', () => bracketed[index] === true ? `(${inner})` : inner);
    }
    let next = 0;
    return text.replaceAll('@', () => atoms[next++ % atoms.length] ?? 'value');
  })
  // A power of a power grows beyond what either should compute.
  .filter((text) => !/\*\* value|\*\* \d{2}/.test(text) && text.split('**').length <= 2);
