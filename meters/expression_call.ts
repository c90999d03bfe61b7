import { parseElement } from './expression_comprehension.ts';
import { expressionFault } from './expression_error.ts';
import { FUNCTIONS, TYPES } from './expression_functions.ts';
import { type Arity, METHODS } from './expression_methods.ts';
import {
  accept,
  current,
  descend,
  expect,
  expectName,
  following,
  isSign,
  knowing,
  type Parsing,
  take,
  unexpected,
} from './expression_parsing.ts';
import type { CallExpression, Expression } from './expression_syntax.ts';
import type { ExpressionToken } from './expression_token.ts';

interface Arguments {
  readonly values: readonly Expression[];
  readonly named: readonly (readonly [string, Expression])[];
}

const IS_INSTANCE: Arity = { least: 2, most: 2, names: [] };
/** A function that takes another as its first argument; the rest take one as `key=`. */
const TAKES_FUNCTION: ReadonlySet<string> = new Set(['filter', 'map']);

/** How a function of this name is called. @throws {NephoError} `expression_invalid` without one */
export function functionArity(
  { text, at }: ExpressionToken,
  remedies: Readonly<Record<string, string>>,
): Arity {
  if (text === 'isinstance') return IS_INSTANCE;
  const known = Object.hasOwn(FUNCTIONS, text) ? FUNCTIONS[text] : undefined;
  if (known !== undefined) return known;
  const remedy = Object.hasOwn(remedies, text) ? remedies[text] : undefined;
  throw expressionFault(
    `there is no function '${text}'`,
    at,
    remedy ?? `Use one of ${Object.keys(FUNCTIONS).join(', ')}, isinstance`,
  );
}

/** How a method of this name is called. @throws {NephoError} `expression_invalid` without one */
export function methodArity({ text, at }: ExpressionToken, called: boolean): Arity {
  const known = Object.hasOwn(METHODS, text) ? METHODS[text] : undefined;
  if (known !== undefined && called) return known;
  if (!called) {
    throw expressionFault(
      `it asks for the attribute '${text}'`,
      at,
      known === undefined ? `Write ['${text}']` : `Call it: ${text}(…)`,
    );
  }
  throw expressionFault(
    `there is no method '${text}'`,
    at,
    `Use one of ${Object.keys(METHODS).join(', ')}`,
  );
}

/** The arguments in brackets after the name of a function or method. */
export function parseArguments(parsing: Parsing, callee: string): Arguments {
  return descend(parsing, () => {
    expect(parsing, '(', 'Call it by (…)');
    const values: Expression[] = [];
    const named: [string, Expression][] = [];
    while (!accept(parsing, ')')) {
      const { kind, text, at } = current(parsing);
      const next = following(parsing);
      if (kind === 'name' && next.kind === 'symbol' && next.text === '=') {
        take(parsing);
        take(parsing);
        if (named.some(([name]) => name === text)) {
          throw expressionFault(`'${text}' is given twice`, at, 'Remove one');
        }
        named.push([text, argument(parsing, text === 'key')]);
      } else if (named.length > 0) {
        throw unexpected(parsing, 'Give what has a name last');
      } else if (callee === 'isinstance' && values.length === 1) {
        values.push(types(parsing));
      } else {
        values.push(positional(parsing, callee, values.length));
      }
      if (!isSign(parsing, ')')) expect(parsing, ',', "Close it by ')'");
    }
    return { values, named };
  });
}

function positional(parsing: Parsing, callee: string, index: number): Expression {
  if (index === 0 && TAKES_FUNCTION.has(callee)) return argument(parsing, true);
  const { expression, generator } = parseElement(parsing);
  if (generator === null) return expression;
  if (index > 0 || !isSign(parsing, ')')) {
    throw expressionFault('a generator is not the only argument', generator.at, 'Bracket it by ()');
  }
  return generator;
}

/** @param callable whether a function may stand here */
function argument(parsing: Parsing, callable: boolean): Expression {
  const { kind, text, at } = current(parsing);
  const next = following(parsing);
  const ends = next.kind === 'symbol' && (next.text === ',' || next.text === ')');
  if (callable && kind === 'keyword' && text === 'lambda') return lambda(parsing);
  const isFunction = kind === 'name' && !parsing.names.includes(text) && ends &&
    Object.hasOwn(FUNCTIONS, text);
  if (callable && isFunction) {
    take(parsing);
    return { kind: 'function', name: text, at };
  }
  return parsing.rules.conditional(parsing);
}

function lambda(parsing: Parsing): Expression {
  const { at } = take(parsing);
  const parameter = expectName(parsing).text;
  expect(parsing, ':', 'Write lambda name: expression, with one name');
  const body = knowing(parsing, [parameter], () => parsing.rules.conditional(parsing));
  return { kind: 'lambda', parameter, body, at };
}

/** The second argument of `isinstance`. */
function types(parsing: Parsing): Expression {
  const { at } = current(parsing);
  if (!accept(parsing, '(')) return type(parsing);
  const items = [type(parsing)];
  while (accept(parsing, ',') && !isSign(parsing, ')')) items.push(type(parsing));
  expect(parsing, ')', "Close it by ')'");
  return { kind: 'tuple', items, at };
}

function type(parsing: Parsing): Expression {
  const remedy = `Write one of ${Object.keys(TYPES).join(', ')}, or several in ()`;
  const { text, at } = current(parsing);
  if (!Object.hasOwn(TYPES, text)) throw unexpected(parsing, remedy);
  take(parsing);
  return { kind: 'function', name: text, at };
}

/** The call, if it gives what is wanted. */
export function checkedCall(call: CallExpression, arity: Arity): CallExpression {
  const { name, values, named, at } = call;
  const { least, most, names } = arity;
  for (const [key, { at }] of named) {
    const place = names === null ? -1 : names.indexOf(key);
    // What may be given by its place or its name stands in the order of places.
    const twice = place >= 0 && most < 64 && least + place < values.length;
    if ((names !== null && place < 0) || twice) {
      throw expressionFault(`${name} takes no '${key}' here`, at, 'Remove it');
    }
  }
  if (values.length >= least && values.length <= most) return call;
  const wanted = least === most ? `${least}` : `${least} to ${most}`;
  throw expressionFault(
    `${name} takes ${wanted} arguments and has ${values.length}`,
    at,
    'Give it as many as it takes',
  );
}
