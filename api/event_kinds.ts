import {
  readRevisionEvents,
  readSealEvents,
  readStatementEvents,
  type RevisionEvent,
  type SealEvent,
  type StatementEvent,
} from '../db/log_events.ts';
import {
  type FinalStatement,
  type RevisedUsage,
  type SealedHour,
  wireFinalStatement,
  wireRevisedUsage,
  wireSealedHour,
} from './event_schema.ts';
import type { EventKind } from './event_stream.ts';

/** What can be followed: where it is read, and how it is told. */
export const SEALED_HOURS: EventKind<SealEvent, SealedHour> = {
  procedure: 'windows.onSealed',
  read: readSealEvents,
  wire: wireSealedHour,
};

export const REVISED_USAGE: EventKind<RevisionEvent, RevisedUsage> = {
  procedure: 'usage.onRevised',
  read: readRevisionEvents,
  wire: wireRevisedUsage,
};

export const FINAL_STATEMENTS: EventKind<StatementEvent, FinalStatement> = {
  procedure: 'statements.onFinal',
  read: readStatementEvents,
  wire: wireFinalStatement,
};
