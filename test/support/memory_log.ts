import { formatCheckpoint } from '../../ledger/checkpoint.ts';
import { encodeEntry } from '../../ledger/entry.ts';
import { encodeSampleEntry, type SampleFields } from '../../ledger/sample_entry.ts';
import { definitionDigests, definitionsDigest, sampleId } from '../../ledger/identity.ts';
import type { Signer } from '../../ledger/signer.ts';
import { encodeBundle, TILE_WIDTH } from '../../ledger/tile.ts';
import type { TiledLog } from '../../ledger/tiled_log.ts';
import { NephoError } from '../../meters/errors.ts';
import { formatMillis } from '../../meters/timestamp.ts';
import { naiveLeaf, naiveRoot } from './naive_merkle.ts';
import { testSigner } from './test_signer.ts';

export const TEST_ORIGIN = 'nepho.example/log/0';

const FILES = [{ name: 'meters.yaml', text: 'metric: []\n' }];
const START_MS = Date.UTC(2026, 0, 31);

/** A log in memory, its tiles computed by the naive model: what `ledger/` must agree with. */
export class MemoryLog implements TiledLog {
  readonly entries: readonly string[];
  readonly leaves: readonly Uint8Array[];
  readonly #levels: Uint8Array[][];
  readonly #checkpoint: string;

  private constructor(entries: readonly string[], levels: Uint8Array[][], checkpoint: string) {
    this.entries = entries;
    this.leaves = levels[0] ?? [];
    this.#levels = levels;
    this.#checkpoint = checkpoint;
  }

  static async of(
    entries: readonly string[],
    signers: readonly Signer[] = [testSigner()],
    origin: string = TEST_ORIGIN,
  ): Promise<MemoryLog> {
    const leaves = entries.map(naiveLeaf);
    const levels: Uint8Array[][] = [leaves];
    for (let below: Uint8Array[] = leaves; below.length >= TILE_WIDTH;) {
      const above: Uint8Array[] = [];
      for (let start = 0; start + TILE_WIDTH <= below.length; start += TILE_WIDTH) {
        above.push(naiveRoot(below.slice(start, start + TILE_WIDTH)));
      }
      levels.push(above);
      below = above;
    }
    const head = { origin, size: entries.length, root: naiveRoot(leaves) };
    return new MemoryLog(entries, levels, await formatCheckpoint(head, signers));
  }

  readCheckpoint(): Promise<string> {
    return Promise.resolve(this.#checkpoint);
  }

  // oxlint-disable-next-line require-await -- a reader's failures are rejections
  async readTile(level: number, index: number, width: number): Promise<Uint8Array> {
    return Buffer.concat(part(this.#levels[level] ?? [], index, width));
  }

  // oxlint-disable-next-line require-await -- a reader's failures are rejections
  async readEntries(index: number, width: number): Promise<Uint8Array> {
    return encodeBundle(part(this.entries, index, width));
  }
}

function part<Item>(items: readonly Item[], index: number, width: number): Item[] {
  const found = items.slice(index * TILE_WIDTH, index * TILE_WIDTH + width);
  if (found.length === width) return found;
  throw new NephoError('tile_missing', `Cannot read tile ${index} of width ${width}`);
}

/** A definition set's entry, and as many sample entries after it as asked for, all different. */
export function testEntries(samples: number): string[] {
  const definitions = encodeEntry({
    kind: 'definitions',
    v: 1,
    digest: definitionsDigest(FILES),
    files: definitionDigests(FILES),
    recorded_at: formatMillis(START_MS),
  });
  return [
    definitions,
    ...Array.from({ length: samples }, (_, index) => encodeSampleEntry(testSample(index))),
  ];
}

export function testSample(number: number): SampleFields {
  const origin = {
    source: 'openstack',
    origin: `4d6c3f4e-0000-4000-8000-${number.toString(16).padStart(12, '0')}`,
    meter: number % 2 === 0 ? 'instance' : 'disk.root.size',
    resource_id: `instance-${number % 40}`,
    index: 0,
  };
  return {
    ...origin,
    id: sampleId(origin),
    definitions: definitionsDigest(FILES),
    metadata: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    project_id: `project-${number % 5}`,
    user_id: number % 3 === 0 ? null : 'späti ☃',
    recorded_at: formatMillis(START_MS + number),
    timestamp: formatMillis(START_MS + number - 250),
    type: 'gauge',
    unit: 'instance',
    volume: `${number % 7}.5`,
  };
}
