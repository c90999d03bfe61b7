import { checkedCall, functionArity, parseArguments } from './expression_call.ts';
import { parseElement } from './expression_comprehension.ts';
import { expressionFault } from './expression_error.ts';
import { FUNCTIONS } from './expression_functions.ts';
import {
  accept,
  current,
  descend,
  expect,
  isSign,
  isWord,
  type Parsing,
  take,
  unexpected,
} from './expression_parsing.ts';
import type { Expression } from './expression_syntax.ts';
import type { ExpressionToken } from './expression_token.ts';

/** What operators know from Python, and what to write in its place. */
const REFUSED_NAMES: Readonly<Record<string, string>> = {
  json: 'Let response_handlers read the answer',
  re: 'Use split, replace, startswith or find',
  range: 'Slice a list, or walk it by for … in',
  enumerate: 'Walk the list by for … in',
  zip: 'Walk one list by for … in',
  dict: "Write {'key': value}",
  set: 'Write a list',
  tuple: 'Write (a, b) or a list',
  reversed: 'Write value[::-1]',
  type: 'Use isinstance(value, str)',
  hasattr: "Write 'key' in value",
  getattr: "Write value['key'] or value.get('key')",
  hex: 'Keep the number as it is',
  datetime: 'Keep the time as it is',
  time: 'Keep the time as it is',
  math: 'Use round, abs, //, % and **',
};

/** @param sets whether `{a, b}` may stand here: on the right of `in` alone */
export function parseAtom(parsing: Parsing, { sets }: { sets: boolean }): Expression {
  const token = current(parsing);
  const { at } = token;
  switch (token.kind) {
    case 'whole':
      return { kind: 'literal', value: BigInt(take(parsing).text), at };
    case 'decimal':
      return { kind: 'decimal', text: decimalText(take(parsing)), at };
    case 'text':
      return { kind: 'literal', value: texts(parsing), at };
    case 'name':
      return nameOrCall(parsing);
    case 'keyword':
      if (accept(parsing, 'True')) return { kind: 'literal', value: true, at };
      if (accept(parsing, 'False')) return { kind: 'literal', value: false, at };
      if (accept(parsing, 'None')) return { kind: 'literal', value: null, at };
      if (!isWord(parsing, 'lambda')) throw unexpected(parsing);
      throw expressionFault(
        'a lambda stands alone',
        at,
        'Give it to filter, map, or to key= of sorted, min and max',
      );
    case 'symbol':
      if (isSign(parsing, '(')) return descend(parsing, () => parenthesis(parsing));
      if (isSign(parsing, '[')) return descend(parsing, () => list(parsing));
      if (isSign(parsing, '{')) return descend(parsing, () => braces(parsing, sets));
      throw unexpected(parsing);
    case 'end':
      throw unexpected(parsing);
  }
}

function decimalText({ text, at }: ExpressionToken): string {
  // More than a double holds, and less than a small file of digits.
  const exponent = Number(/[eE]([+-]?\d+)/.exec(text)?.[1] ?? '0');
  if (text.length <= 60 && Math.abs(exponent) <= 40) return text;
  throw expressionFault(
    'a number is too long',
    at,
    'Write at most 60 characters, and 40 as exponent',
  );
}

/** Texts side by side are one. */
function texts(parsing: Parsing): string {
  let value = '';
  while (current(parsing).kind === 'text') value += take(parsing).text;
  return value;
}

function nameOrCall(parsing: Parsing): Expression {
  const token = take(parsing);
  const { text: name, at } = token;
  if (isSign(parsing, '(') && !parsing.names.includes(name)) {
    const arity = functionArity(token, REFUSED_NAMES);
    const call = { kind: 'call', of: null, name, ...parseArguments(parsing, name), at } as const;
    return checkedCall(call, arity);
  }
  if (parsing.names.includes(name)) return { kind: 'name', name, at };
  if (Object.hasOwn(FUNCTIONS, name)) {
    throw expressionFault(`the function '${name}' is not called`, at, `Write ${name}(…)`);
  }
  const known = parsing.names.map((each) => `'${each}'`).join(', ');
  const remedy = Object.hasOwn(REFUSED_NAMES, name) ? REFUSED_NAMES[name] : undefined;
  throw expressionFault(
    `there is no '${name}'`,
    at,
    remedy ??
      (known === '' ? 'Quote it if it is a text' : `Use ${known}; quote it if it is a text`),
  );
}

/** `(a)`, `()`, `(a,)`, `(a, b)`, or a generator. */
function parenthesis(parsing: Parsing): Expression {
  const { at } = take(parsing);
  if (accept(parsing, ')')) return { kind: 'tuple', items: [], at };
  const { expression: first, generator } = parseElement(parsing);
  if (generator !== null || !isSign(parsing, ',')) {
    expect(parsing, ')', "Close it by ')'");
    return generator ?? first;
  }
  const items = [first];
  while (accept(parsing, ',')) {
    if (isSign(parsing, ')')) break;
    items.push(parsing.rules.conditional(parsing));
  }
  expect(parsing, ')', "Close it by ')'");
  return { kind: 'tuple', items, at };
}

function list(parsing: Parsing): Expression {
  const { at } = take(parsing);
  if (accept(parsing, ']')) return { kind: 'list', items: [], at };
  const { expression: first, generator } = parseElement(parsing);
  if (generator !== null) {
    expect(parsing, ']', "Close it by ']'");
    return { ...generator, lazy: false };
  }
  const items = [first];
  while (accept(parsing, ',')) {
    if (isSign(parsing, ']')) break;
    items.push(parsing.rules.conditional(parsing));
  }
  expect(parsing, ']', "Close it by ']'");
  return { kind: 'list', items, at };
}

/** A dictionary; on the right of `in` also a set, which is kept as a dictionary's keys. */
function braces(parsing: Parsing, sets: boolean): Expression {
  const { at } = take(parsing);
  const entries: [Expression, Expression][] = [];
  while (!accept(parsing, '}')) {
    const key = parsing.rules.conditional(parsing);
    if (entries.length === 0 && !isSign(parsing, ':')) return set(parsing, key, sets);
    expect(parsing, ':', "Write {'key': value}");
    entries.push([key, parsing.rules.conditional(parsing)]);
    if (isWord(parsing, 'for')) {
      const where = current(parsing).at;
      throw expressionFault('it makes a dictionary by for', where, 'Make a list: [… for … in …]');
    }
    if (!isSign(parsing, '}')) expect(parsing, ',', "Close it by '}'");
  }
  return { kind: 'dict', entries, at };
}

function set(parsing: Parsing, first: Expression, sets: boolean): Expression {
  const items = [first];
  while (accept(parsing, ',')) {
    if (isSign(parsing, '}')) break;
    items.push(parsing.rules.conditional(parsing));
  }
  // A set holds each value once and has no order, which only a test of belonging does not show.
  if (!sets || items.some(({ kind }) => kind !== 'literal')) {
    throw expressionFault(
      'it has a set',
      first.at,
      'Write a list in square brackets, or constants in braces after in',
    );
  }
  expect(parsing, '}', "Close it by '}'");
  const nothing = { kind: 'literal', value: null, at: first.at } as const;
  return { kind: 'dict', entries: items.map((item) => [item, nothing] as const), at: first.at };
}
