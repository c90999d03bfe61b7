import type {
  PreparedGap,
  PreparedPoll,
  PreparedPollNote,
  PreparedReject,
} from '../db/prepared_batch.ts';
import { encodeUtf8 } from '../ledger/bytes.ts';
import { canonicalJson } from '../ledger/canonical_json.ts';
import { originKey } from '../ledger/identity.ts';
import type { GapReason } from '../meters/poll_gap.ts';
import {
  encodePollMessage,
  type GapMeter,
  gapOrigin,
  POLL_FORMAT,
  type PolledUnit,
  type PollGap,
  type PollHead,
  pollOrigin,
} from '../meters/poll_message.ts';
import { isJsonObject, type JsonValue } from '../meters/json.ts';
import { MAX_NAME_LENGTH } from '../meters/limits.ts';
import { METER_TYPES } from '../meters/sample.ts';
import { checkStorableText } from '../meters/storable_text.ts';
import { type FaultyUnit, readPollMessage } from '../meters/poll_message_reader.ts';
import type { AcceptedSpan, Delivery, Understood } from './understand.ts';
import { checkDelivery, checkSpan, reject } from './understand.ts';

/** What a poll message came to. */
export interface UnderstoodPoll {
  units: Understood[];
  rejects: PreparedReject[];
  note: PreparedPollNote | null;
}

interface PollContext {
  source: string;
  span: AcceptedSpan;
}

/**
 * The content of every origin that was polled. A second reading of the same cycle has other values and is
 * a duplicate all the same: the first one counts, so there is no conflict to see.
 */
const SAME_CONTENT = '0';
const DETAIL_LENGTH = 300;

/** Reads one poll message; never throws for what it holds. A unit that is wrong is set aside alone. */
export function understandPoll(delivery: Delivery, context: PollContext): UnderstoodPoll {
  try {
    checkDelivery(delivery);
    const { head, units, faulty, gaps, end } = readPollMessage(decodeUtf8(delivery.bytes));
    const poll: UnderstoodPoll = { units: [], rejects: [], note: { head, gaps: [], end } };
    const within = new GapsWithin(gaps);
    const from = { delivery, head, context, poll, within };
    for (const unit of units) takeUnit(from, unit);
    for (const one of faulty) setAside(from, one);
    for (const gap of within.others([...units, ...faulty])) note(from, gap);
    return poll;
  } catch (error) {
    return { units: [], rejects: [reject(delivery, null, error)], note: null };
  }
}

interface From {
  delivery: Delivery;
  head: PollHead;
  context: PollContext;
  poll: UnderstoodPoll;
  within: GapsWithin;
}

/** Gaps of single meters, by the unit that they are of: they stand or fall with it. */
class GapsWithin {
  readonly #all: readonly PollGap[];
  readonly #partial = new Map<string, PollGap[]>();

  constructor(gaps: readonly PollGap[]) {
    this.#all = gaps;
    for (const gap of gaps) {
      if (!gap.partial || gap.unit === null) continue;
      const key = JSON.stringify([gap.pollster, gap.unit]);
      this.#partial.set(key, [...this.#partial.get(key) ?? [], gap]);
    }
  }

  of({ pollster, unit }: { pollster: string | null; unit: string | null }): readonly PollGap[] {
    return this.#partial.get(JSON.stringify([pollster, unit])) ?? [];
  }

  /** Those of no unit of the message. */
  others(units: readonly { pollster: string | null; unit: string | null }[]): readonly PollGap[] {
    if (this.#partial.size === 0) return this.#all;
    const taken = new Set(units.flatMap((unit) => this.of(unit)));
    return this.#all.filter((gap) => !taken.has(gap));
  }
}

function takeUnit(from: From, unit: PolledUnit): void {
  const { delivery, head, context } = from;
  const gaps = from.within.of(unit);
  try {
    for (const reading of unit.readings) checkSpan(reading, context.span);
  } catch (error) {
    const alone = encodePollMessage({ head, units: [unit], gaps, end: null });
    const meters = unit.readings.map(({ meter, type }) => ({ name: meter, type }));
    rejectUnit(from, { ...unit, meters }, { bytes: alone, error });
    return;
  }
  const origin = pollOrigin(head, unit);
  from.poll.units.push({
    delivery: {
      ...delivery,
      get bytes() {
        return encodePollMessage({ head, units: [unit], gaps, end: null });
      },
    },
    key: originKey(context.source, origin),
    origin,
    eventType: `poll.${unit.pollster}`,
    content: SAME_CONTENT,
    matched: true,
    withoutVolume: 0,
    readings: unit.readings,
    poll: {
      head,
      pollster: unit.pollster,
      unit: unit.unit,
      meters: unit.readings.map(({ meter, type }) => ({ name: meter, type })),
      missing: gaps.map((gap) => keyed(from, gap)),
    },
  });
}

function setAside(from: From, { pollster, unit, error, raw }: FaultyUnit): void {
  const gaps = from.within.of({ pollster, unit });
  const body = canonicalJson({
    ...from.head,
    units: [raw],
    gaps: gaps.map((gap) => ({ ...gap, meters: gap.meters.map((meter) => ({ ...meter })) })),
    end: null,
  });
  const bytes = encodeUtf8(`{"nepho_poll":${POLL_FORMAT},${body.slice(1)}`);
  if (pollster === null || unit === null) {
    from.poll.rejects.push(reject({ ...from.delivery, bytes }, null, error));
  } else {
    rejectUnit(from, { pollster, unit, meters: metersOf(raw) }, { bytes, error });
  }
}

/** The meters that a unit would have had, as far as that can be told. */
function metersOf(raw: JsonValue): GapMeter[] {
  const samples = isJsonObject(raw) ? raw['samples'] : null;
  if (!Array.isArray(samples)) return [];
  return samples.flatMap((sample): GapMeter[] => {
    const { meter, type } = isJsonObject(sample) ? sample : {};
    if (typeof meter !== 'string' || !isStorableName(meter)) return [];
    return [{ name: meter, type: METER_TYPES.find((known) => known === type) ?? 'gauge' }];
  });
}

function isStorableName(name: string): boolean {
  try {
    checkStorableText(name, 'meter', MAX_NAME_LENGTH);
    return name !== '' && !name.includes('\n');
  } catch {
    return false;
  }
}

/** Into the quarantine, and on record as a gap that its retry will close. */
function rejectUnit(
  from: From,
  unit: Pick<PolledUnit, 'pollster' | 'unit'> & { meters: readonly GapMeter[] },
  { bytes, error }: { bytes: Uint8Array; error: unknown },
): void {
  const origin = pollOrigin(from.head, unit);
  const rejected = reject({ ...from.delivery, bytes }, {
    eventType: `poll.${unit.pollster}`,
    messageId: origin,
  }, error);
  from.poll.rejects.push(rejected);
  note(from, {
    pollster: unit.pollster,
    unit: unit.unit,
    units: 1,
    meters: [...unit.meters, ...from.within.of(unit).flatMap(({ meters }) => meters)],
    partial: false,
    reason: reasonOf(rejected.reason),
    detail: detailOf(rejected),
  });
}

function note(from: From, gap: PollGap): void {
  from.poll.note?.gaps.push(keyed(from, gap));
}

function keyed({ head, context }: From, gap: PollGap): PreparedGap {
  return { ...gap, key: originKey(context.source, gapOrigin(head, gap)) };
}

/** The gap of a unit that could be understood and not be kept: its retry will close it. */
export function gapOfRejected(
  { key, poll }: { key: string; poll: PreparedPoll },
  rejected: PreparedReject,
): PreparedPollNote {
  const gap: PreparedGap = {
    key,
    pollster: poll.pollster,
    unit: poll.unit,
    units: 1,
    meters: [...poll.meters, ...poll.missing.flatMap(({ meters }) => meters)],
    partial: false,
    reason: reasonOf(rejected.reason),
    detail: detailOf(rejected),
  };
  return { head: poll.head, gaps: [gap], end: null };
}

function detailOf({ detail }: PreparedReject): string {
  return `In quarantine: ${detail}`.slice(0, DETAIL_LENGTH);
}

function reasonOf(quarantineReason: string): GapReason {
  return quarantineReason.startsWith('timestamp_') ? 'timestamp_invalid' : 'value_invalid';
}

function decodeUtf8(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
}
