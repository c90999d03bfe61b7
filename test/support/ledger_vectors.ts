import { canonicalJson } from '../../ledger/canonical_json.ts';
import { encodeEntry, type LogEntry } from '../../ledger/entry.ts';
import type { SampleEntry } from '../../ledger/sample_entry.ts';
import {
  contentDigest,
  contentWord,
  definitionDigests,
  definitionsDigest,
  metadataDigest,
  type Origin,
  originKey,
  originOf,
  sampleId,
  seriesKey,
} from '../../ledger/identity.ts';
import { missingKeyEntries } from '../../ledger/key_entry.ts';
import { makeReceipt } from '../../ledger/prove.ts';
import { formatReceipt } from '../../ledger/receipt.ts';
import type { Signer } from '../../ledger/signer.ts';
import { appendLeaves, EMPTY_TREE, encodeFrontier, rootOf } from '../../ledger/tree.ts';
import { leafHash } from '../../ledger/merkle.ts';
import { MemoryLog, TEST_ORIGIN } from './memory_log.ts';
import { testSigner } from './test_signer.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const SOURCE = 'openstack';
const MESSAGE_ID = '0a2ba2b5-7d2b-4a3e-8d4d-6f1f4d3d2c1b';
const RECORDED_AT = '2026-01-31T23:59:59.250000Z';
const FILES = [{ name: 'meters.yaml', text: 'metric: []\n' }];
const METADATA = {
  display_name: 'späti ☃',
  flavor: { vcpus: 2, ram: 4096, disk: 20.5 },
  host: null,
};

const NOTIFICATION: Origin = {
  messageId: MESSAGE_ID,
  cloudEvent: null,
  eventType: 'compute.instance.exists',
  publisherId: 'compute.host1',
  timestamp: '2026-01-31 23:59:59.123456',
  payload: { instance_id: 'b7f2', memory_mb: 4096 },
};

/**
 * Everything that a format fixes, computed from fixed inputs. `test/golden/ledger.json` holds what it
 * must give for ever: a difference is a break of every log and receipt that exists.
 */
export async function ledgerVectors(
  signers: readonly Signer[] = [testSigner(1), testSigner(0)],
) {
  const entries = await logEntries();
  const texts = entries.map(encodeEntry);
  const log = await MemoryLog.of(texts, signers);
  const { state } = appendLeaves(EMPTY_TREE, texts.map(leafHash));
  const checkpoint = await log.readCheckpoint();
  const metadata = canonicalJson(METADATA);
  const source = { entry: texts[3] ?? '', metadata, index: 3, checkpoint };
  const receipt = await makeReceipt(
    source,
    (level, index, width) => log.readTile(level, index, width),
  );
  return {
    identity: identities(),
    metadata: { canonical: metadata, digest: metadataDigest(metadata) },
    definitions: {
      files: FILES,
      digests: canonicalJson(
        definitionDigests(FILES).map(({ name, sha256 }) => ({ name, sha256 })),
      ),
      digest: definitionsDigest(FILES),
    },
    entries: texts.map((entry) => ({ entry, leaf: hex(leafHash(entry)) })),
    tree: {
      origin: TEST_ORIGIN,
      size: state.size,
      root: hex(rootOf(state)),
      frontier: hex(encodeFrontier(state)),
    },
    bundle: hex(await log.readEntries(0, texts.length)),
    keys: [testSigner(0).vkey, testSigner(1).vkey],
    checkpoint,
    receipt: formatReceipt(receipt),
  };
}

function identities() {
  const anonymous = { ...NOTIFICATION, messageId: null };
  const event = { ...anonymous, cloudEvent: { id: 'A234-1234', source: '/openstack/nova' } };
  const digest = contentDigest(NOTIFICATION);
  const origin = { source: SOURCE, origin: MESSAGE_ID, meter: 'memory', resource_id: 'b7f2' };
  const series = { meter: 'memory', type: 'gauge', unit: 'MiB', resource_id: 'b7f2' };
  return {
    notification: NOTIFICATION,
    origin: originOf(NOTIFICATION),
    origin_in_cloud_event: originOf(event),
    origin_without_message_id: originOf(anonymous),
    origin_key: originKey(SOURCE, MESSAGE_ID),
    content_digest: digest,
    content_word: contentWord(digest).toString(),
    sample_id: sampleId({ ...origin, index: 0 }),
    sample_id_second: sampleId({ ...origin, index: 1 }),
    series_key: seriesKey(0, { ...series, source: SOURCE, project_id: 'p1', user_id: null }),
  };
}

async function logEntries(): Promise<LogEntry[]> {
  const first = await missingKeyEntries([], [testSigner(0)], { now: RECORDED_AT });
  const later = await missingKeyEntries(first, [testSigner(1), testSigner(0)], {
    now: '2026-02-01T00:00:00.000000Z',
  });
  const definitions: LogEntry = {
    kind: 'definitions',
    v: 1,
    digest: definitionsDigest(FILES),
    files: definitionDigests(FILES),
    recorded_at: RECORDED_AT,
  };
  return [
    ...first,
    definitions,
    sample('memory', '4096'),
    sample('disk.root.size', '20.5'),
    ...later,
  ];
}

function sample(meter: string, volume: string): SampleEntry {
  const origin = { source: SOURCE, origin: MESSAGE_ID, meter, resource_id: 'b7f2', index: 0 };
  return {
    ...origin,
    kind: 'sample',
    v: 1,
    definitions: definitionsDigest(FILES),
    id: sampleId(origin),
    metadata: metadataDigest(canonicalJson(METADATA)),
    project_id: 'p1',
    user_id: null,
    recorded_at: RECORDED_AT,
    timestamp: '2026-01-31T23:59:59.123456Z',
    type: 'gauge',
    unit: meter === 'memory' ? 'MiB' : 'GiB',
    volume,
  };
}
