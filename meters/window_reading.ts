import type { Quantity } from './quantity.ts';

/** A value at a time. */
export interface TimedVolume {
  /** Microseconds since 1970, UTC. */
  readonly at: bigint;
  readonly volume: Quantity;
}

/** What a window knows of a sample. */
export interface WindowReading extends TimedVolume {
  /** The sample's id, which settles the order of readings of one time and volume. */
  readonly id: string;
  /** The thing that is metered ended at this reading: a gauge's value does not hold on. */
  readonly ends: boolean;
  /**
   * The reading says of itself that its value held since then, if nothing else is known of that time: an
   * existence audit of an instance that was launched within the hour. Null of most readings.
   */
  readonly since: bigint | null;
  /**
   * The reading says of itself that the thing had ended by then, as an audit that lists what was deleted
   * within its period. Nothing or null of most readings.
   */
  readonly until?: bigint | null;
}

/** The last reading before a window, from which its figures go on. */
export interface Carry extends TimedVolume {
  readonly ended: boolean;
}
