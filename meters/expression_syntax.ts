/** The tree of an expression. Each node has the place where it begins, or where its sign stands. */
export type Expression =
  | { kind: 'literal'; value: null | boolean | string | bigint; at: number }
  | { kind: 'decimal'; text: string; at: number }
  | { kind: 'name'; name: string; at: number }
  | { kind: 'list' | 'tuple'; items: readonly Expression[]; at: number }
  | { kind: 'dict'; entries: readonly (readonly [Expression, Expression])[]; at: number }
  | { kind: 'index'; of: Expression; index: Expression; at: number }
  | SliceExpression
  | CallExpression
  | { kind: 'unary'; operator: '-' | '+' | 'not'; operand: Expression; at: number }
  | BinaryExpression
  | { kind: 'compare'; first: Expression; rest: readonly ComparedWith[]; at: number }
  | { kind: 'and' | 'or'; left: Expression; right: Expression; at: number }
  | ConditionalExpression
  | ComprehensionExpression
  | { kind: 'lambda'; parameter: string; body: Expression; at: number }
  /** A function by its name, as `str` in `map(str, value)`. */
  | { kind: 'function'; name: string; at: number };

export interface SliceExpression {
  kind: 'slice';
  of: Expression;
  start: Expression | null;
  stop: Expression | null;
  step: Expression | null;
  at: number;
}

/** `of` is null for a function, else what the method is called on. */
export interface CallExpression {
  kind: 'call';
  of: Expression | null;
  name: string;
  values: readonly Expression[];
  named: readonly (readonly [name: string, value: Expression])[];
  at: number;
}

export interface BinaryExpression {
  kind: 'binary';
  operator: BinaryOperator;
  left: Expression;
  right: Expression;
  at: number;
}

export interface ConditionalExpression {
  kind: 'conditional';
  condition: Expression;
  whenTrue: Expression;
  whenFalse: Expression;
  at: number;
}

/** `[element for names in iterable if …]`, or a generator. More than one name takes a pair apart. */
export interface ComprehensionExpression {
  kind: 'comprehension';
  lazy: boolean;
  element: Expression;
  names: readonly string[];
  iterable: Expression;
  conditions: readonly Expression[];
  at: number;
}

export type BinaryOperator = '+' | '-' | '*' | '/' | '//' | '%' | '**';
export type CompareOperator =
  | '=='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>='
  | 'in'
  | 'not in'
  | 'is'
  | 'is not';

export interface ComparedWith {
  operator: CompareOperator;
  value: Expression;
  at: number;
}
