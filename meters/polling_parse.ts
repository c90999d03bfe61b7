import { type DefinitionNode, type MapNode, readDocument } from './definition_document.ts';
import {
  type Fault,
  FaultList,
  formatPlace,
  inPlaceOrder,
  type Place,
} from './definition_fault.ts';
import { expandedSize, jsonOfNode } from './node_json.ts';
import {
  MAX_CLOUDS,
  MAX_COLLECTORS,
  MAX_PATTERNS,
  MAX_SCHEDULES,
  MAX_SOURCES,
  type PollingConfig,
  type SourceSpec,
} from './polling_config.ts';
import { cut, refuseUnknownKeys, valueOf } from './polling_fields.ts';
import { pollScheduleId } from './poll_schedule.ts';
import { refuseSecrets } from './inline_secrets.ts';
import { readSource } from './polling_source_spec.ts';
import type { RawSetting } from './raw_setting.ts';

export type ParsedPolling =
  | { ok: true; config: PollingConfig; warnings: Fault[] }
  | { ok: false; faults: Fault[]; warnings: Fault[] };

/** Values of a file once its aliases are followed. */
const MAX_VALUES = 200_000;
/** What may stand in a schedule's id, an origin and a file name alike. */
const CLOUD_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const KEYS = ['clouds', 'collectors', 'sources'] as const;

/**
 * Reads a polling.yaml, all faults at once: Ceilometer's of any era, a pipeline.yaml with its sources,
 * or one with what nepho adds.
 *
 * @param options `file` is the name shown in faults
 * @example
 * const parsed = parsePolling(text, { file: 'polling.yaml' });
 * if (!parsed.ok) parsed.faults.map(formatFault);
 */
export function parsePolling(text: string, options: { file: string }): ParsedPolling {
  const faults = new FaultList();
  const document = readDocument(options.file, text, faults);
  const config = document === null ? null : readConfig(document, faults);
  const warnings = inPlaceOrder(faults.warnings);
  return config === null || faults.faults.length > 0
    ? { ok: false, faults: inPlaceOrder(faults.faults), warnings }
    : { ok: true, config, warnings };
}

function readConfig(document: DefinitionNode, faults: FaultList): PollingConfig | null {
  // Before anything walks through it.
  if (expandedSize(document) > MAX_VALUES) {
    faults.fault(
      'yaml_invalid',
      document.place,
      `The aliases make more than ${MAX_VALUES} values of the file`,
      'Use fewer aliases',
    );
    return null;
  }
  if (document.kind === 'list') {
    const message = 'The file is a list, as pipeline.yaml was before 2014';
    faults.warn('key_missing', document.place, message, 'Put it below sources:');
    return {
      clouds: new Map(),
      collectors: new Map(),
      sources: readSources(document.items, { clouds: null, isPipeline: true, faults }),
    };
  }
  const sources = document.kind === 'map' ? valueOf(document, 'sources') : undefined;
  if (document.kind !== 'map' || sources?.kind !== 'list') {
    faults.fault(
      'key_missing',
      sources?.place ?? document.place,
      "The file has no list 'sources:'",
      'Write sources: and below it a list, [] for none',
    );
  }
  return document.kind === 'map' ? readParts(document, sources, faults) : null;
}

function readParts(
  document: MapNode,
  sources: DefinitionNode | undefined,
  faults: FaultList,
): PollingConfig {
  // What begins with x- is a place for anchors.
  const isIgnored = (key: string) => key === 'sinks' || key.startsWith('x-');
  refuseUnknownKeys(document, KEYS, faults, isIgnored);
  const sinks = document.entries.get('sinks');
  if (sinks !== undefined) {
    const message = "Ceilometer's 'sinks' is passed over";
    faults.warn('key_ignored', sinks.keyPlace, message, 'Remove it: samples go into the log');
  }
  const clouds = readSettings(document, 'clouds', MAX_CLOUDS, faults);
  for (const [name, { keyPlace }] of clouds) {
    if (CLOUD_NAME.test(name)) continue;
    faults.fault(
      'value_invalid',
      keyPlace,
      `The cloud '${cut(name)}' has a name that cannot be used`,
      'Write letters, digits, dots, hyphens and underscores, at most 64',
    );
  }
  return {
    clouds,
    collectors: readSettings(document, 'collectors', MAX_COLLECTORS, faults),
    sources: readSources(sources?.kind === 'list' ? sources.items : [], {
      clouds: clouds.size === 0 ? null : [...clouds.keys()],
      isPipeline: sinks !== undefined,
      faults,
    }),
  };
}

/** The parts of a mapping for schemas elsewhere. */
function readSettings(
  document: MapNode,
  key: 'clouds' | 'collectors',
  max: number,
  faults: FaultList,
): Map<string, RawSetting> {
  const node = valueOf(document, key);
  if (node === undefined) return new Map();
  if (node.kind !== 'map' || node.entries.size > max) {
    faults.fault(
      node.kind === 'map' ? 'too_many' : 'value_invalid',
      node.place,
      node.kind === 'map' ? `'${key}' has ${node.entries.size} entries` : `'${key}' is no mapping`,
      `Write a mapping of at most ${max} names to their settings`,
    );
    return new Map();
  }
  refuseSecrets(node, faults);
  return new Map(
    Array.from(node.entries, ([name, { keyPlace, value }]) => [
      name,
      { path: `${key}.${name}`, keyPlace, value: jsonOfNode(value), node: value },
    ]),
  );
}

function readSources(
  nodes: readonly DefinitionNode[],
  around: Parameters<typeof readSource>[1],
): SourceSpec[] {
  const { faults } = around;
  const [first] = nodes;
  if (first !== undefined && nodes.length > MAX_SOURCES) {
    const message = `The file has ${nodes.length} sources`;
    faults.fault('too_many', first.place, message, `Write at most ${MAX_SOURCES}`);
    return [];
  }
  const sources = nodes.flatMap((node) => readSource(node, around) ?? []);
  checkNames(nodes, faults);
  checkIds(sources, faults);
  const patterns = sources.reduce((sum, { meters }) => sum + meters.length, 0);
  const schedules = sources.reduce((sum, { groups }) => sum + groups, 0);
  const last = sources.at(-1);
  if (last !== undefined && patterns > MAX_PATTERNS) {
    const message = `The sources have ${patterns} meters together`;
    faults.fault('too_many', last.place, message, `Write at most ${MAX_PATTERNS}, with wildcards`);
  }
  if (last !== undefined && schedules > MAX_SCHEDULES) {
    const message = `The sources have ${schedules} groups together, each with a schedule`;
    faults.fault('too_many', last.place, message, `Write at most ${MAX_SCHEDULES}`);
  }
  return sources;
}

/** Also those of sources that are faulty otherwise. */
function checkNames(nodes: readonly DefinitionNode[], faults: FaultList): void {
  const byName = new Map<string, Place>();
  for (const node of nodes) {
    const name = node.kind === 'map' ? valueOf(node, 'name') : undefined;
    if (name?.kind !== 'text' && name?.kind !== 'number') continue;
    const other = byName.get(name.text);
    if (other !== undefined) {
      const message = `The source '${cut(name.text)}' is also defined at ${formatPlace(other)}`;
      faults.fault('name_duplicate', name.place, message, 'Give it another name');
    }
    byName.set(name.text, name.place);
  }
}

/** Schedules are named after cloud and source: `a-b` and `c` are as good as `a` and `b-c`. */
function checkIds(sources: readonly SourceSpec[], faults: FaultList): void {
  const byId = new Map<string, SourceSpec>();
  for (const source of sources) {
    const { name, cloud, place } = source;
    const id = pollScheduleId({ cloud, source: name, group: 0 });
    const other = byId.get(id);
    if (other !== undefined && other.name !== name) {
      const where = formatPlace(other.place);
      const message = `The schedule of '${cut(name)}' would have the id of that at ${where}`;
      faults.fault('name_duplicate', place, message, 'Give it another name');
    }
    byId.set(id, source);
  }
}
