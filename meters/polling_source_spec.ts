import type { DefinitionNode, MapNode } from './definition_document.ts';
import type { FaultList } from './definition_fault.ts';
import { MAX_NAME_LENGTH } from './limits.ts';
import {
  DEFAULT_CLOUD,
  DEFAULT_CONCURRENCY,
  type DiscoveryReference,
  MAX_CONCURRENCY,
  MAX_DISCOVERIES,
  MAX_GROUPS,
  MAX_INTERVAL_SECONDS,
  MAX_RESOURCES,
  MAX_SOURCE_NAME_LENGTH,
  MIN_INTERVAL_SECONDS,
  parseDiscovery,
  PIPELINE_INTERVAL_SECONDS,
  type SourceSpec,
} from './polling_config.ts';
import {
  cut,
  readInteger,
  readText,
  readTexts,
  refuseUnknownKeys,
  valueOf,
} from './polling_fields.ts';
import { readExpectations } from './polling_expectations.ts';
import { readMeters } from './polling_meters.ts';
import { holdsPassword } from './inline_secrets.ts';
import { keyRemedy } from './raw_setting.ts';

const KEYS = [
  'name',
  'cloud',
  'interval',
  'meters',
  'resources',
  'discovery',
  'groups',
  'concurrency',
  'expect',
] as const;
/** Keys of Ceilometer that have no meaning here, and what has. */
const IGNORED: Readonly<Record<string, string>> = {
  group_id_coordination_expression: 'Write groups: and into how many parts the source is split',
  sinks: 'Remove it: samples go into the log',
  publishers: 'Remove it: samples go into the log',
  transformers: 'Remove it: what is read is stored as it is',
};

/** What a source is read within. */
export interface SourceSurroundings {
  /** Names of `clouds:`, null if the file has none. */
  readonly clouds: readonly string[] | null;
  /** True in a file that has the look of pipeline.yaml, where the interval had a default. */
  readonly isPipeline: boolean;
  readonly faults: FaultList;
}

/** Reads one entry of `sources:`. Null after a fault. */
export function readSource(node: DefinitionNode, around: SourceSurroundings): SourceSpec | null {
  const { faults } = around;
  if (node.kind !== 'map') {
    faults.fault(
      'value_invalid',
      node.place,
      'A source is no mapping',
      'Write - name: …, interval: …',
    );
    return null;
  }
  const before = faults.faults.length;
  refuseUnknownKeys(node, [...KEYS, 'counters'], faults, (key) => Object.hasOwn(IGNORED, key));
  warnIgnored(node, faults);
  const name = readName(node, faults);
  const cloud = readCloud(node, around);
  const intervalSeconds = readInterval(node, around);
  const meters = readMeters(node, faults);
  const resources = readResources(node, faults);
  const discovery = readDiscovery(node, faults);
  const groups = readInteger(node, 'groups', { min: 1, max: MAX_GROUPS, unit: 'groups' }, faults);
  const concurrency = readInteger(
    node,
    'concurrency',
    { min: 1, max: MAX_CONCURRENCY, unit: 'units' },
    faults,
  );
  const expect = readExpectations(node, meters, faults);
  if ((groups ?? 1) > 1 && expect.length > 0) warnUnmetExpectations(node, faults);
  if (faults.faults.length > before || name === null || intervalSeconds === null) return null;
  return {
    name,
    cloud,
    intervalSeconds,
    meters,
    resources,
    discovery,
    groups: groups ?? 1,
    concurrency: concurrency ?? DEFAULT_CONCURRENCY,
    expect,
    place: node.place,
  };
}

function warnIgnored(node: MapNode, faults: FaultList): void {
  for (const [key, { keyPlace }] of node.entries) {
    const remedy = Object.hasOwn(IGNORED, key) ? IGNORED[key] : undefined;
    if (remedy === undefined) continue;
    faults.warn('key_ignored', keyPlace, `Ceilometer's '${key}' is passed over`, remedy);
  }
}

/** A group sees its own share alone, at a time of its own, which says nothing about the whole. */
function warnUnmetExpectations(node: MapNode, faults: FaultList): void {
  const place = node.entries.get('expect')?.keyPlace ?? node.place;
  faults.warn(
    'key_ignored',
    place,
    "'expect' is passed over in a source of several groups",
    'Write it in a source of one group, as one of that meter alone',
  );
}

function readName(node: MapNode, faults: FaultList): string | null {
  const value = valueOf(node, 'name');
  if (value !== undefined) {
    return readText(value, { one: 'the name', maxLength: MAX_SOURCE_NAME_LENGTH }, faults);
  }
  faults.fault('key_missing', node.place, 'The source has no name', 'Add name:');
  return null;
}

function readCloud(node: MapNode, { clouds, faults }: SourceSurroundings): string {
  const value = valueOf(node, 'cloud');
  const known = clouds ?? [DEFAULT_CLOUD];
  const only = known[0] ?? DEFAULT_CLOUD;
  if (value === undefined) {
    if (known.length > 1) {
      faults.fault(
        'key_missing',
        node.place,
        `The source does not say which of the ${known.length} clouds it polls`,
        `Add cloud: and one of ${listed(known)}`,
      );
    }
    return only;
  }
  const text = readText(value, { one: 'the cloud', maxLength: MAX_NAME_LENGTH }, faults);
  if (text === null || known.includes(text)) return text ?? only;
  faults.fault(
    'cloud_unknown',
    value.place,
    `There is no cloud '${cut(text)}'`,
    clouds === null
      ? `Name it in clouds:, or write ${DEFAULT_CLOUD}`
      : keyRemedy(text, known.slice(0, 10)).replace(/:$/, ''),
  );
  return only;
}

function readInterval(node: MapNode, { isPipeline, faults }: SourceSurroundings): number | null {
  const limits = { min: MIN_INTERVAL_SECONDS, max: MAX_INTERVAL_SECONDS, unit: 'seconds' };
  const seconds = readInteger(node, 'interval', limits, faults);
  if (seconds !== undefined) return seconds;
  if (isPipeline || node.entries.has('sinks')) {
    faults.warn(
      'key_missing',
      node.place,
      `The source has no interval, so it is ${PIPELINE_INTERVAL_SECONDS} s as in pipeline.yaml`,
      'Add interval:',
    );
    return PIPELINE_INTERVAL_SECONDS;
  }
  faults.fault(
    'key_missing',
    node.place,
    'The source has no interval',
    'Add interval: and its seconds',
  );
  return null;
}

function readResources(node: MapNode, faults: FaultList): string[] {
  const limits = { one: 'a resource', max: MAX_RESOURCES, maxLength: MAX_NAME_LENGTH };
  const found = readTexts(node, 'resources', limits, faults);
  const texts = new Set<string>();
  for (const { text, node: item } of found) {
    if (texts.has(text)) {
      faults.warn('name_duplicate', item.place, 'A resource stands twice', 'Remove one');
    }
    texts.add(text);
    if (holdsPassword(text)) {
      faults.warn(
        'secret_inline',
        item.place,
        "A password stands in a resource's address, which may come into samples",
        "Take it out, and give it to the collector's settings by password_env: or password_file:",
      );
    }
  }
  return [...texts];
}

function readDiscovery(node: MapNode, faults: FaultList): DiscoveryReference[] {
  const limits = { one: 'a discovery', max: MAX_DISCOVERIES, maxLength: MAX_NAME_LENGTH };
  return readTexts(node, 'discovery', limits, faults).flatMap(({ text, node: item }) => {
    const reference = parseDiscovery(text);
    if (reference.name !== '') return [reference];
    faults.fault(
      'value_invalid',
      item.place,
      `The discovery '${cut(text)}' has no name`,
      'Write name or name:parameter',
    );
    return [];
  });
}

function listed(names: readonly string[]): string {
  return names.length <= 10 ? names.join(', ') : `${names.slice(0, 10).join(', ')} …`;
}
