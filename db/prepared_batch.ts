/**
 * What the ingest hands to the store: everything that can be computed before the log's lock is taken.
 */

import type { GapMeter, PollEnd, PollGap, PollHead } from '../meters/poll_message.ts';

/** A sample that knows its identity and its leaf, but not yet its place in the log. */
export interface PreparedSample {
  /** 32 lower-case hexadecimal digits. */
  id: string;
  seriesId: number;
  metadataId: number;
  /** Ordinal among the samples of the same meter and resource in its notification. */
  ordinal: number;
  /** Canonical UTC timestamp. */
  timestamp: string;
  /** Canonical decimal. */
  volume: string;
  /** RFC 6962 leaf hash of its entry. */
  leaf: Uint8Array;
}

/** `origins.outcome`: what a notification came to. */
export const ORIGIN_OUTCOMES = { samples: 1, unmatched: 2, without_volume: 3 } as const;

/** Of a polled unit: the cycle that it was read in. */
export interface PreparedPoll {
  head: PollHead;
  pollster: string;
  unit: string;
  /** The meters of its samples, in their order. */
  meters: readonly GapMeter[];
  /** What of it could not be read: missing if these are the samples that are stored. */
  missing: readonly PreparedGap[];
}

/** A notification that was understood, or a unit that was polled. */
export interface PreparedOrigin {
  /** 32 hexadecimal digits: the first 16 bytes of SHA-256 over source and origin. */
  key: string;
  source: string;
  origin: string;
  eventTypeId: number;
  /** 8 bytes of the content digest as a signed 64-bit integer in decimal. */
  content: string;
  withoutVolume: number;
  matched: boolean;
  samples: PreparedSample[];
  /** The bytes as received, for the quarantine should the content be in conflict with a former one. */
  readonly bytes: Uint8Array;
  eventType: string;
  via: string | null;
  streamSequence: number | null;
  /** Null for a notification. */
  poll: PreparedPoll | null;
}

/** A message that was not understood, kept as it came. */
export interface PreparedReject {
  bytes: Uint8Array;
  reason: string;
  /** Where in the message: a path, an offset, or the meter whose definition failed. */
  place: string | null;
  detail: string;
  eventType: string | null;
  origin: string | null;
  via: string | null;
  streamSequence: number | null;
}

/** A gap with the key of the origin that closes it: 32 hexadecimal digits. */
export interface PreparedGap extends PollGap {
  key: string;
}

/** What a poll message says beside its readings. */
export interface PreparedPollNote {
  head: PollHead;
  gaps: PreparedGap[];
  end: PollEnd | null;
}

export interface PreparedBatch {
  /** Canonical UTC timestamp: when this batch entered the log. */
  recordedAt: string;
  definitionSetId: number;
  origins: PreparedOrigin[];
  rejects: PreparedReject[];
  polls: PreparedPollNote[];
}

/** What became of a batch. Notifications and units = origins stored + duplicates + conflicts + quarantined. */
export interface AppendOutcome {
  samples: number;
  origins: number;
  duplicates: number;
  conflicts: number;
  unmatched: number;
  withoutVolume: number;
  quarantined: number;
  /** First leaf index of the batch's samples; equal to `size` if it has none. */
  firstLeaf: number;
  size: number;
}
