import type { z } from 'zod';
import { type Fault, inPlaceOrder } from './definition_fault.ts';
import { faultsOfIssues, type RawSetting, type SettingIssue } from './raw_setting.ts';

/** Schemas within each other for one value: more than anybody writes. */
const MAX_WRAPPINGS = 16;

export type ParsedSetting<T> = { ok: true; value: T } | { ok: false; faults: Fault[] };

/**
 * Reads a part of polling.yaml by the schema of its collector: what zod finds becomes faults with
 * file:line:column. A schema may say what to do by `.refine(…, { message, params: { remedy } })`.
 *
 * @example
 * const parsed = parseSetting(librarySettingsSchema, config.collectors.get('library'));
 */
export function parseSetting<T>(schema: z.ZodType<T>, setting: RawSetting): ParsedSetting<T> {
  const parsed = schema.safeParse(setting.value);
  if (parsed.success) return { ok: true, value: parsed.data };
  const issues = parsed.error.issues.flatMap(nearestIssues);
  return {
    ok: false,
    faults: inPlaceOrder(faultsOfIssues(setting, issues, (path) => keysAt(schema, path))),
  };
}

/** Of the branches of a union, the issues of the one that was meant, most likely. */
function nearestIssues(issue: z.core.$ZodIssue): SettingIssue[] {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) {
    const remedy = issue.code === 'custom' ? issue.params?.['remedy'] : undefined;
    const keys = issue.code === 'unrecognized_keys' ? issue.keys : undefined;
    const told = { path: issue.path, message: issue.message, code: issue.code, keys };
    return [typeof remedy === 'string' ? { ...told, remedy } : told];
  }
  const branches = issue.errors.map((branch) => branch.flatMap(nearestIssues));
  const nearest = branches.reduce((best, branch) => oddity(branch) < oddity(best) ? branch : best);
  return nearest.map((each) => ({ ...each, path: [...issue.path, ...each.path] }));
}

/** How unlike a branch the value is: of another kind, then with other constants, then with faults. */
function oddity(issues: readonly SettingIssue[]): number {
  const isOtherKind = issues.some(({ path, code }) => path.length === 0 && code === 'invalid_type');
  const constants = issues.filter(({ code }) => code === 'invalid_value').length;
  return (isOtherKind ? 1_000_000 : 0) + constants * 1_000 + issues.length;
}

/** The keys that a schema knows of the mapping at a path, as far as it can be followed. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let current = branchesOf(schema);
  for (const step of path) {
    current = current.flatMap((each) => branchesOf(below(each, step)));
  }
  const keys = current.flatMap((each) => {
    const shape = field(each, 'shape');
    return typeof shape === 'object' && shape !== null ? Object.keys(shape) : [];
  });
  return [...new Set(keys)];
}

/** The schemas within optional, default, nullable, readonly and transforming ones, and unions. */
function branchesOf(schema: unknown, depth = 0): unknown[] {
  const def = field(schema, 'def');
  const inner = field(def, 'innerType') ?? field(def, 'in');
  const options = field(def, 'options');
  if (depth > MAX_WRAPPINGS) return [];
  if (inner !== undefined) return branchesOf(inner, depth + 1);
  if (Array.isArray(options)) return options.flatMap((each) => branchesOf(each, depth + 1));
  return schema === undefined ? [] : [schema];
}

function below(schema: unknown, step: PropertyKey): unknown {
  const def = field(schema, 'def');
  return field(field(schema, 'shape'), String(step)) ?? field(def, 'element') ??
    field(def, 'valueType');
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && key in value
    ? Reflect.get(value, key)
    : undefined;
}
