import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { isNephoError } from '../../meters/errors.ts';
import { compileExpression } from '../../meters/expression.ts';
import { ExactNumber, isJsonObject, type JsonValue } from '../../meters/json.ts';
import {
  askPython,
  type ExpressionCase,
  expressions,
  findPython,
  type PythonAnswer,
  type PythonResult,
  VALUES,
} from '../support/python_expressions.ts';

const missing = findPython();
const SEED = 20_260_301;
const CASES = 12_000;
/** Of a number as Python computes it with floats, which we compute exactly. */
const TOLERANCE = 1e-9;

type Answer = { value: JsonValue } | { refused: string };

function answer([expression, value]: ExpressionCase): Answer {
  try {
    return { value: compileExpression(expression, ['value']).evaluate({ value }) };
  } catch (error) {
    if (!isNephoError(error)) throw error;
    assert.match(error.code, /^expression_(?:invalid|failed)$/);
    return { refused: error.message };
  }
}

function agree(ours: JsonValue, python: PythonResult): boolean {
  if (python === null || typeof python !== 'object') return ours === python;
  if ('list' in python) {
    return Array.isArray(ours) && ours.length === python.list.length &&
      python.list.every((item, at) => agree(ours[at] ?? null, item));
  }
  if ('dict' in python) {
    return isJsonObject(ours) && Object.keys(ours).length === python.dict.length &&
      python.dict.every(([key, item]) =>
        Object.hasOwn(ours, key) && agree(ours[key] ?? null, item)
      );
  }
  if (typeof ours !== 'number' && !(ours instanceof ExactNumber)) return false;
  const text = typeof ours === 'number' ? String(ours) : ours.text;
  if ('int' in python) return text === python.int || Number(text) === Number(python.int);
  const [a, b] = [Number(text), Number(python.float)];
  return Math.abs(a - b) <= TOLERANCE * Math.max(1, Math.abs(a), Math.abs(b));
}

/** Texts in which Python wrote a float in its binary form, which ours says as the decimal it is. */
function showsFloat(python: PythonAnswer): boolean {
  return /\d\.\d{12,}/.test(JSON.stringify(python));
}

test(
  `an expression gives what Python gives, or is refused: ${CASES} random ones`,
  { skip: missing ?? false },
  () => {
    const cases: ExpressionCase[] = fc.sample(
      fc.tuple(expressions, fc.constantFrom(...VALUES)),
      { seed: SEED, numRuns: CASES },
    );
    const answers = askPython(cases);
    const wrong: string[] = [];
    let same = 0;
    for (const [at, each] of cases.entries()) {
      const python = answers[at];
      assert.ok(python !== undefined);
      const ours = answer(each);
      if ('refused' in ours || showsFloat(python)) continue;
      if ('value' in python && agree(ours.value, python.value)) same += 1;
      else {wrong.push(
          `${each[0]} with ${JSON.stringify(each[1])}: ${JSON.stringify([ours, python])}`,
        );}
    }
    assert.deepEqual(wrong.slice(0, 20), []);
    const understood = answers.filter((python) => 'value' in python).length;
    assert.ok(same > understood * 0.97, `${same} of ${understood} that Python computes`);
  },
);
