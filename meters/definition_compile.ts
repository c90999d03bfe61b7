import type { MapNode } from './definition_document.ts';
import { readDocument } from './definition_document.ts';
import { type Extraction, extractReadings } from './definition_extract.ts';
import {
  type Fault,
  FaultList,
  formatPlace,
  inPlaceOrder,
  type Place,
} from './definition_fault.ts';
import { compileMeter, type MeterDefinition } from './definition_meter.ts';
import type { Notification } from './notification.ts';

export type { Extraction } from './definition_extract.ts';
export type { Fault } from './definition_fault.ts';

/** A definition file as read: `name` is shown in faults and hashed into the set's digest. */
export interface DefinitionFile {
  name: string;
  text: string;
}

export type Compiled =
  | { ok: true; set: DefinitionSet; warnings: Fault[] }
  | { ok: false; faults: Fault[]; warnings: Fault[] };

/** Definitions that are in force together. */
export interface DefinitionSet {
  readonly files: readonly DefinitionFile[];
  /** Names as written, in order; a computed name is its path. */
  readonly meters: readonly string[];
  /** The definitions that are for an event type, and where they stand. A computed name is its path. */
  rulesFor(eventType: string): (Place & { name: string; computed: boolean })[];
  /**
   * Reads the samples of a notification.
   *
   * @throws {NephoError} a reason of the quarantine: `volume_invalid`, `timestamp_missing`,
   * `timestamp_invalid`, `resource_missing`, `too_many_samples`, `text_invalid`, `name_too_long`,
   * `too_large`, `definition_failed`; its context has `meter`, `place`, `definition`
   */
  extract(notification: Notification): Extraction;
}

/** Event types whose definitions are remembered: the names come from outside and have no end. */
const MAX_CACHED_EVENT_TYPES = 10_000;
/** Ceilometer's sample endpoints listen on these two alone; a sender may also give none. */
const PRIORITIES: ReadonlySet<string> = new Set(['INFO', 'SAMPLE', '']);

/**
 * Compiles definition files, all faults at once. Precedence is Ceilometer's: among definitions of one
 * name the first file wins, and within a file the last definition.
 *
 * @example
 * const compiled = compileDefinitions([{ name: 'meters.yaml', text }]);
 * if (compiled.ok) compiled.set.extract(notification).readings;
 */
export function compileDefinitions(files: readonly DefinitionFile[]): Compiled {
  const faults = new FaultList();
  const definitions: MeterDefinition[] = [];
  const winners = new Map<string, MeterDefinition>();
  for (const file of files) {
    const compiled = readDefinitions(file, faults);
    const kept = compiled.reverse().filter((definition) => {
      const winner = winners.get(definition.name);
      if (winner === undefined) winners.set(definition.name, definition);
      else {
        faults.warn(
          'name_duplicate',
          definition.place,
          `'${definition.name}' is also defined at ${
            formatPlace(winner.place)
          }, which goes before this`,
          'Remove one of the two',
        );
      }
      return winner === undefined;
    });
    definitions.push(...kept.reverse());
  }
  const names = files.map(({ name }) => name);
  const warnings = inPlaceOrder(faults.warnings, names);
  if (faults.faults.length > 0) {
    return { ok: false, faults: inPlaceOrder(faults.faults, names), warnings };
  }
  return { ok: true, set: makeSet(files, definitions), warnings };
}

function readDefinitions(file: DefinitionFile, faults: FaultList): MeterDefinition[] {
  const document = readDocument(file.name, file.text, faults);
  if (document === null) return [];
  const metric = document.kind === 'map' ? metricOf(document) : undefined;
  if (metric?.kind === 'list') {
    return metric.items.flatMap((item) => compileMeter(item, faults) ?? []);
  }
  faults.fault(
    'metric_missing',
    metric?.place ?? document.place,
    "The file has no list 'metric:'",
    'Write metric: and below it a list of definitions',
  );
  return [];
}

function metricOf(document: MapNode) {
  return document.entries.get('metric')?.value;
}

function makeSet(
  files: readonly DefinitionFile[],
  definitions: readonly MeterDefinition[],
): DefinitionSet {
  const byEventType = new Map<string, readonly MeterDefinition[]>();
  const definitionsFor = (eventType: string): readonly MeterDefinition[] => {
    const known = byEventType.get(eventType);
    if (known !== undefined) return known;
    const found = definitions.filter(({ eventTypes }) =>
      eventTypes.some((pattern) => pattern.matchesStart(eventType))
    );
    if (byEventType.size >= MAX_CACHED_EVENT_TYPES) byEventType.clear();
    byEventType.set(eventType, found);
    return found;
  };
  return {
    files,
    meters: definitions.map(({ name }) => name),
    rulesFor: (eventType) =>
      definitionsFor(eventType).map(({ name, place, rules }) => ({
        name,
        ...place,
        computed: !rules.name.isConstant,
      })),
    extract(notification) {
      const found = PRIORITIES.has(notification.priority)
        ? definitionsFor(notification.eventType)
        : [];
      if (found.length === 0) return { matched: false, readings: [], withoutVolume: [] };
      return extractReadings(found, notification);
    },
  };
}
