import { NephoError } from '../../meters/errors.ts';
import type { GapReason, RemarkCode } from '../../meters/poll_gap.ts';
import type { MeterType, Reading } from '../../meters/sample.ts';
import type { HttpClient } from '../http/http_client.ts';
import type { ReadSecret } from '../secret_reference.ts';

/**
 * What is polled: a server, an image, a host, an address. Listings bring their units whole, so that one
 * listing feeds however many meters.
 */
export interface Unit<Data = unknown> {
  /** Unique within its discovery and the same in every cycle; at most 255 characters. */
  readonly id: string;
  readonly data: Data;
}

export interface PollsterMeter {
  /** A name; one that ends in `*` stands for all that begin so, as `instance:*`. */
  readonly name: string;
  readonly type: MeterType;
  readonly unit: string;
}

/** What a cycle lends to discoveries and pollsters. */
export interface PollContext {
  /** The cycle's nominal time: canonical UTC timestamp. */
  readonly cycle: string;
  /** Aborted when the cycle has used up its time, or the worker ends. */
  readonly signal: AbortSignal;
  /** The present: canonical UTC timestamp. */
  now(): string;
  /** True if the source wants this meter: what is not wanted need not be fetched. */
  wants(meter: string): boolean;
  /** Says that one meter of this unit could not be read while others could. */
  missing(unitId: string, meter: string, reason: GapReason, detail: string): void;
  /** Says what is odd about a reading that is kept. */
  remark(code: RemarkCode, unitId: string | null, detail: string): void;
}

/** Finds what there is to poll. */
export interface Discovery<Data = unknown> {
  /** As in `discovery:` of polling.yaml, before the colon. */
  readonly name: string;
  /**
   * The units, a page at a time: what was yielded before a failure is polled.
   *
   * @param parameter what stands behind the colon in polling.yaml, `''` without one
   * @throws {NephoError} a {@link GapReason} as its code
   */
  discover(context: PollContext, parameter: string): AsyncIterable<readonly Unit<Data>[]>;
  /** The unit that a static resource of polling.yaml stands for; null if it is none of this discovery. */
  resource?(text: string): Unit<Data> | null;
}

/** Reads the meters of one unit. */
export interface Pollster<Data = unknown> {
  /** `<collector>.<thing>`, as `nova.diagnostics`: stands in the origin of its samples, so never changes. */
  readonly name: string;
  readonly meters: readonly PollsterMeter[];
  /** The discovery that brings its units unless the source names another: `name` or `name:parameter`. */
  readonly discovery: string;
  /**
   * All readings of one unit, or a failure: all of them are missing then.
   *
   * Readings that share metadata share one object, which is then sent once.
   *
   * @throws {NephoError} a {@link GapReason} as its code; `forbidden` and `request_refused` set the unit
   * aside for an hour
   */
  poll(unit: Unit<Data>, context: PollContext): readonly Reading[] | Promise<readonly Reading[]>;
  /** The readings as they were at a time that has passed; only where the source remembers. */
  pollAt?(
    unit: Unit<Data>,
    instant: string,
    context: PollContext,
  ): readonly Reading[] | Promise<readonly Reading[]>;
}

/** A family of discoveries and pollsters with what they share: a session, a connection, a program. */
export interface Collector {
  readonly name: string;
  readonly discoveries: readonly Discovery[];
  readonly pollsters: readonly Pollster[];
  /** Ends connections. */
  close(): Promise<void>;
}

/** What the function that a module exports is called with. */
export interface PollsterDeps {
  /** Keeps every endpoint's limits, and follows no redirect. */
  readonly http: HttpClient;
  /** The text of a secret, by where it is kept. */
  readonly secret: ReadSecret;
  /** The present, milliseconds since 1970. */
  nowMs(): number;
}

/** A pollster that finds its units itself, for a module that has but one. */
export interface StandalonePollster<Data = unknown> extends Omit<Pollster<Data>, 'discovery'> {
  /** As {@link Discovery.discover}; its discovery has the name of the pollster. */
  discover(context: PollContext, parameter: string): AsyncIterable<readonly Unit<Data>[]>;
}

/** Gives a pollster its types; for modules of the deployer. */
export function definePollster<Data>(pollster: StandalonePollster<Data>): StandalonePollster<Data>;
export function definePollster<Data>(pollster: Pollster<Data>): Pollster<Data>;
export function definePollster<Data>(pollster: Pollster<Data> | StandalonePollster<Data>) {
  return pollster;
}

/** Gives a discovery its types; for modules of the deployer. */
export function defineDiscovery<Data>(discovery: Discovery<Data>): Discovery<Data> {
  return discovery;
}

/**
 * The error that says why something cannot be read; for modules of the deployer.
 *
 * @param sentence what failed and what to do, without secrets
 */
export function pollFailure(
  reason: GapReason,
  sentence: string,
  options: { cause?: unknown } = {},
): NephoError {
  return new NephoError(reason, sentence, { retryable: true, ...options });
}
