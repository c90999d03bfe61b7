import type { MeterType } from '../meters/sample.ts';
import { canonicalString } from './canonical_json.ts';
import { notCanonical, parseRecord, type RecordName, StrictRecord } from './strict_record.ts';

/** A value at a time. */
export interface TimedVolumeRecord {
  at: string;
  volume: string;
}

/**
 * What an hour came to, of one series: a leaf of its seal's tree. The figures are those of
 * meters/window_figures.ts. Quantities are canonical decimals, times UTC with microseconds.
 */
export interface WindowRecord {
  kind: 'window';
  v: 1;
  meter: string;
  type: MeterType;
  unit: string;
  project_id: string | null;
  user_id: string | null;
  resource_id: string;
  source: string;
  /** `[start, end)`. */
  start: string;
  end: string;
  /** 0 was sealed, the others came by late data. */
  revision: number;
  /** Samples in it; 0 of a gauge that only held its value. */
  count: number;
  sum: string;
  sum_squares: string;
  /** Null, as are `max`, `first` and `last`, without samples. */
  min: string | null;
  max: string | null;
  first: TimedVolumeRecord | null;
  last: TimedVolumeRecord | null;
  /** The reading before the window that it goes on from; null if there is none. */
  carry: (TimedVolumeRecord & { ended: boolean }) | null;
  /** Of a cumulative meter; 0 of the others, as are `resets` and `steps_back`. */
  increase: string;
  resets: number;
  steps_back: number;
  /** Of a gauge, in unit seconds; 0 of the others, as is `covered`. */
  integral: string;
  /** Seconds in which a value held. */
  covered: string;
  /** A value ran out within it: nobody said that the thing ended. */
  expired: boolean;
  /** The last reading said that the thing ended. */
  ended: boolean;
}

const WINDOW: RecordName = { code: 'window', name: 'a window record' };

/**
 * The bytes, as text, whose leaf hash stands in a seal or a revision. Written out by hand because it runs
 * once a series and hour; equal to the canonical JSON of the record.
 *
 * @throws {NephoError} `text_invalid` for half a surrogate pair
 */
export function encodeWindow(window: WindowRecord): string {
  const { carry, min, max, project_id, user_id } = window;
  return `{"carry":${
    carry === null
      ? 'null'
      : `{"at":"${carry.at}","ended":${carry.ended},"volume":"${carry.volume}"}`
  },"count":${window.count},"covered":"${window.covered}","end":"${window.end}"` +
    `,"ended":${window.ended},"expired":${window.expired},"first":${timed(window.first)}` +
    `,"increase":"${window.increase}","integral":"${window.integral}","kind":"window"` +
    `,"last":${timed(window.last)},"max":${max === null ? 'null' : `"${max}"`}` +
    `,"meter":${canonicalString(window.meter)},"min":${min === null ? 'null' : `"${min}"`}` +
    `,"project_id":${project_id === null ? 'null' : canonicalString(project_id)}` +
    `,"resets":${window.resets},"resource_id":${canonicalString(window.resource_id)}` +
    `,"revision":${window.revision},"source":${canonicalString(window.source)}` +
    `,"start":"${window.start}","steps_back":${window.steps_back},"sum":"${window.sum}"` +
    `,"sum_squares":"${window.sum_squares}","type":"${window.type}"` +
    `,"unit":${canonicalString(window.unit)}` +
    `,"user_id":${user_id === null ? 'null' : canonicalString(user_id)},"v":1}`;
}

/**
 * Reads a record strictly: whatever is accepted is what encoding the result gives, byte for byte.
 *
 * @throws {NephoError} `window_invalid`, `window_not_canonical`
 */
export function parseWindow(text: string): WindowRecord {
  const record = new StrictRecord(parseRecord(text, WINDOW), WINDOW);
  if (record.text('kind') !== 'window') throw record.wrong('kind', "is not 'window'");
  if (record.count('v') !== 1) {
    throw record.wrong('v', 'is not 1: only a newer version can read it');
  }
  const window = readWindow(record);
  if (window.start >= window.end) throw record.wrong('end', 'is not after the start');
  const { min, max, first, last } = window;
  if ([min, max, first, last].some((value) => (value === null) !== (window.count === 0))) {
    throw record.wrong('count', 'does not fit min, max, first and last');
  }
  if (encodeWindow(window) !== text) throw notCanonical(WINDOW, text);
  return window;
}

function readWindow(record: StrictRecord): WindowRecord {
  const carry = record.recordOrNull('carry');
  return {
    kind: 'window',
    v: 1,
    meter: record.text('meter'),
    type: record.meterType('type'),
    unit: record.text('unit'),
    project_id: record.textOrNull('project_id'),
    user_id: record.textOrNull('user_id'),
    resource_id: record.text('resource_id'),
    source: record.text('source'),
    start: record.time('start'),
    end: record.time('end'),
    revision: record.count('revision'),
    count: record.count('count'),
    sum: record.quantity('sum'),
    sum_squares: record.quantity('sum_squares'),
    min: record.quantityOrNull('min'),
    max: record.quantityOrNull('max'),
    first: readTimed(record.recordOrNull('first')),
    last: readTimed(record.recordOrNull('last')),
    carry: carry === null
      ? null
      : { at: carry.time('at'), volume: carry.quantity('volume'), ended: carry.flag('ended') },
    increase: record.quantity('increase'),
    resets: record.count('resets'),
    steps_back: record.count('steps_back'),
    integral: record.quantity('integral'),
    covered: record.quantity('covered'),
    expired: record.flag('expired'),
    ended: record.flag('ended'),
  };
}

function readTimed(record: StrictRecord | null): TimedVolumeRecord | null {
  return record === null ? null : { at: record.time('at'), volume: record.quantity('volume') };
}

function timed(value: TimedVolumeRecord | null): string {
  return value === null ? 'null' : `{"at":"${value.at}","volume":"${value.volume}"}`;
}
