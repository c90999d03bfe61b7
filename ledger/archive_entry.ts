import type { StrictRecord } from './strict_record.ts';

/** Samples of a month were moved out of the database; the log says of which file they are to be had. */
export interface ArchiveEntry {
  kind: 'archive';
  v: 1;
  /** The partition that it was: `samples_2026_10`. */
  name: string;
  samples: number;
  /** Length of the file. */
  bytes: number;
  /** SHA-256 of the file, 64 hexadecimal digits. */
  digest: string;
  recorded_at: string;
}

export function readArchiveEntry(record: StrictRecord): ArchiveEntry {
  return {
    kind: 'archive',
    v: 1,
    name: record.text('name'),
    samples: record.count('samples'),
    bytes: record.count('bytes'),
    digest: record.hex('digest', 64),
    recorded_at: record.time('recorded_at'),
  };
}
