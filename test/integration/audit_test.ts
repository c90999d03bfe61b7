/** The auditor and retention on a real Temporal and PostgreSQL, over hours that a keeper sealed. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { NativeConnection, Worker } from '@temporalio/worker';
import { createRetentionActivities } from '../../activities/archive_partition.ts';
import { AuditReport } from '../../activities/audit_report.ts';
import { type AuditActivityDeps, createAuditActivities } from '../../activities/audit_run.ts';
import { auditHistory } from '../../activities/replay_history.ts';
import { historyFetcher } from '../../cli/fetch_history.ts';
import { historyReplayer } from '../../cli/replay_history.ts';
import { explainFinding, type Finding, listFindings, readAudit } from '../../db/audits.ts';
import { hourOf } from '../../db/window_columns.ts';
import { ArchiveDirectory } from '../../ledger/archive_directory.ts';
import { formatMicros, HOUR_MICROS } from '../../meters/timestamp.ts';
import { TASK_QUEUES } from '../../temporal.config.ts';
import type { AuditReceipt } from '../../workflows/auditor.ts';
import type { RetentionReceipt } from '../../workflows/retention.ts';
import { FaultTemporal } from '../support/fault_temporal.ts';
import { TestKeeper } from '../support/keeper_setup.ts';
import { nepho } from '../support/nepho_command.ts';
import { temporalSkipReason } from '../support/temporal_server.ts';
import { testSigner } from '../support/test_signer.ts';
import { windowSkipReason, WindowWorld, type WorldSample } from '../support/window_world.ts';

const MINUTE = 60_000_000n;
const HOURS = 2;
const DAY_MS = 86_400_000;
/** More than there is, so that all of it is chosen. */
const SIZES = { hours: 50, statements: 10, histories: 5 };

describe('the auditor', { skip: windowSkipReason() || temporalSkipReason() }, () => {
  let world: WindowWorld;
  let temporal: FaultTemporal;
  let keeper: TestKeeper;
  let native: NativeConnection;
  let worker: Worker;
  let running: Promise<void>;
  let folder: string;
  /** How far the auditor's clock is ahead, in milliseconds. */
  let ahead = 0;
  const end = hourOf(BigInt(Date.now()) * 1_000n - 15n * MINUTE);
  const first = end - BigInt(HOURS) * HOUR_MICROS;
  /** As text in UTC, of the hour that tests change. */
  const hour = formatMicros(first);

  before(async () => {
    const present = BigInt(Date.now()) * 1_000n;
    const month = 30n * 24n * HOUR_MICROS;
    const span = { from: formatMicros(present - 3n * month), to: formatMicros(present + month) };
    [world, temporal, folder] = await Promise.all([
      WindowWorld.start(Date.now(), span),
      FaultTemporal.start(),
      mkdtemp(join(tmpdir(), 'nepho-audit-')),
    ]);
    await world.append(
      Array.from({ length: 2 * HOURS }, (_, n) => sampleAt(first + BigInt(n) * 30n * MINUTE)),
    );
    keeper = await TestKeeper.start(temporal, world.deps());
    await keeper.until(({ last_run }) => last_run !== null && last_run.history !== null);
    native = await NativeConnection.connect({ address: temporal.server.address });
    worker = await Worker.create({
      connection: native,
      taskQueue: TASK_QUEUES.control,
      workflowBundle: { codePath: temporal.bundlePath },
      activities: { ...createAuditActivities(deps()), ...createRetentionActivities(deps()) },
    });
    running = worker.run();
  });

  after(async () => {
    worker?.shutdown();
    await running;
    await native?.close();
    await keeper?.stop();
    await temporal?.stop();
    await world?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  function deps(): AuditActivityDeps & { retentionDays: number } {
    return {
      pool: world.pool,
      archives: new ArchiveDirectory(folder),
      signers: [testSigner()],
      vkeys: [testSigner().vkey],
      replay: historyReplayer({ codePath: temporal.bundlePath }),
      fetchHistory: historyFetcher(keeper.client.workflow),
      sizes: SIZES,
      retentionDays: 400,
      nowMs: () => Date.now() + ahead,
      log: { info: () => {}, warn: () => {}, error: () => {} },
    };
  }

  async function execute<Result>(type: string, id: string): Promise<Result> {
    const options = { workflowId: id, taskQueue: TASK_QUEUES.control };
    return await keeper.client.workflow.execute(type, options) as Result;
  }

  async function openFindings(): Promise<Finding[]> {
    return (await listFindings(world.pool, { isOpen: true }, { limit: 100 })).rows;
  }

  test('recomputes hours, proves their entries and replays the runs that sealed them', async () => {
    const receipt = await execute<AuditReceipt>('auditOnce', 'audit-1');
    assert.equal(receipt.hours, HOURS);
    assert.equal(receipt.histories, 1);
    assert.equal(receipt.findings, 0);
    const run = await readAudit(world.pool, receipt.audit_run_id);
    assert.equal(run?.seed, receipt.seed);
    assert.notEqual(run?.endedAt, null);
    const checked = run?.checked ?? {};
    assert.equal(checked['hours'], HOURS);
    assert.ok((checked['histories'] ?? 0) >= HOURS, JSON.stringify(checked));
    assert.deepEqual(await openFindings(), []);
  });

  test('a difference is one finding however often it is met, and open until it is explained', async () => {
    const original = await tamper(world, hour);
    assert.ok((await execute<AuditReceipt>('auditOnce', 'audit-2')).findings > 0);
    const found = await openFindings();
    const finding = found.find(({ check }) => check === 'window_wrong');
    assert.ok(finding?.subject.startsWith('windows: ') && finding.subject.includes(hour));
    ahead += 3_600_000;
    await execute<AuditReceipt>('auditOnce', 'audit-3');
    const again = await openFindings();
    assert.deepEqual(
      again.map(({ findingId }) => findingId),
      found.map(({ findingId }) => findingId),
    );
    assert.ok((again[0]?.lastSeenAt ?? '') > (found[0]?.lastSeenAt ?? ''));
    for (const { findingId } of again) {
      await explainFinding(world.pool, findingId, {
        at: formatMicros(BigInt(Date.now() + ahead) * 1_000n),
        by: 'test',
        note: 'this test',
      });
    }
    await execute<AuditReceipt>('auditOnce', 'audit-4');
    assert.deepEqual(await openFindings(), [], 'what is explained is not opened again');
    await original.restore();
  });

  test('a history that other workflows made does not replay', async () => {
    const { rows } = await world.pool.query<{ run_id: string }>(
      'SELECT run_id FROM workflow_histories',
    );
    assert.equal(rows.length, 1);
    const report = new AuditReport();
    const replay = (history: unknown, id: string): Promise<void> => {
      const text = JSON.stringify(history).replaceAll('reviseLate', 'reviseOtherwise');
      return deps().replay(JSON.parse(text), id);
    };
    await auditHistory({ ...deps(), replay }, rows[0]?.run_id ?? '', report);
    assert.deepEqual(report.differences.map(({ check }) => check), ['replay_differs']);
  });

  test('a history that was not exported is exported by the audit, as long as Temporal has it', async () => {
    const { rows } = await world.pool.query<{ run_id: string }>(
      'DELETE FROM workflow_histories RETURNING run_id',
    );
    ahead += 2 * DAY_MS;
    await execute<AuditReceipt>('auditOnce', 'audit-5');
    const kept = await world.pool.query('SELECT run_id FROM workflow_histories');
    assert.deepEqual(kept.rows, rows);
  });

  test('`nepho audit` shows each step, and its status says whether something was found', async () => {
    const env = { DATABASE_URL: world.url, NEPHO_HOME: folder };
    const vkey = ['--vkey', testSigner().vkey];
    const good = await nepho(['audit', 'window', hour, '--shard', '0', ...vkey], { env });
    assert.equal(good.status, 0, good.stdout + good.stderr);
    assert.match(good.stdout, /^✓ seal of .*: its entry \d+ is proven/m);
    assert.match(good.stdout, /^✓ history of 'seal-0-.*: replay: /m);
    assert.match(good.stdout, /Nothing differs/);
    const original = await tamper(world, hour);
    const bad = await nepho(['audit', 'window', hour, '--json', ...vkey], { env });
    assert.equal(bad.status, 1, bad.stderr);
    const answer = JSON.parse(bad.stdout) as { ok: boolean; steps: unknown[]; findings: Finding[] };
    assert.equal(answer.ok, false);
    assert.ok(answer.findings.some(({ subject }) => subject.includes(hour)));
    await original.restore();
    const listed = await nepho(['audit', 'findings', '--all', '--json'], { env });
    const { findings } = JSON.parse(listed.stdout) as { findings: { explanation: string }[] };
    assert.ok(findings.some(({ explanation }) => explanation === 'this test'));
  });

  test('retention drops empty months, and lets those wait that are not sealed as a whole', async () => {
    ahead += 500 * DAY_MS;
    const receipt = await execute<RetentionReceipt>('retainSamples', 'retention-1');
    assert.deepEqual(receipt.archived, []);
    assert.ok(receipt.empty.length > 0);
    assert.match(receipt.waiting[0]?.reason ?? '', /not sealed/);
  });
});

/** Adds to a sum, as somebody with access to the database might. */
async function tamper(
  world: WindowWorld,
  hour: string,
): Promise<{ restore(): Promise<void> }> {
  const change = async (by: string): Promise<void> => {
    await world.pool.query(
      'UPDATE windows SET sum = trim_scale(sum + $1::numeric) WHERE start = $2',
      [by, hour],
    );
  };
  await change('0.001');
  return { restore: () => change('-0.001') };
}

function sampleAt(micros: bigint): WorldSample {
  return {
    origin: `o-${micros}`,
    meter: 'memory',
    type: 'gauge',
    resource: 'vm-1',
    project: 'p-1',
    at: formatMicros(micros),
    volume: '2',
  };
}
