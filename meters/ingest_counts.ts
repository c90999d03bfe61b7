/** What ingest did with messages: of a leg, or of an actor's whole life. */
export interface IngestCounts {
  batches: number;
  /** Messages settled: stored, known already, or in the quarantine. */
  messages: number;
  samples: number;
  duplicates: number;
  unmatched: number;
  without_volume: number;
  quarantined: number;
  /** Messages of a known id with other content: part of `quarantined` the first time. */
  conflicts: number;
}

export const NO_INGEST: Readonly<IngestCounts> = {
  batches: 0,
  messages: 0,
  samples: 0,
  duplicates: 0,
  unmatched: 0,
  without_volume: 0,
  quarantined: 0,
  conflicts: 0,
};

export function addIngest(left: IngestCounts, right: IngestCounts): IngestCounts {
  return {
    batches: left.batches + right.batches,
    messages: left.messages + right.messages,
    samples: left.samples + right.samples,
    duplicates: left.duplicates + right.duplicates,
    unmatched: left.unmatched + right.unmatched,
    without_volume: left.without_volume + right.without_volume,
    quarantined: left.quarantined + right.quarantined,
    conflicts: left.conflicts + right.conflicts,
  };
}
