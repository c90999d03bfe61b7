import type { Quantity } from './quantity.ts';
import type { TimedVolume } from './window_reading.ts';

/**
 * What a half-open span of time came to, of one series. Everything adds up: the figures of two spans that
 * meet are merged into those of both, in any grouping (see {@link mergeFigures}).
 */
export interface WindowFigures {
  readonly count: number;
  readonly sum: Quantity;
  readonly sumSquares: Quantity;
  readonly min: Quantity | null;
  readonly max: Quantity | null;
  readonly first: TimedVolume | null;
  readonly last: TimedVolume | null;
  /** Of a cumulative meter: what the counter grew by, see window_compute.ts; 0 of the others. */
  readonly increase: Quantity;
  /** How often the counter began again, and how often it went back a little. */
  readonly resets: number;
  readonly stepsBack: number;
  /** Of a gauge: its value times the seconds that it held, in unit seconds; 0 of the others. */
  readonly integral: Quantity;
  /** Of a gauge: microseconds of the span in which a value held. */
  readonly coveredMicros: bigint;
  /** Of a gauge: a value ran out within the span because nothing was heard for the meter's staleness. */
  readonly expired: boolean;
  /** The last reading of the span ended the thing; false without readings. */
  readonly ended: boolean;
}
