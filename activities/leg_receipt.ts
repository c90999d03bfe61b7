import type { IngestCounts } from '../meters/ingest_counts.ts';

/** What a leg did: all that Temporal's history keeps of it. */
export interface LegReceipt extends IngestCounts {
  shard: number;
  /** The writer's epoch, in decimal. */
  epoch: string;
  /** First leaf of this leg and size of the log after it: its leaves are `[first_leaf, size)`. */
  first_leaf: number;
  size: number;
  /** Root at `size`, 64 hexadecimal digits. */
  root: string;
  /** The definition set in force at the end, 64 hexadecimal digits. */
  definitions: string;
  /** Why newer definitions are not in force, null if the newest are. */
  definitions_fault: string | null;
  /** Messages that wait in the intake at the end. */
  pending: number;
  drained: boolean;
  started_at: string;
  ended_at: string;
}
