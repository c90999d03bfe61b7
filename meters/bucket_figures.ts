import type { MeterType } from './sample.ts';
import { computeWindows } from './window_compute.ts';
import type { WindowFigures } from './window_figures.ts';
import type { Carry, WindowReading } from './window_reading.ts';
import type { Span } from './zone.ts';

/** What a series came to within one of several buckets of time. */
export interface BucketFigures {
  /** Index of the bucket, from 0. */
  readonly bucket: number;
  readonly figures: WindowFigures;
}

export interface LabelledFigures extends BucketFigures {
  /** What the samples say that the figures are of; null if they say nothing. */
  readonly label: string | null;
}

export interface BucketOptions {
  readonly type: MeterType;
  readonly stalenessMicros: bigint;
  /** What went before the readings. */
  readonly carry: Carry | null;
  /** The time that is computed. */
  readonly span: Span;
  /** Where the buckets begin, and last where the last one ends; ascending microseconds since 1970. */
  readonly bounds: readonly bigint[];
}

/**
 * The figures of one series by buckets of any length, exact also where a bucket cuts an hour. Only of the
 * buckets in which something is.
 *
 * @param readings as of `computeWindows` for the whole span
 */
export function bucketFigures(
  readings: readonly WindowReading[],
  { type, stalenessMicros, carry, span, bounds }: BucketOptions,
): BucketFigures[] {
  const found: BucketFigures[] = [];
  // Buckets of one length, as hours are, are computed in one go.
  for (const { from, to, every, bucket } of runsOf(piecesOf(span, bounds))) {
    const windows = computeWindows(readings, { type, from, to, every, stalenessMicros, carry });
    for (const { start, figures } of windows) {
      found.push({ bucket: bucket + Number((start - from) / every), figures });
    }
  }
  return found;
}

/**
 * The figures of one series by buckets and by what each sample says of itself, as the flavour in its
 * metadata. A gauge counts under what the reading says whose value holds; what a counter grew by counts
 * under the later reading. Together they are the figures without labels.
 *
 * @param labelOf of a reading's id
 */
export function labelledFigures(
  readings: readonly WindowReading[],
  options: BucketOptions & { readonly labelOf: (id: string) => string | null },
): LabelledFigures[] {
  const { labelOf: _labelOf, ...plain } = options;
  if (options.type === 'delta') return labelledDeltas(readings, options);
  const found: LabelledFigures[] = [];
  for (const run of labelRuns(readings, options)) {
    const start = run.start > options.span.start ? run.start : options.span.start;
    const end = run.end < options.span.end ? run.end : options.span.end;
    if (start >= end) continue;
    const near = neighbours(run.ordered, { start, end: end + options.stalenessMicros });
    const figures = bucketFigures(run.ordered.slice(...near), {
      ...plain,
      span: { start, end },
      // A reading before the span takes its place.
      carry: near[0] === 0 ? options.carry : null,
    });
    for (const one of figures) found.push({ ...one, label: run.label });
  }
  return found;
}

function labelledDeltas(
  readings: readonly WindowReading[],
  options: BucketOptions & { readonly labelOf: (id: string) => string | null },
): LabelledFigures[] {
  const byLabel = new Map<string | null, WindowReading[]>();
  for (const reading of readings) {
    const label = options.labelOf(reading.id);
    const list = byLabel.get(label);
    if (list === undefined) byLabel.set(label, [reading]);
    else list.push(reading);
  }
  return [...byLabel].flatMap(([label, list]) =>
    bucketFigures(list, options).map((one) => ({ ...one, label }))
  );
}

interface Piece {
  readonly bucket: number;
  readonly start: bigint;
  readonly end: bigint;
}

function piecesOf(span: Span, bounds: readonly bigint[]): Piece[] {
  const pieces: Piece[] = [];
  for (const [bucket, begin] of bounds.slice(0, -1).entries()) {
    const finish = bounds[bucket + 1] ?? begin;
    const start = begin > span.start ? begin : span.start;
    const end = finish < span.end ? finish : span.end;
    if (start < end) pieces.push({ bucket, start, end });
  }
  return pieces;
}

interface Run {
  readonly bucket: number;
  readonly from: bigint;
  to: bigint;
  readonly every: bigint;
}

/** Pieces that follow each other and are of one length. */
function runsOf(pieces: readonly Piece[]): Run[] {
  const runs: Run[] = [];
  for (const { bucket, start, end } of pieces) {
    const last = runs.at(-1);
    if (last !== undefined && last.to === start && last.every === end - start) last.to = end;
    else runs.push({ bucket, from: start, to: end, every: end - start });
  }
  return runs;
}

interface LabelRun extends Span {
  readonly label: string | null;
  readonly ordered: readonly WindowReading[];
}

/** From the first reading of a label to the first one of another. */
function labelRuns(
  readings: readonly WindowReading[],
  { labelOf, span }: { labelOf: (id: string) => string | null; span: Span },
): LabelRun[] {
  const ordered = [...readings].sort((a, b) =>
    a.at < b.at ? -1 : a.at > b.at ? 1 : a.id < b.id ? -1 : 1
  );
  const starts: { label: string | null; at: bigint }[] = [];
  for (const { at, id } of ordered) {
    const label = labelOf(id);
    if (starts.at(-1)?.label !== label || starts.length === 0) starts.push({ label, at });
  }
  // What the first reading fills, or what went before it, is counted under it for want of another.
  return starts.map(({ label, at }, index) => ({
    label,
    start: index === 0 ? span.start : at,
    end: starts[index + 1]?.at ?? span.end,
    ordered,
  }));
}

/**
 * Where to begin reading and where to stop, so that what holds at `start` is known, and whether it had ended,
 * and what later readings tell of the time before `end`.
 */
function neighbours(
  ordered: readonly WindowReading[],
  { start, end }: Span,
): [from: number, to: number] {
  const after = ordered.findIndex(({ at }) => at >= start);
  let from = Math.max((after === -1 ? ordered.length : after) - 1, 0);
  for (let index = from; index >= 0; index -= 1) {
    const reading = ordered[index];
    // A report of a life that ended may follow its end at any distance.
    if (reading === undefined || (!reading.ends && (reading.until ?? null) === null)) continue;
    from = index;
    break;
  }
  // Readings of one time are put in order by what reads them.
  const at = ordered[from]?.at;
  while (from > 0 && ordered[from - 1]?.at === at) from -= 1;
  const to = ordered.findIndex((reading) => reading.at >= end);
  return [from, to === -1 ? ordered.length : to];
}
