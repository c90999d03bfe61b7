import type { DefinitionDigest } from './identity.ts';
import type { StrictRecord } from './strict_record.ts';

/** A definition set came into force. */
export interface DefinitionsEntry {
  kind: 'definitions';
  v: 1;
  /** `digestOfDefinitions(files)`. */
  digest: string;
  files: DefinitionDigest[];
  recorded_at: string;
}

export function readDefinitionsEntry(record: StrictRecord): DefinitionsEntry {
  return {
    kind: 'definitions',
    v: 1,
    digest: record.hex('digest', 64),
    files: record.records('files', (file) => ({
      name: file.text('name'),
      sha256: file.hex('sha256', 64),
    })),
    recorded_at: record.time('recorded_at'),
  };
}
