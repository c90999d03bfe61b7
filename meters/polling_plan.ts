import { NephoError } from './errors.ts';
import type { JsonObject, JsonValue } from './json.ts';
import type { PollingConfig, SourceSpec } from './polling_config.ts';
import { mixBits, stableHash } from './stable_hash.ts';

/** A Temporal Schedule as it should be: one for each (cloud, source, group). */
export interface PlannedSchedule {
  readonly id: string;
  readonly cloud: string;
  readonly source: string;
  /** From 0 to `groups` - 1. */
  readonly group: number;
  readonly groups: number;
  readonly everySeconds: number;
  /** After each multiple of the interval since 1970 in UTC; from 0, below the interval. */
  readonly phaseSeconds: number;
  /** Below the interval, so that a cycle never takes the time of the next. */
  readonly runTimeoutSeconds: number;
  /** Cycles that were missed for longer are not begun any more: they become gaps. */
  readonly catchupWindowSeconds: number;
  /** A cycle whose time comes while the one before still ends waits for it; a further one is dropped. */
  readonly overlap: 'BUFFER_ONE';
  /** Of everything that the file says of the source, whatever its order of keys. */
  readonly digest: string;
  /** What the source polls, in short, so that a change of the digest can be told. */
  readonly summary: Readonly<Record<(typeof SUMMARY_FIELDS)[number], string>>;
}

/** A schedule as it is; one that another version made may lack what is newer. */
export type AppliedSchedule = Pick<PlannedSchedule, 'id'> & Partial<PlannedSchedule>;

export interface FieldChange {
  readonly field: string;
  /** Null if the schedule says nothing of it. */
  readonly before: string | number | null;
  readonly after: string | number;
}

export interface PlanDifference {
  readonly create: readonly PlannedSchedule[];
  readonly change: readonly { schedule: PlannedSchedule; fields: readonly FieldChange[] }[];
  readonly remove: readonly AppliedSchedule[];
  readonly unchanged: readonly PlannedSchedule[];
}

/** Makes 64 hexadecimal digits of a value: SHA-256 of its canonical JSON. */
export type DigestOf = (value: JsonValue) => string;

const FIELDS = [
  'cloud',
  'source',
  'group',
  'groups',
  'everySeconds',
  'phaseSeconds',
  'runTimeoutSeconds',
  'catchupWindowSeconds',
  'overlap',
] as const;
const SUMMARY_FIELDS = ['meters', 'resources', 'discovery', 'concurrency', 'expect'] as const;
/** UTF-16 units of an entry of a summary: it travels with the schedule. */
const MAX_SUMMARY_LENGTH = 160;
/** Seconds that a run leaves before the next cycle, and the share of a short interval. */
const MAX_MARGIN_SECONDS = 30;
const MARGIN_SHARE = 0.1;
/** Temporal takes no shorter one. */
const MIN_CATCHUP_SECONDS = 10;
/** Cycles of one call of {@link nominalTimes}: a year of every five minutes. */
const MAX_NOMINAL_TIMES = 110_000;
const SAFE = /^[A-Za-z0-9._-]*$/;

/** The schedules of a configuration, in the order of its sources. */
export function schedulesOf(config: PollingConfig, digestOf: DigestOf): PlannedSchedule[] {
  return config.sources.flatMap((source) => {
    const shared = {
      cloud: source.cloud,
      source: source.name,
      groups: source.groups,
      everySeconds: source.intervalSeconds,
      runTimeoutSeconds: runTimeoutOf(source.intervalSeconds),
      catchupWindowSeconds: Math.max(source.intervalSeconds, MIN_CATCHUP_SECONDS),
      overlap: 'BUFFER_ONE' as const,
      digest: digestOf(jsonOfSource(source)),
      summary: summaryOf(source, digestOf),
    };
    return Array.from({ length: source.groups }, (_, group) => {
      const id = scheduleId(source.cloud, source.name, group);
      return { ...shared, id, group, phaseSeconds: stableHash(id) % source.intervalSeconds };
    });
  });
}

/**
 * `poll-<cloud>-<source>-<group>`. A source whose name has other characters than letters, digits, dots,
 * hyphens and underscores has these alone, and a hash; `parsePolling` sees to it that no two are equal.
 */
export function scheduleId(cloud: string, source: string, group: number): string {
  const name = SAFE.test(source)
    ? source
    : `${source.replaceAll(/[^A-Za-z0-9._-]+/g, '_')}~${
      stableHash(source).toString(16).padStart(8, '0')
    }`;
  return `poll-${cloud}-${name}-${group}`;
}

/**
 * The nominal times of a schedule from `fromMs` up to but without `toMs`, as Temporal computes them of
 * `spec.intervals[{ every, offset }]`: whole multiples of the interval since 1970 in UTC, plus the phase.
 *
 * @returns milliseconds since 1970 UTC, ascending
 * @throws {NephoError} `too_many_cycles` beyond 110,000
 */
export function nominalTimes(
  schedule: Pick<PlannedSchedule, 'everySeconds' | 'phaseSeconds'>,
  fromMs: number,
  toMs: number,
): number[] {
  const everyMs = schedule.everySeconds * 1_000;
  const phaseMs = schedule.phaseSeconds * 1_000;
  const first = Math.ceil((fromMs - phaseMs) / everyMs);
  const count = Math.max(0, Math.ceil((toMs - phaseMs) / everyMs) - first);
  if (!(count <= MAX_NOMINAL_TIMES)) {
    throw new NephoError(
      'too_many_cycles',
      `Cannot list ${count} cycles of ${schedule.everySeconds} s: at most ${MAX_NOMINAL_TIMES} are listed, take a shorter time`,
    );
  }
  return Array.from({ length: count }, (_, k) => (first + k) * everyMs + phaseMs);
}

/**
 * The group that polls a unit, from 0 to `groups` - 1: that whose hash with the unit is the highest
 * (rendezvous hashing). With one group more, only the units that it takes over change theirs.
 */
export function groupOf(unitId: string, groups: number): number {
  const hash = stableHash(unitId);
  let best = 0;
  let highest = -1;
  for (let group = 0; group < groups; group += 1) {
    const weight = mixBits(hash ^ mixBits(group + 1));
    if (weight > highest) {
      highest = weight;
      best = group;
    }
  }
  return best;
}

/** What must be done to the schedules that there are, so that those are there which are wanted. */
export function diffPlan(
  current: readonly AppliedSchedule[],
  wanted: readonly PlannedSchedule[],
): PlanDifference {
  const byId = new Map(current.map((schedule) => [schedule.id, schedule]));
  const wantedIds = new Set(wanted.map(({ id }) => id));
  const compared = wanted.map((schedule) => {
    const applied = byId.get(schedule.id);
    return { schedule, applied, fields: applied === undefined ? [] : changesOf(applied, schedule) };
  });
  const known = compared.filter(({ applied }) => applied !== undefined);
  return {
    create: compared.filter(({ applied }) => applied === undefined).map(({ schedule }) => schedule),
    change: known.filter(({ fields }) => fields.length > 0)
      .map(({ schedule, fields }) => ({ schedule, fields })),
    remove: current.filter(({ id }) => !wantedIds.has(id)),
    unchanged: known.filter(({ fields }) => fields.length === 0).map(({ schedule }) => schedule),
  };
}

function changesOf(applied: AppliedSchedule, wanted: PlannedSchedule): FieldChange[] {
  const fields = [
    ...FIELDS.map((field) => ({ field, before: applied[field], after: wanted[field] })),
    ...SUMMARY_FIELDS.map((field) => ({
      field,
      before: applied.summary?.[field],
      after: wanted.summary[field],
    })),
  ].map(({ before, ...rest }) => ({ ...rest, before: before ?? null }));
  const changed = fields.filter(({ before, after }) => before !== after);
  // A change that the summary does not show.
  if (changed.length === 0 && applied.digest !== wanted.digest) {
    return [{ field: 'digest', before: applied.digest ?? null, after: wanted.digest }];
  }
  return changed;
}

function runTimeoutOf(intervalSeconds: number): number {
  const margin = Math.ceil(intervalSeconds * MARGIN_SHARE);
  return intervalSeconds - Math.min(margin, MAX_MARGIN_SECONDS);
}

function jsonOfSource(source: SourceSpec): JsonObject {
  return {
    name: source.name,
    cloud: source.cloud,
    interval: source.intervalSeconds,
    meters: [...source.meters],
    resources: [...source.resources],
    discovery: discoveryOf(source),
    groups: source.groups,
    concurrency: source.concurrency,
    expect: source.expect.map(({ meter, atLeast }) => ({ meter, at_least: atLeast })),
  };
}

function discoveryOf(source: SourceSpec): string[] {
  return source.discovery.map(({ name, parameter }) =>
    parameter === '' ? name : `${name}:${parameter}`
  );
}

function summaryOf(source: SourceSpec, digestOf: DigestOf): PlannedSchedule['summary'] {
  const short = (texts: readonly string[]) => {
    const text = texts.join(', ');
    return text.length <= MAX_SUMMARY_LENGTH ? text : counted(texts, digestOf, `${cutText(text)}…`);
  };
  return {
    meters: short(source.meters),
    // Addresses may hold what is nobody's business.
    resources: source.resources.length === 0 ? '' : counted(source.resources, digestOf, ''),
    discovery: short(discoveryOf(source)),
    concurrency: String(source.concurrency),
    expect: short(source.expect.map(({ meter, atLeast }) => `${meter} ≥ ${atLeast}`)),
  };
}

function cutText(text: string): string {
  return Array.from(text.slice(0, MAX_SUMMARY_LENGTH / 2)).slice(0, -1).join('');
}

/** As `cpu, memory.usage… (40, 1a2b3c4d)`: a change of what is not shown shows in the digest. */
function counted(texts: readonly string[], digestOf: DigestOf, shown: string): string {
  return `${shown} (${texts.length}, ${digestOf([...texts]).slice(0, 8)})`.trim();
}
