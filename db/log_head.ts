import type { TreeState } from '../ledger/tree.ts';

/** The head that a writer holds: its right to write, and the tree that it extends. */
export interface LogHead {
  logId: number;
  origin: string;
  epoch: bigint;
  tree: TreeState;
  originsCount: number;
  /** Canonical UTC timestamp of the last batch, null before the first. */
  recordedAt: string | null;
}
