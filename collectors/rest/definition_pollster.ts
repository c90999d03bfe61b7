import type { DefinitionNode } from '../../meters/definition_document.ts';
import type { FaultList } from '../../meters/definition_fault.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../meters/json.ts';
import { METER_TYPES, type MeterType } from '../../meters/sample.ts';
import { DefinitionKeys, nodeValue } from './definition_node.ts';
import { type Allowance, readRequest } from './definition_request.ts';
import { readValue } from './definition_value.ts';
import {
  type ExtraMetadata,
  RESPONSE_HANDLERS,
  type ResponseHandler,
  type RestDefinition,
  type RestListing,
  type RestSampling,
} from './rest_definition.ts';

/** Every key that Ceilometer knows, and `authentication`, which is ours. */
const KEYS: ReadonlySet<string> = new Set([
  'name',
  'sample_type',
  'unit',
  'value_attribute',
  'endpoint_type',
  'url_path',
  'metadata_fields',
  'skip_sample_values',
  'value_mapping',
  'default_value',
  'metadata_mapping',
  'preserve_mapped_metadata',
  'response_entries_key',
  'next_sample_url_attribute',
  'user_id_attribute',
  'project_id_attribute',
  'resource_id_attribute',
  'headers',
  'timeout',
  'namespaces',
  'response_handlers',
  'extra_metadata_fields',
  'extra_metadata_fields_cache_seconds',
  'extra_metadata_fields_skip',
  'base_metadata',
  'module',
  'authentication_object',
  'authentication_parameters',
  'barbican_secret_id',
  'host_command',
  'authentication',
]);
const NAME = /^[\w-]+(?:\.[\w-]+)*(?:\.\{[\w-]+\})?$/;
const MAX_NAME_LENGTH = 200;
const CACHE_SECONDS = 3_600;
/** Levels of metadata of metadata. */
const MAX_EXTRA_DEPTH = 4;
const MAX_EXTRA = 64;

/** Compiles one pollster. Null after a fault. */
export function compilePollster(
  node: DefinitionNode,
  faults: FaultList,
  allowance: Allowance,
): RestDefinition | null {
  const keys = keysOf(node, faults, KEYS);
  if (keys === null) return null;
  const before = faults.faults.length;
  const type = readType(keys);
  const unit = keys.text('unit');
  if (unit === undefined) keys.missing('unit', 'Add unit:');
  const listing = readListing(keys, allowance, { nested: false });
  const sampling = readSampling(keys, allowance, { depth: 0, inherited: null });
  const namespaces = keys.list('namespaces').map((each) => nodeValue(each));
  const wrong = namespaces.some((each) => typeof each !== 'string');
  if (wrong) keys.wrong('namespaces', node, 'has an entry that is no text', 'Write names');
  const done = faults.faults.length === before;
  if (!done || type === null || unit === undefined || listing === null || sampling === null) {
    return null;
  }
  return {
    ...sampling,
    type,
    unit: unit.text,
    listing,
    namespaces: namespaces.length === 0 ? ['central'] : namespaces.map(String),
  };
}

function keysOf(
  node: DefinitionNode,
  faults: FaultList,
  known: ReadonlySet<string>,
): DefinitionKeys | null {
  if (node.kind !== 'map') {
    const remedy = 'Write - name: …, sample_type: … and so on';
    faults.fault('definition_invalid', node.place, 'A pollster is no mapping', remedy);
    return null;
  }
  for (const [key, { keyPlace }] of node.entries) {
    if (known.has(key)) continue;
    const remedy = `Use one of ${[...known].join(', ')}`;
    faults.warn('key_unknown', keyPlace, `The key '${key}' has no meaning here`, remedy);
  }
  return new DefinitionKeys(node, faults);
}

function readType(keys: DefinitionKeys): MeterType | null {
  const found = keys.text('sample_type');
  if (found === undefined) {
    keys.missing('sample_type', `Add sample_type: ${METER_TYPES.join(', ')}`);
    return null;
  }
  const type = METER_TYPES.find((each) => each === found.text);
  if (type !== undefined) return type;
  const remedy = `Write ${METER_TYPES.join(', ')}`;
  keys.fault('type_invalid', found.place, `There is no type '${found.text}'`, remedy);
  return null;
}

function readListing(
  keys: DefinitionKeys,
  allowance: Allowance,
  options: { nested: boolean },
): RestListing | null {
  const request = readRequest(keys, allowance, options);
  const handlers = readHandlers(keys);
  const entries = keys.attribute('response_entries_key');
  const next = keys.attribute('next_sample_url_attribute');
  const id = (key: string, usual: string) =>
    keys.text(key)?.text === usual ? null : keys.attribute(key);
  const userId = id('user_id_attribute', 'user_id');
  const projectId = id('project_id_attribute', 'project_id');
  const resourceId = id('resource_id_attribute', 'id');
  return request === null
    ? null
    : { request, handlers, entries, next, userId, projectId, resourceId };
}

function readHandlers(keys: DefinitionKeys): readonly ResponseHandler[] {
  const node = keys.get('response_handlers');
  if (node === undefined) return ['json'];
  const items = node.kind === 'list' ? node.items : [];
  const handlers = items.map((item) =>
    RESPONSE_HANDLERS.find((each) => item.kind === 'text' && each === item.text)
  );
  const known = handlers.filter((each) => each !== undefined);
  if (known.length === handlers.length && known.length > 0) return known;
  const remedy = `Write a list of ${RESPONSE_HANDLERS.join(', ')}`;
  keys.wrong('response_handlers', node, 'is no list of handlers', remedy);
  return ['json'];
}

/** What the pollsters within a pollster take from the one around. */
interface Inherited {
  readonly value: DefinitionNode | undefined;
  readonly skip: readonly JsonObject[];
  readonly cacheMs: number;
}

function readSampling(
  keys: DefinitionKeys,
  allowance: Allowance,
  { depth, inherited }: { depth: number; inherited: Inherited | null },
): RestSampling | null {
  const name = readName(keys);
  const value = readValue(keys, name ?? '', inherited?.value);
  const metadata = keys.list('metadata_fields').flatMap((node) => {
    if (node.kind !== 'text') {
      keys.wrong('metadata_fields', node, 'has an entry that is no text', 'Write attributes');
      return [];
    }
    const attribute = keys.compileAttribute(node);
    return attribute === null ? [] : [{ key: node.text, attribute }];
  });
  const skip = readSkips(keys) ?? inherited?.skip ?? [];
  const cacheMs = keys.seconds(
    'extra_metadata_fields_cache_seconds',
    (inherited?.cacheMs ?? CACHE_SECONDS * 1_000) / 1_000,
    { least: 0, most: 31_536_000 },
  );
  const passedOn = { value: keys.get('value_attribute') ?? inherited?.value, skip, cacheMs };
  const extra = keys.list('extra_metadata_fields').flatMap((node) =>
    readExtra(node, keys, allowance, { depth: depth + 1, inherited: passedOn }) ?? []
  );
  if (name === null || value === null) return null;
  return {
    name,
    place: keys.node.place,
    value,
    metadata,
    metadataMapping: new Map(keys.texts('metadata_mapping').map((each) => [each.key, each.value])),
    preserveMapped: keys.bool('preserve_mapped_metadata', true),
    skipValues: keys.list('skip_sample_values').map(nodeValue),
    valueMapping: readMapping(keys),
    defaultValue: defaultOf(keys),
    extra,
  };
}

function readName(keys: DefinitionKeys): string | null {
  const found = keys.text('name');
  if (found === undefined) {
    keys.missing('name', 'Add name:, the name of the meter');
    return null;
  }
  if (NAME.test(found.text) && found.text.length <= MAX_NAME_LENGTH) return found.text;
  keys.fault(
    'value_invalid',
    found.place,
    `'${found.text.slice(0, 80)}' is no name of a pollster`,
    `Write words of letters, digits, _ and - with dots between, and .{field} at the end for a meter each; at most ${MAX_NAME_LENGTH} characters`,
  );
  return null;
}

function readMapping(keys: DefinitionKeys): ReadonlyMap<string, JsonValue> | null {
  const node = keys.get('value_mapping');
  if (node === undefined || (node.kind === 'map' && node.entries.size === 0)) return null;
  if (node.kind === 'map') {
    return new Map([...node.entries].map(([key, { value }]) => [key, nodeValue(value)]));
  }
  keys.wrong('value_mapping', node, 'is no mapping', 'Write value: number');
  return null;
}

function defaultOf(keys: DefinitionKeys): JsonValue {
  const node = keys.get('default_value');
  return node === undefined ? -1 : nodeValue(node);
}

/** Null without the key, which is not the same as without an entry: the parent's are then taken. */
function readSkips(keys: DefinitionKeys): JsonObject[] | null {
  const node = keys.get('extra_metadata_fields_skip');
  if (node === undefined) return null;
  const values = keys.list('extra_metadata_fields_skip').map(nodeValue);
  const objects = values.filter((value) => isJsonObject(value));
  if (objects.length !== values.length) {
    const remedy = 'Write a list of mappings';
    keys.wrong('extra_metadata_fields_skip', node, 'has an entry that is no mapping', remedy);
  }
  // An empty one would skip all; Ceilometer passes over it.
  return objects.filter((object) => Object.keys(object).length > 0);
}

const EXTRA_KEYS: ReadonlySet<string> = new Set([...KEYS, 'value']);

function readExtra(
  node: DefinitionNode,
  parent: DefinitionKeys,
  allowance: Allowance,
  { depth, inherited }: { depth: number; inherited: Inherited },
): ExtraMetadata | null {
  if (depth > MAX_EXTRA_DEPTH || parent.list('extra_metadata_fields').length > MAX_EXTRA) {
    const remedy = `Nest at most ${MAX_EXTRA_DEPTH} levels of at most ${MAX_EXTRA}`;
    parent.wrong('extra_metadata_fields', node, 'is nested too deeply or too long', remedy);
    return null;
  }
  const keys = keysOf(node, parent.faults, EXTRA_KEYS);
  if (keys === null) return null;
  const listing = readListing(keys, allowance, { nested: true });
  const sampling = readSampling(keys, allowance, { depth, inherited });
  if (listing === null || sampling === null) return null;
  const cacheMs = keys.seconds('extra_metadata_fields_cache_seconds', inherited.cacheMs / 1_000, {
    least: 0,
    most: 31_536_000,
  });
  return { ...sampling, listing, cacheMs, skipSamples: readSkips(keys) ?? inherited.skip };
}
