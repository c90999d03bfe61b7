/** The format of poll messages and the names in it: whoever changes one has to ask for it. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { originKey, sampleId } from '../../ledger/identity.ts';
import {
  encodePollMessage,
  gapOrigin,
  type PollGap,
  type PollHead,
  pollKey,
  type PollMessage,
  pollOrigin,
} from '../../meters/poll_message.ts';
import { readPollMessage } from '../../meters/poll_message_reader.ts';

const GOLDEN = join(import.meta.dirname, '../golden/poll_message.json');
const DOCUMENT = join(import.meta.dirname, '../../docs/formats.md');

const HEAD: PollHead = {
  cloud: 'openstack',
  source: 'compute',
  group: 1,
  cycle: '2026-01-31T23:59:14.000000Z',
};
const SERVER = { name: 'web', 'flavor': { name: 'm1.small' } };
const shared = {
  project_id: 'p1',
  user_id: null,
  timestamp: '2026-01-31T23:59:15.250000Z',
  metadata: SERVER,
};
const GAP: PollGap = {
  pollster: 'nova.diagnostics',
  unit: 'b7f2',
  units: 1,
  meters: [{ name: 'memory.usage', type: 'gauge' }],
  partial: true,
  reason: 'value_invalid',
  detail: 'It is null',
};
const MESSAGE: PollMessage = {
  head: HEAD,
  units: [{
    pollster: 'nova.diagnostics',
    unit: 'b7f2',
    readings: [
      {
        ...shared,
        meter: 'cpu',
        type: 'cumulative',
        unit: 'ns',
        volume: '9007199254740993',
        resource_id: 'b7f2',
      },
      {
        ...shared,
        meter: 'disk.device.read.bytes',
        type: 'cumulative',
        unit: 'B',
        volume: '1024',
        resource_id: 'b7f2-vda',
        metadata: { disk_name: 'vda' },
      },
    ],
  }],
  gaps: [
    GAP,
    { ...GAP, unit: 'c9d3', partial: false, reason: 'timeout', detail: 'No answer in 30 s' },
    { ...GAP, unit: null, units: 40, partial: false, reason: 'server_error', detail: 'Status 503' },
    {
      ...GAP,
      unit: null,
      units: 50,
      partial: false,
      reason: 'below_expectation',
      detail: 'Got 40',
    },
  ],
  end: {
    started_at: '2026-01-31T23:59:14.100000Z',
    ended_at: '2026-01-31T23:59:44.900000Z',
    pollsters: [{
      name: 'nova.diagnostics',
      discovered: 40,
      listed: false,
      meters: [{ name: 'cpu', type: 'cumulative' }],
    }],
    requests: 42,
    remark_counts: { clock_skew: 1 },
    remarks: [{ code: 'clock_skew', unit: 'b7f2', detail: 'Its clock is 301 s ahead' }],
  },
};

const origins = MESSAGE.units.map((unit) => pollOrigin(HEAD, unit));
const vectors = {
  message: new TextDecoder().decode(encodePollMessage(MESSAGE)),
  key: pollKey(HEAD),
  origin: origins[0] ?? '',
  origin_key: originKey('openstack', origins[0] ?? ''),
  sample_id: sampleId({
    source: 'openstack',
    origin: origins[0] ?? '',
    meter: 'cpu',
    resource_id: 'b7f2',
    index: 0,
  }),
  gaps: MESSAGE.gaps.map((gap) => gapOrigin(HEAD, gap)),
};
if (process.env['NEPHO_WRITE_GOLDEN'] === '1') {
  writeFileSync(GOLDEN, `${JSON.stringify(vectors, null, 2)}\n`);
}
const golden = JSON.parse(readFileSync(GOLDEN, 'utf8')) as typeof vectors;

test('the message, the origins and the names of gaps are what they always were', () => {
  assert.deepEqual(vectors, golden);
});

test('the golden message is read as it was meant', () => {
  const { faulty, ...read } = readPollMessage(golden.message);
  assert.deepEqual(faulty, []);
  assert.deepEqual(read, MESSAGE);
});

test('docs/formats.md quotes the golden message and its names', () => {
  const document = readFileSync(DOCUMENT, 'utf8');
  const { gaps, ...others } = golden;
  for (const text of [...Object.values(others), ...gaps]) {
    assert.ok(document.includes(text), `docs/formats.md does not quote ${text}`);
  }
});
