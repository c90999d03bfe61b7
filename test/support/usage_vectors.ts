import { encodeEntry, type LogEntry } from '../../ledger/entry.ts';
import { definitionDigests, definitionsDigest, seriesKey } from '../../ledger/identity.ts';
import { missingKeyEntries } from '../../ledger/key_entry.ts';
import type { LineRecords } from '../../ledger/line_windows.ts';
import { leafHash } from '../../ledger/merkle.ts';
import { makeReceipt } from '../../ledger/prove.ts';
import { proveWindow, windowsRoot } from '../../ledger/prove_window.ts';
import { formatReceipt } from '../../ledger/receipt.ts';
import type { RevisionEntry } from '../../ledger/revision_entry.ts';
import { gapKey, type SealEntry } from '../../ledger/seal_entry.ts';
import type { Signer } from '../../ledger/signer.ts';
import { formatStatementBundle } from '../../ledger/statement_bundle.ts';
import { checkStatement } from '../../ledger/statement_check.ts';
import {
  encodeStatement,
  signatureText,
  signStatement,
  statementDigest,
  type StatementDocument,
  type StatementLine,
} from '../../ledger/statement_document.ts';
import type { StatementEntry } from '../../ledger/statement_entry.ts';
import { compareLines, differencesFrom, totalsOf } from '../../ledger/statement_lines.ts';
import { digestOfUsageRules } from '../../ledger/usage_rules_entry.ts';
import { formatWindowBundle } from '../../ledger/window_bundle.ts';
import { encodeWindow, type WindowRecord } from '../../ledger/window_record.ts';
import { MemoryLog, TEST_ORIGIN } from './memory_log.ts';
import { testSigner } from './test_signer.ts';

/**
 * An hour of four series, sealed; a statement over it; a late sample that revises one window and makes
 * another; the amendment. Everything that a format fixes, computed from fixed inputs:
 * `test/golden/usage.json` holds what it must give for ever.
 */

const START = '2026-01-31T23:00:00.000000Z';
const END = '2026-02-01T00:00:00.000000Z';
const HALF_PAST = '2026-01-31T23:30:00.000000Z';
const PERIOD_START = '2026-01-01T00:00:00.000000Z';
const RECORDED = '2026-02-01T00:20:00.000000Z';
const FILES = [{ name: 'meters.yaml', text: 'metric: []\n' }];
const RULES = { v: 1, staleness_seconds: 3_600, rules: [] };
const RUN = { workflow_id: 'seal-0-2026-01-31T23', run_id: '01945a3c-0000-7000-8000-000000000001' };
const LOG_ID = 0;

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** A window without samples; the vectors change what differs. */
export const EMPTY_WINDOW: WindowRecord = {
  kind: 'window',
  v: 1,
  meter: 'memory',
  type: 'gauge',
  unit: 'GiB',
  project_id: 'p1',
  user_id: null,
  resource_id: 'b7f2',
  source: 'openstack',
  start: START,
  end: END,
  revision: 0,
  count: 0,
  sum: '0',
  sum_squares: '0',
  min: null,
  max: null,
  first: null,
  last: null,
  carry: null,
  increase: '0',
  resets: 0,
  steps_back: 0,
  integral: '0',
  covered: '0',
  expired: false,
  ended: false,
};

/** Figures of one reading. */
function oneReading(volume: string, square: string, at = HALF_PAST): Partial<WindowRecord> {
  const reading = { at, volume };
  return {
    count: 1,
    sum: volume,
    sum_squares: square,
    min: volume,
    max: volume,
    first: reading,
    last: reading,
  };
}

const DOWNLOADED: WindowRecord = {
  ...EMPTY_WINDOW,
  ...oneReading('1024', '1048576'),
  meter: 'image.download',
  type: 'delta',
  unit: 'B',
  resource_id: 'späti ☃',
};

/** The windows of the hour as they were sealed. */
const SEALED: WindowRecord[] = [
  {
    ...EMPTY_WINDOW,
    ...oneReading('4', '16'),
    carry: { at: '2026-01-31T22:30:00.000000Z', volume: '4', ended: false },
    integral: '14400',
    covered: '3600',
  },
  {
    ...EMPTY_WINDOW,
    ...oneReading('1', '1', '2026-01-31T23:39:59.999999Z'),
    project_id: 'p2',
    user_id: 'u2',
    resource_id: 'c9d3',
    integral: '1200.000001',
    covered: '1200.000001',
  },
  {
    ...EMPTY_WINDOW,
    ...oneReading('9007199254740993', '81129638414606699710187514626049'),
    meter: 'network.incoming.bytes',
    type: 'cumulative',
    unit: 'B',
    resource_id: 'b7f2-tap0',
    carry: { at: '2026-01-31T22:30:00.000000Z', volume: '9007199254740000', ended: false },
    increase: '993',
  },
  DOWNLOADED,
].sort((a, b) => keyOf(a as WindowRecord) < keyOf(b as WindowRecord) ? -1 : 1) as WindowRecord[];

/** Those that a late notification changed and made. */
const REVISED: WindowRecord[] = [
  {
    ...DOWNLOADED,
    revision: 1,
    count: 2,
    sum: '1536',
    sum_squares: '1310720',
    min: '512',
    last: { at: '2026-01-31T23:45:00.000000Z', volume: '512' },
  },
  { ...DOWNLOADED, ...oneReading('0.5', '0.25'), meter: 'image.serve', revision: 1 },
].sort((a, b) => keyOf(a) < keyOf(b) ? -1 : 1);

function keyOf(window: WindowRecord): string {
  return seriesKey(LOG_ID, window);
}

function sealEntry(): SealEntry {
  return {
    kind: 'seal',
    v: 1,
    start: START,
    end: END,
    rows: SEALED.length,
    root: hex(windowsRoot(SEALED.map((window) => leafHash(encodeWindow(window))))),
    covers_to: 3,
    previous: null,
    rules: digestOfUsageRules(RULES),
    definitions: [definitionsDigest(FILES)],
    coverage: {
      digest: hex(leafHash('coverage')),
      expected: 4,
      received: 3,
      missing: 1,
      open_gaps: 1,
      gap_keys: [gapKey(START, 'p2')],
    },
    code: '0.1.0',
    ...RUN,
    recorded_at: RECORDED,
  };
}

function revisionEntry(): RevisionEntry {
  const sealed = new Map(SEALED.map((window) => [keyOf(window), window]));
  return {
    kind: 'revision',
    v: 1,
    project_id: 'p1',
    covers_from: 3,
    covers_to: 5,
    cause: { reason: 'late_samples', samples: 2, first_leaf: 3, last_leaf: 4 },
    changes: REVISED.map((window) => {
      const before = sealed.get(keyOf(window));
      return {
        series: keyOf(window),
        start: window.start,
        revision: window.revision,
        before: before === undefined ? null : hex(leafHash(encodeWindow(before))),
        after: hex(leafHash(encodeWindow(window))),
        quantity_before: before?.sum ?? null,
        quantity_after: window.sum,
        unit: window.unit,
      };
    }),
    rules: digestOfUsageRules(RULES),
    code: '0.1.0',
    ...RUN,
    recorded_at: RECORDED,
  };
}

/** A line that sums one window. */
function lineOf(window: WindowRecord): StatementLine {
  const isGauge = window.type === 'gauge';
  return {
    meter: window.meter,
    type: window.type,
    unit: window.unit,
    resource_id: window.resource_id,
    group: null,
    usage_unit: isGauge ? `${window.unit}·h` : window.unit,
    quantity: isGauge ? '4' : window.type === 'delta' ? window.sum : window.increase,
    unit_seconds: isGauge ? window.integral : null,
    samples: window.count,
    covered: isGauge ? window.covered : null,
    windows: {
      count: 1,
      root: hex(windowsRoot([leafHash(encodeWindow(window))])),
      first: window.start,
      last: window.end,
    },
    flags: [],
    difference: null,
  };
}

/** The windows of project p1, in the order of the lines. */
function windowsOfProject(windows: readonly WindowRecord[]): WindowRecord[] {
  return windows.filter(({ project_id }) => project_id === 'p1')
    .sort((a, b) => compareLines(lineOf(a), lineOf(b)));
}

function statementDocument(): StatementDocument {
  const lines = windowsOfProject(SEALED).map(lineOf);
  return {
    kind: 'statement',
    v: 1,
    project_id: 'p1',
    period: '2026-01',
    number: 0,
    amends: null,
    start: PERIOD_START,
    end: END,
    zone: 'Etc/UTC',
    closed_at: '2026-02-02T00:00:00.000000Z',
    covers: [{ origin: TEST_ORIGIN, size: 4 }],
    lines,
    totals: totalsOf(lines),
    gaps: [{
      meter: 'memory',
      resource_id: 'b7f2',
      from: PERIOD_START,
      to: '2026-01-31T22:30:00.000000Z',
      reason: 'timeout',
    }],
  };
}

function amendmentOf(former: StatementDocument): StatementDocument {
  const replaced = new Set(REVISED.map(keyOf));
  const windows = [...SEALED.filter((window) => !replaced.has(keyOf(window))), ...REVISED];
  const differenceOf = differencesFrom(former);
  const lines = windowsOfProject(windows).map(lineOf)
    .map((line) => ({ ...line, difference: differenceOf(line) }));
  return {
    ...former,
    number: 1,
    amends: { number: 0, digest: statementDigest(encodeStatement(former)) },
    closed_at: '2026-02-03T00:00:00.000000Z',
    covers: [{ origin: TEST_ORIGIN, size: 6 }],
    lines,
    totals: totalsOf(lines),
  };
}

export function statementEntry(text: string, document: StatementDocument): StatementEntry {
  const { project_id, period, number, start, end, covers, lines, closed_at } = document;
  return {
    kind: 'statement',
    v: 1,
    project_id,
    period,
    number,
    start,
    end,
    digest: statementDigest(text),
    lines: lines.length,
    covers,
    workflow_id: `billing-${project_id}-${period}`,
    run_id: RUN.run_id,
    recorded_at: closed_at,
  };
}

async function logEntries(documents: readonly StatementDocument[]): Promise<LogEntry[]> {
  const [first, second] = documents.map((document) =>
    statementEntry(encodeStatement(document), document)
  );
  const keys = await missingKeyEntries([], [testSigner()], { now: PERIOD_START });
  const digest = definitionsDigest(FILES);
  const files = definitionDigests(FILES);
  const entries: (LogEntry | undefined)[] = [
    ...keys,
    { kind: 'definitions', v: 1, digest, files, recorded_at: PERIOD_START },
    {
      kind: 'usage_rules',
      v: 1,
      digest: digestOfUsageRules(RULES),
      rules: RULES,
      recorded_at: PERIOD_START,
    },
    sealEntry(),
    first,
    revisionEntry(),
    second,
    {
      kind: 'history',
      v: 1,
      ...RUN,
      workflow_type: 'sealWindows',
      events: 11,
      digest: hex(leafHash('history')),
      recorded_at: '2026-02-03T00:00:00.000000Z',
    },
    {
      kind: 'archive',
      v: 1,
      name: 'samples_2026_01',
      samples: 2,
      bytes: 57,
      digest: hex(leafHash('archive')),
      recorded_at: '2026-02-03T00:00:00.000000Z',
    },
  ];
  return entries.filter((entry) => entry !== undefined);
}

/** The receipt of an entry of a log. */
export async function receiptFrom(log: MemoryLog, index: number): Promise<string> {
  const source = {
    entry: log.entries[index] ?? '',
    metadata: null,
    index,
    checkpoint: await log.readCheckpoint(),
  };
  const read = (level: number, tile: number, width: number) => log.readTile(level, tile, width);
  return formatReceipt(await makeReceipt(source, read));
}

export interface UsageVectors {
  windows: { record: string; leaf: string; series: string }[];
  revised: { record: string; leaf: string; series: string }[];
  seal_root: string;
  rules: { canonical: string; digest: string };
  entries: { kind: string; entry: string; leaf: string }[];
  checkpoint: string;
  statements: { document: string; digest: string; signed_text: string; signature: string }[];
  sealed_bundle: string;
  revised_bundle: string;
  statement_bundle: string;
  amendment_bundle: string;
  vkey: string;
}

export async function usageVectors(
  signers: readonly Signer[] = [testSigner()],
): Promise<UsageVectors> {
  const statement = statementDocument();
  const amendment = amendmentOf(statement);
  checkStatement(statement);
  checkStatement(amendment, statement);
  const entries = await logEntries([statement, amendment]);
  const log = await MemoryLog.of(entries.map(encodeEntry), signers);
  const receiptOf = (kind: string, nth = 0) =>
    receiptFrom(
      log,
      entries.findIndex((entry) =>
        entry.kind === kind && (entry.kind !== 'statement' || entry.number === nth)
      ),
    );
  const statements = await Promise.all([statement, amendment].map(async (document) => {
    const text = encodeStatement(document);
    const digest = statementDigest(text);
    return {
      document: text,
      digest,
      signed_text: signatureText(document, digest),
      signature: await signStatement(text, signers),
    };
  }));
  const bundleOf = async (number: number) => {
    const { document = '', signature = '' } = statements[number] ?? {};
    return formatStatementBundle({
      document,
      signature,
      receipt: await receiptOf('statement', number),
    });
  };
  const described = (windows: readonly WindowRecord[]) =>
    windows.map((window) => {
      const record = encodeWindow(window);
      return { record, leaf: hex(leafHash(record)), series: keyOf(window) };
    });
  const sealed = described(SEALED);
  const revised = described(REVISED);
  const leaves = sealed.map(({ record }) => leafHash(record));
  return {
    windows: sealed,
    revised,
    seal_root: hex(windowsRoot(leaves)),
    rules: { canonical: JSON.stringify(RULES), digest: digestOfUsageRules(RULES) },
    entries: entries.map((entry) => {
      const text = encodeEntry(entry);
      return { kind: entry.kind, entry: text, leaf: hex(leafHash(text)) };
    }),
    checkpoint: await log.readCheckpoint(),
    statements,
    sealed_bundle: formatWindowBundle({
      window: sealed[2]?.record ?? '',
      place: 2,
      proof: await proveWindow(leaves, 2),
      receipt: await receiptOf('seal'),
    }),
    revised_bundle: formatWindowBundle({
      window: revised[1]?.record ?? '',
      place: 1,
      proof: null,
      receipt: await receiptOf('revision'),
    }),
    statement_bundle: await bundleOf(0),
    amendment_bundle: await bundleOf(1),
    vkey: testSigner().vkey,
  };
}

/** The windows of the statement, line by line. */
export function windowsOfLines(vectors: UsageVectors): LineRecords[] {
  const { lines } = JSON.parse(vectors.statements[0]?.document ?? '') as StatementDocument;
  const roots = new Map(
    vectors.windows.map(({ record }) => [hex(windowsRoot([leafHash(record)])), record]),
  );
  return lines.map(({ windows }, line) => ({ line, records: [roots.get(windows.root) ?? ''] }));
}
