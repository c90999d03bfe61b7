import { addQuantities, multiplyQuantities, type Quantity } from './quantity.ts';
import type { ComputedWindow } from './window_compute.ts';
import { EMPTY_FIGURES, greater, lesser, type WindowFigures } from './window_figures.ts';
import type { Carry, TimedVolume } from './window_reading.ts';

/** How a counter went from one reading to the next. */
export type CounterStep =
  | { readonly kind: 'increase'; readonly by: Quantity }
  | { readonly kind: 'reset'; readonly by: Quantity }
  | { readonly kind: 'back' };

type Figures = { -readonly [Key in keyof WindowFigures]: WindowFigures[Key] };

/**
 * Lays readings and held values into the windows of a range, from the earliest to the latest. What lies
 * outside of the range leaves no figures, but the last reading before a window is its carry.
 */
export class WindowBuilder {
  readonly windows: ComputedWindow[] = [];
  readonly #from: bigint;
  readonly #to: bigint;
  readonly #every: bigint;
  #figures: Figures | null = null;
  #end: bigint;
  #last: Carry | null;

  constructor(range: { from: bigint; to: bigint; every: bigint }, carry: Carry | null) {
    this.#from = range.from;
    this.#to = range.to;
    this.#every = range.every;
    this.#end = range.from;
    this.#last = carry;
  }

  /** The reading before the one that comes next. */
  get last(): Carry | null {
    return this.#last;
  }

  addReading(reading: TimedVolume, ended: boolean, step: CounterStep | null): void {
    const { at, volume } = reading;
    if (at >= this.#from && at < this.#to) {
      const figures = this.#windowOf(at);
      const timed = { at, volume };
      figures.count += 1;
      figures.sum = addQuantities(figures.sum, volume);
      figures.sumSquares = addQuantities(figures.sumSquares, multiplyQuantities(volume, volume));
      figures.min = lesser(figures.min, volume);
      figures.max = greater(figures.max, volume);
      figures.first ??= timed;
      figures.last = timed;
      figures.ended = ended;
      if (step !== null) addStep(figures, step);
    }
    this.#last = { at, volume, ended };
  }

  /** A value that held in the half-open span. */
  addHold(volume: Quantity, start: bigint, end: bigint): void {
    const stop = end < this.#to ? end : this.#to;
    let at = start > this.#from ? start : this.#from;
    while (at < stop) {
      const figures = this.#windowOf(at);
      const until = stop < this.#end ? stop : this.#end;
      const seconds = { unscaled: until - at, scale: 6 };
      figures.integral = addQuantities(figures.integral, multiplyQuantities(volume, seconds));
      figures.coveredMicros += until - at;
      at = until;
    }
  }

  /**
   * A value ran out. It belongs to the window that the value still held in: one that ends at this very
   * time, rather than the next, in which nothing may be.
   */
  addExpiry(at: bigint): void {
    if (at > this.#from && at <= this.#to) this.#windowOf(at - 1n).expired = true;
  }

  #windowOf(at: bigint): Figures {
    if (this.#figures !== null && at < this.#end) return this.#figures;
    const start = at - (at - this.#from) % this.#every;
    const whole = start + this.#every;
    this.#end = whole < this.#to ? whole : this.#to;
    this.#figures = { ...EMPTY_FIGURES };
    this.windows.push({ start, end: this.#end, figures: this.#figures, carry: this.#last });
    return this.#figures;
  }
}

function addStep(figures: Figures, step: CounterStep): void {
  if (step.kind === 'back') figures.stepsBack += 1;
  else figures.increase = addQuantities(figures.increase, step.by);
  if (step.kind === 'reset') figures.resets += 1;
}
