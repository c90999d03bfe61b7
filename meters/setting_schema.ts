import type { z } from 'zod';
import type { Fault } from './definition_fault.ts';
import { faultsOfIssues, type RawSetting, type SettingIssue } from './raw_setting.ts';

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
    faults: faultsOfIssues(setting, issues, (path) => keysAt(schema, path)),
  };
}

/** Of the branches of a union, the issues of the one that went deepest: that was meant, most likely. */
function nearestIssues(issue: z.core.$ZodIssue): SettingIssue[] {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) {
    const remedy = issue.code === 'custom' ? issue.params?.['remedy'] : undefined;
    const keys = issue.code === 'unrecognized_keys' ? issue.keys : undefined;
    const told = { path: issue.path, message: issue.message, code: issue.code, keys };
    return [typeof remedy === 'string' ? { ...told, remedy } : told];
  }
  const branches = issue.errors.map((branch) => branch.flatMap(nearestIssues));
  const depthOf = (branch: readonly SettingIssue[]) =>
    Math.max(0, ...branch.map(({ path, code }) => path.length + (code === 'invalid_type' ? 0 : 1)));
  const deepest = branches.reduce((best, branch) =>
    depthOf(branch) > depthOf(best) ? branch : best
  );
  return deepest.map((each) => ({ ...each, path: [...issue.path, ...each.path] }));
}

/** The keys that a schema knows of the mapping at a path, as far as it can be followed. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let current: unknown = schema;
  for (const step of path) current = below(unwrapped(current), step);
  const shape = field(unwrapped(current), 'shape');
  return typeof shape === 'object' && shape !== null ? Object.keys(shape) : [];
}

/** The schema within optional, default, nullable, readonly and transforming ones. */
function unwrapped(schema: unknown): unknown {
  let current = schema;
  // As deep as anyone nests them: each step goes inwards.
  for (let i = 0; i < 16; i += 1) {
    const def = field(current, 'def');
    const inner = field(def, 'innerType') ?? field(def, 'in');
    if (inner === undefined) return current;
    current = inner;
  }
  return current;
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
