import { expressionFault } from './expression_error.ts';
import {
  accept,
  current,
  expect,
  expectName,
  isWord,
  knowing,
  type Parsing,
  take,
  unexpected,
} from './expression_parsing.ts';
import type { ComprehensionExpression, Expression } from './expression_syntax.ts';

/** What may stand in brackets: an expression, and the generator if it is the element of one. */
interface Element {
  readonly expression: Expression;
  readonly generator: ComprehensionExpression | null;
}

/** An expression, and the generator that it begins if `for` follows. */
export function parseElement(parsing: Parsing): Element {
  const names = namesAhead(parsing) ?? [];
  const expression = knowing(parsing, names, () => parsing.rules.conditional(parsing));
  const generator = isWord(parsing, 'for') ? parseGenerator(parsing, expression, names) : null;
  return { expression, generator };
}

function parseGenerator(
  parsing: Parsing,
  element: Expression,
  names: readonly string[],
): ComprehensionExpression {
  const { at } = take(parsing);
  targets(parsing);
  expect(parsing, 'in', 'Write … for name in value');
  const iterable = parsing.rules.disjunction(parsing);
  const conditions: Expression[] = [];
  while (accept(parsing, 'if')) {
    conditions.push(knowing(parsing, names, () => parsing.rules.disjunction(parsing)));
  }
  if (isWord(parsing, 'for')) {
    throw expressionFault(
      'it has two for',
      current(parsing).at,
      'Walk one list; use two operations for a list within a list',
    );
  }
  return { kind: 'comprehension', lazy: true, element, names, iterable, conditions, at };
}

/** The names of the `for` that ends this element, which the element may use before they are read. */
function namesAhead(parsing: Parsing): string[] | null {
  const start = parsing.at;
  let depth = 0;
  for (let at = start; at < parsing.tokens.length; at += 1) {
    const token = parsing.tokens[at];
    if (token === undefined || token.kind === 'end') break;
    if (token.kind === 'symbol' && '([{'.includes(token.text)) depth += 1;
    if (token.kind === 'symbol' && ')]}'.includes(token.text)) depth -= 1;
    if (depth < 0 || (depth === 0 && token.kind === 'symbol' && token.text === ',')) break;
    if (depth !== 0 || token.kind !== 'keyword' || token.text !== 'for') continue;
    parsing.at = at + 1;
    const names = targets(parsing);
    parsing.at = start;
    return names;
  }
  return null;
}

/** `name`, `a, b` or `(a, b)`. */
function targets(parsing: Parsing): string[] {
  const bracket = accept(parsing, '(');
  const names = [expectName(parsing).text];
  while (accept(parsing, ',')) names.push(expectName(parsing).text);
  if (bracket) expect(parsing, ')', "Close it by ')'");
  if (current(parsing).kind === 'end') throw unexpected(parsing, 'Write … for name in value');
  return names;
}
