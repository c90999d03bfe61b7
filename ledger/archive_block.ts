import { NephoError } from '../meters/errors.ts';
import { formatQuantity, parseQuantity, type Quantity } from '../meters/quantity.ts';
import { concatBytes } from './bytes.ts';
import { VarintReader, VarintWriter } from './varint.ts';

/**
 * A row of `samples` without its id, which follows from the origin, the series and the ordinal (see
 * `sampleId`). The numbers are those of the database that the archive was made from.
 */
export interface ArchivedSample {
  /** `log_id * 2^40` + leaf index. */
  position: number;
  /** Microseconds since 1970, UTC: below 2^52 until the year 2112. */
  micros: number;
  originId: number;
  seriesId: number;
  metadataId: number;
  ordinal: number | null;
  /** Canonical decimal. */
  volume: string;
}

/**
 * Samples by column, each as what is new beside the sample before it, or beside the last one of its series:
 * that is little, and of a kind, so a general compressor makes almost nothing of most columns.
 *
 * The number of samples, the length of each column in bytes, and the columns: places, times, origins, series,
 * metadata, ordinals, volumes.
 *
 * @param samples ascending by position
 */
export function encodeBlock(samples: readonly ArchivedSample[]): Uint8Array {
  const columns = new Columns();
  const guess = new Guess();
  let previous = START;
  for (const sample of samples) {
    columns.positions.write(sample.position - previous.position - 1);
    columns.times.writeSigned(sample.micros - previous.micros);
    // Of a high log these differ by more than 2^52 at the beginning.
    columns.origins.writeBig(BigInt(sample.originId - previous.originId));
    const next = guess.seriesAfter(previous.seriesId);
    columns.series.write(sample.seriesId === next ? 0 : sample.seriesId + 1);
    const known = guess.lastOf(sample.seriesId);
    columns.metadata.writeSigned(sample.metadataId - known.metadataId);
    columns.ordinals.write(sample.ordinal === null ? 0 : sample.ordinal + 1);
    const volume = canonicalVolume(sample.volume);
    columns.volumes.writeSigned(volume.scale - known.volume.scale);
    columns.volumes.writeBig(volume.unscaled - comparable(known.volume, volume.scale));
    guess.learn(previous.seriesId, sample, volume);
    previous = sample;
  }
  return columns.bytes(samples.length);
}

/** @throws {NephoError} `archive_damaged` for bytes that {@link encodeBlock} does not make */
export function decodeBlock(bytes: Uint8Array): ArchivedSample[] {
  const { count, columns } = splitColumns(bytes);
  const guess = new Guess();
  const samples: ArchivedSample[] = [];
  let previous = START;
  for (let index = 0; index < count; index += 1) {
    const position = previous.position + columns.positions.read() + 1;
    const micros = previous.micros + columns.times.readSigned();
    const originId = previous.originId + Number(columns.origins.readBig());
    const named = columns.series.read();
    const seriesId = named === 0 ? guess.seriesAfter(previous.seriesId) : named - 1;
    const known = guess.lastOf(seriesId);
    const metadataId = known.metadataId + columns.metadata.readSigned();
    const ordinal = columns.ordinals.read();
    const scale = known.volume.scale + columns.volumes.readSigned();
    if (scale < 0 || scale > MAX_SCALE) throw damaged('a volume has no such number of decimals');
    const volume = {
      scale,
      unscaled: columns.volumes.readBig() + comparable(known.volume, scale),
    };
    const sample = {
      position,
      micros,
      originId,
      seriesId,
      metadataId,
      ordinal: ordinal === 0 ? null : ordinal - 1,
      volume: formatQuantity(volume),
    };
    guess.learn(previous.seriesId, sample, volume);
    samples.push(sample);
    previous = sample;
  }
  if (!columns.areAtEnd()) throw damaged('something follows the last sample');
  return samples;
}

const START: ArchivedSample = {
  position: -1,
  micros: 0,
  originId: 0,
  seriesId: 0,
  metadataId: 0,
  ordinal: null,
  volume: '0',
};

/** Decimals of a volume at most, see MAX_QUANTITY_DIGITS. */
const MAX_SCALE = 60;

const NAMES = [
  'positions',
  'times',
  'origins',
  'series',
  'metadata',
  'ordinals',
  'volumes',
] as const;

/** What is written, one writer a column. */
class Columns {
  readonly positions = new VarintWriter();
  readonly times = new VarintWriter();
  readonly origins = new VarintWriter();
  readonly series = new VarintWriter();
  readonly metadata = new VarintWriter();
  readonly ordinals = new VarintWriter();
  readonly volumes = new VarintWriter();

  bytes(count: number): Uint8Array {
    const head = new VarintWriter();
    head.write(count);
    const columns = NAMES.map((name) => this[name].bytes());
    for (const column of columns) head.write(column.length);
    return concatBytes([head.bytes(), ...columns]);
  }
}

/** What is read, one reader a column. */
class ColumnReaders {
  readonly positions: VarintReader;
  readonly times: VarintReader;
  readonly origins: VarintReader;
  readonly series: VarintReader;
  readonly metadata: VarintReader;
  readonly ordinals: VarintReader;
  readonly volumes: VarintReader;

  constructor(next: () => VarintReader) {
    this.positions = next();
    this.times = next();
    this.origins = next();
    this.series = next();
    this.metadata = next();
    this.ordinals = next();
    this.volumes = next();
  }

  areAtEnd(): boolean {
    return NAMES.every((name) => this[name].isAtEnd);
  }
}

function splitColumns(bytes: Uint8Array): { count: number; columns: ColumnReaders } {
  const head = new VarintReader(bytes);
  const count = head.read();
  const lengths = NAMES.map(() => head.read());
  // Each sample takes a byte of the first column at least: a damaged count must not run for ever.
  if (count > (lengths[0] ?? 0)) throw damaged('it has too few places');
  const whole = lengths.reduce((sum, length) => sum + length, 0);
  let at = bytes.length - whole;
  if (at !== headLength(count, lengths)) throw damaged('its columns are not as long as it says');
  let column = 0;
  const columns = new ColumnReaders(() => {
    const length = lengths[column] ?? 0;
    column += 1;
    at += length;
    return new VarintReader(bytes.subarray(at - length, at));
  });
  return { count, columns };
}

function headLength(count: number, lengths: readonly number[]): number {
  const head = new VarintWriter();
  for (const number of [count, ...lengths]) head.write(number);
  return head.bytes().length;
}

interface Known {
  metadataId: number;
  volume: Quantity;
}

/** What both sides expect of the next sample. */
class Guess {
  readonly #after = new Map<number, number>();
  readonly #last = new Map<number, Known>();

  /** Polls tell the same series in the same order each time. */
  seriesAfter(seriesId: number): number {
    return this.#after.get(seriesId) ?? 0;
  }

  lastOf(seriesId: number): Known {
    return this.#last.get(seriesId) ?? NOTHING_KNOWN;
  }

  learn(before: number, { seriesId, metadataId }: ArchivedSample, volume: Quantity): void {
    this.#after.set(before, seriesId);
    this.#last.set(seriesId, { metadataId, volume });
  }
}

const NOTHING_KNOWN: Known = { metadataId: 0, volume: { unscaled: 0n, scale: 0 } };

/** The volume before, if it has as many decimals: else a difference would say nothing. */
function comparable(known: Quantity, scale: number): bigint {
  return known.scale === scale ? known.unscaled : 0n;
}

function canonicalVolume(text: string): Quantity {
  const volume = parseQuantity(text);
  if (formatQuantity(volume) === text) return volume;
  throw new NephoError(
    'archive_invalid',
    `Cannot archive the volume '${text}': it is not canonical`,
  );
}

function damaged(how: string): NephoError {
  return new NephoError('archive_damaged', `Cannot read a block of an archive: ${how}`);
}
