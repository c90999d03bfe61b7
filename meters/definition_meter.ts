import type { DefinitionNode, MapNode } from './definition_document.ts';
import type { FaultList, Place } from './definition_fault.ts';
import type { MetadataRules } from './definition_metadata.ts';
import { compileRule, type Rule } from './definition_rule.ts';
import { isNephoError } from './errors.ts';
import { compileRegex, type Regex } from './path_regex.ts';
import { METER_TYPES, type MeterType } from './sample.ts';

/** Attributes of a sample that `lookup` may name, in Ceilometer's order. */
export const ATTRIBUTES = [
  'name',
  'type',
  'volume',
  'unit',
  'timestamp',
  'user_id',
  'project_id',
  'resource_id',
] as const;
export type Attribute = (typeof ATTRIBUTES)[number];

/** One entry of `metric:`, compiled. */
export interface MeterDefinition {
  /** The name as written, which may be a path. */
  readonly name: string;
  readonly place: Place;
  readonly eventTypes: readonly Regex[];
  readonly rules: Readonly<Partial<Record<Attribute, Rule>>> & RequiredRules;
  readonly metadata: MetadataRules;
  /** Attributes of which the notification holds a list; null for one sample a notification. */
  readonly lookup: ReadonlySet<string> | null;
  /** Ours: one sample for each datum found, and paths start there. */
  readonly each: Rule | null;
}

type RequiredRules = Readonly<Record<'name' | 'type' | 'volume' | 'unit' | 'resource_id', Rule>>;

const REQUIRED = ['name', 'type', 'event_type', 'unit', 'volume', 'resource_id'] as const;
const WORDS: ReadonlySet<string> = new Set(['name', 'type', 'unit']);
const KEYS: ReadonlySet<string> = new Set([
  ...ATTRIBUTES,
  'event_type',
  'metadata',
  'user_metadata',
  'lookup',
  'multi',
  'each',
]);

/** Compiles one entry. Null after a fault. */
export function compileMeter(node: DefinitionNode, faults: FaultList): MeterDefinition | null {
  if (node.kind !== 'map') {
    faults.fault(
      'definition_invalid',
      node.place,
      'A definition is no mapping',
      'Write - name: …, event_type: … and so on',
    );
    return null;
  }
  const before = faults.faults.length;
  warnUnknown(node, faults);
  const missing = REQUIRED.filter((key) => isMissing(node.entries.get(key)?.value));
  for (const key of missing) {
    faults.fault(
      'key_missing',
      node.place,
      `The definition ${nameOf(node)}has no '${key}'`,
      `Add ${key}:`,
    );
  }
  const lookup = readLookup(node, faults);
  const many = lookup !== null;
  const each = readRule(node, 'each', faults, false);
  if (each !== undefined && many) {
    faults.fault(
      'lookup_invalid',
      node.place,
      "A definition has both 'each' and 'lookup'",
      'Keep one of them',
    );
  }
  const rules: Partial<Record<Attribute, Rule>> = {};
  for (const key of ATTRIBUTES) {
    const rule = missing.some((absent) => absent === key)
      ? undefined
      : readRule(node, key, faults, many);
    if (rule !== undefined) rules[key] = rule;
  }
  const eventTypes = readEventTypes(node.entries.get('event_type')?.value, faults);
  const metadata = readMetadataRules(node, faults);
  if (!missing.includes('type')) checkType(node, lookup, faults);
  const { name, type, volume, unit, resource_id } = rules;
  if (!name || !type || !volume || !unit || !resource_id || faults.faults.length > before) {
    return null;
  }
  if (many && name.isConstant) {
    faults.warn(
      'lookup_invalid',
      name.place,
      `The definition ${nameOf(node)}has 'lookup' but its name is no path, so it gives no sample`,
      "Write a path that finds the names, or use 'each'",
    );
  }
  return {
    name: name.text,
    place: node.place,
    eventTypes,
    rules: { ...rules, name, type, volume, unit, resource_id },
    metadata,
    lookup,
    each: each ?? null,
  };
}

function warnUnknown(node: MapNode, faults: FaultList): void {
  for (const [key, { keyPlace }] of node.entries) {
    if (!KEYS.has(key)) {
      faults.warn(
        'key_unknown',
        keyPlace,
        `The key '${key}' has no meaning here`,
        `Use one of ${[...KEYS].join(', ')}`,
      );
    }
  }
}

function isMissing(value: DefinitionNode | undefined): boolean {
  if (value === undefined || value.kind === 'null') return true;
  if (value.kind === 'text') return value.text === '';
  return value.kind === 'list' ? value.items.length === 0 : false;
}

function nameOf(node: MapNode): string {
  const name = node.entries.get('name')?.value;
  return name?.kind === 'text' ? `of '${name.text}' ` : '';
}

function readRule(node: MapNode, key: string, faults: FaultList, many: boolean): Rule | undefined {
  const value = node.entries.get(key)?.value;
  if (value === undefined || isMissing(value)) return undefined;
  return compileRule(value, faults, { many, word: WORDS.has(key) }) ?? undefined;
}

/** `multi` was its name in the betas of Liberty. */
function readLookup(node: MapNode, faults: FaultList): ReadonlySet<string> | null {
  const value = node.entries.get('lookup')?.value ?? node.entries.get('multi')?.value;
  if (value === undefined || isMissing(value)) return null;
  const items = value.kind === 'list' ? value.items : [value];
  const names = items.flatMap((item) => item.kind === 'text' ? item.text : []);
  if (names.length < items.length) {
    faults.fault(
      'lookup_invalid',
      value.place,
      "'lookup' is not a list of attributes",
      `Use some of ${ATTRIBUTES.join(', ')}`,
    );
  }
  for (const item of items) {
    if (item.kind === 'text' && !ATTRIBUTES.some((attribute) => attribute === item.text)) {
      faults.warn(
        'lookup_invalid',
        item.place,
        `'lookup' names '${item.text}', which holds no list`,
        `Use some of ${ATTRIBUTES.join(', ')}`,
      );
    }
  }
  return new Set(names);
}

function readEventTypes(node: DefinitionNode | undefined, faults: FaultList): Regex[] {
  if (node === undefined || isMissing(node)) return [];
  const items = node.kind === 'list' ? node.items : [node];
  return items.flatMap((item) => {
    if (item.kind !== 'text' || item.text === '') {
      faults.fault(
        'pattern_invalid',
        item.place,
        'An event type is no text',
        'Write a regular expression such as volume.create.*',
      );
      return [];
    }
    try {
      return [compileRegex(item.text)];
    } catch (error) {
      if (!isNephoError(error)) throw error;
      const place = item.placeAt(Number(error.context['offset'] ?? 0));
      const problem = error.message.replace(/^Cannot read the path: /, '');
      faults.fault(
        'pattern_invalid',
        place,
        `Cannot read the event type: ${problem}`,
        String(error.context['remedy']),
      );
      return [];
    }
  });
}

function readMetadataRules(node: MapNode, faults: FaultList): MetadataRules {
  const given = node.entries.get('metadata')?.value;
  if (given !== undefined && given.kind !== 'map' && given.kind !== 'null') {
    faults.fault(
      'definition_invalid',
      given.place,
      "'metadata' is no mapping",
      'Write name: path pairs',
    );
  }
  const rules = given?.kind === 'map'
    ? [...given.entries].flatMap(([name, { value }]) => {
      const rule = compileRule(value, faults, { many: false, word: false });
      return rule === null ? [] : [[name, rule] as const];
    })
    : [];
  const user = readRule(node, 'user_metadata', faults, false) ?? null;
  const signature = JSON.stringify([
    rules.map(([name, rule]) => [name, rule.signature]),
    user?.signature ?? null,
  ]);
  return { signature, rules, user };
}

function checkType(node: MapNode, lookup: ReadonlySet<string> | null, faults: FaultList): void {
  const type = node.entries.get('type')?.value;
  if (type === undefined || lookup?.has('type') === true) return;
  if (type.kind === 'text' && isMeterType(type.text)) return;
  const written = type.kind === 'text' ? `'${type.text}'` : 'the type';
  faults.fault(
    'type_invalid',
    type.place,
    `There is no meter type ${written}`,
    `Use one of ${METER_TYPES.join(', ')}`,
  );
}

export function isMeterType(text: unknown): text is MeterType {
  return METER_TYPES.some((type) => type === text);
}
