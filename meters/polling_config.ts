import type { Place } from './definition_fault.ts';
import type { RawSetting } from './raw_setting.ts';

/** What a polling.yaml says, checked; docs/polling.md has its keys. */
export interface PollingConfig {
  /**
   * The settings of each cloud by its name, for the schema of the OpenStack collector. Empty if the file
   * has none: then there is one, {@link DEFAULT_CLOUD}, of the variables `OS_*`.
   */
  readonly clouds: ReadonlyMap<string, RawSetting>;
  /** The settings of the other collectors by their names, each for its own schema. */
  readonly collectors: ReadonlyMap<string, RawSetting>;
  /** In the order of the file; no two have one name. */
  readonly sources: readonly SourceSpec[];
}

/** One entry of `sources:`. */
export interface SourceSpec {
  readonly name: string;
  readonly cloud: string;
  readonly intervalSeconds: number;
  /** As written; `compileMeterPatterns` reads them. */
  readonly meters: readonly string[];
  /** Units that are not discovered: addresses or ids, each once. */
  readonly resources: readonly string[];
  readonly discovery: readonly DiscoveryReference[];
  /** Parts of the source that are polled apart, each by its own schedule. */
  readonly groups: number;
  /** Units that are polled at the same time. */
  readonly concurrency: number;
  readonly expect: readonly Expectation[];
  readonly place: Place;
}

/** A discovery and what it is asked for, as in `endpoint:image`. */
export interface DiscoveryReference {
  readonly name: string;
  /** `''` without one. */
  readonly parameter: string;
}

/** Fewer resources of this meter in a cycle are a gap. */
export interface Expectation {
  readonly meter: string;
  readonly atLeast: number;
}

/** The cloud of a file that names none. */
export const DEFAULT_CLOUD = 'openstack';
export const DEFAULT_CONCURRENCY = 16;
/** What `interval` was without being written, while it stood in pipeline.yaml. */
export const PIPELINE_INTERVAL_SECONDS = 600;

export const MIN_INTERVAL_SECONDS = 10;
export const MAX_INTERVAL_SECONDS = 86_400;
export const MAX_CLOUDS = 100;
export const MAX_COLLECTORS = 100;
export const MAX_SOURCES = 1_000;
/** Of all sources together: each is a workflow of its own at the Temporal server, for ever. */
export const MAX_SCHEDULES = 1_000;
export const MAX_GROUPS = 100;
export const MAX_CONCURRENCY = 256;
/** Of all sources together. */
export const MAX_PATTERNS = 10_000;
/** Of one source. */
export const MAX_RESOURCES = 10_000;
export const MAX_DISCOVERIES = 100;
export const MAX_EXPECTATIONS = 1_000;
export const MAX_EXPECTED_RESOURCES = 10_000_000;
/** UTF-16 units: with the cloud's it must fit into the id of a schedule. */
export const MAX_SOURCE_NAME_LENGTH = 128;

/**
 * Reads an entry of `discovery:`, or the discovery of a pollster: the name stands before the first
 * colon, and what Ceilometer writes like an address has its slashes cut off.
 *
 * @example
 * parseDiscovery('endpoint:image'); // { name: 'endpoint', parameter: 'image' }
 */
export function parseDiscovery(text: string): DiscoveryReference {
  const colon = text.indexOf(':');
  if (colon === -1) return { name: text, parameter: '' };
  return { name: text.slice(0, colon), parameter: text.slice(colon + 1).replace(/^\/\//, '') };
}
