import type { PreparedPollNote, PreparedReject } from '../db/prepared_batch.ts';
import { encodeUtf8 } from '../ledger/bytes.ts';
import { canonicalJson } from '../ledger/canonical_json.ts';
import { originKey } from '../ledger/identity.ts';
import type { GapReason } from '../meters/poll_gap.ts';
import {
  encodePollMessage,
  gapOrigin,
  POLL_FORMAT,
  type PolledUnit,
  type PollGap,
  type PollHead,
  pollOrigin,
} from '../meters/poll_message.ts';
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
    const from = { delivery, head, context, poll };
    for (const unit of units) takeUnit(from, unit);
    for (const one of faulty) setAside(from, one);
    for (const gap of gaps) note(from, gap);
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
}

function takeUnit(from: From, unit: PolledUnit): void {
  const { delivery, head, context } = from;
  try {
    for (const reading of unit.readings) checkSpan(reading, context.span);
  } catch (error) {
    const alone = encodePollMessage({ head, units: [unit], gaps: [], end: null });
    rejectUnit(from, unit, { bytes: alone, error });
    return;
  }
  const origin = pollOrigin(head, unit);
  from.poll.units.push({
    delivery: {
      ...delivery,
      get bytes() {
        return encodePollMessage({ head, units: [unit], gaps: [], end: null });
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
      meters: unit.readings.map(({ meter }) => meter),
    },
  });
}

function setAside(from: From, { pollster, unit, error, raw }: FaultyUnit): void {
  const body = canonicalJson({ ...from.head, units: [raw], gaps: [], end: null });
  const bytes = encodeUtf8(`{"nepho_poll":${POLL_FORMAT},${body.slice(1)}`);
  if (pollster === null || unit === null) {
    from.poll.rejects.push(reject({ ...from.delivery, bytes }, null, error));
  } else {
    rejectUnit(from, { pollster, unit, readings: [] }, { bytes, error });
  }
}

/** Into the quarantine, and on record as a gap that its retry will close. */
function rejectUnit(
  from: From,
  unit: PolledUnit,
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
    meters: unit.readings.map(({ meter, type }) => ({ name: meter, type })),
    partial: false,
    reason: reasonOf(rejected.reason),
    detail: `In quarantine: ${rejected.detail}`.slice(0, DETAIL_LENGTH),
  });
}

function note({ head, context, poll }: From, gap: PollGap): void {
  poll.note?.gaps.push({ ...gap, key: originKey(context.source, gapOrigin(head, gap)) });
}

function reasonOf(quarantineReason: string): GapReason {
  return quarantineReason.startsWith('timestamp_') ? 'timestamp_invalid' : 'value_invalid';
}

function decodeUtf8(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
}
