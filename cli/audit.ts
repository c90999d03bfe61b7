import process from 'node:process';
import { type Command, InvalidArgumentError } from 'commander';
import {
  type AuditSeed,
  chooseHistories,
  chooseHours,
  chooseStatements,
} from '../activities/audit_choice.ts';
import { auditEverything, auditHourWhole, checkExports } from '../activities/audit_everything.ts';
import { AuditReport, type AuditStep } from '../activities/audit_report.ts';
import { auditStatement } from '../activities/audit_statements.ts';
import { auditHistory } from '../activities/replay_history.ts';
import {
  beginAudit,
  endAudit,
  explainFinding,
  type Finding,
  listFindings,
  noteAudit,
  readAudit,
} from '../db/audits.ts';
import { listLogs } from '../db/logs.ts';
import { latestStatement } from '../db/statements.ts';
import { NephoError } from '../meters/errors.ts';
import { formatMillis } from '../meters/timestamp.ts';
import { type AuditParts, openStore, withAuditParts } from './audit_parts.ts';
import { type JsonOption, printResult, withJson, write } from './output.ts';
import { formatTable, printable } from './table.ts';
import { timeOf } from './time_option.ts';
import { type VkeyOption, withVkey } from './trusted_keys.ts';
import { wireFinding } from '../api/finding_schema.ts';

type AuditOptions = JsonOption & VkeyOption;

/** Findings that are shown at most. */
const SHOWN = 1_000;

export function register(program: Command): void {
  const audit = program.command('audit')
    .description(
      'recompute what was sealed and closed from samples, and check its proofs and histories',
    );
  withAudit(
    audit.command('window').argument('<hour>', 'the hour, as 2026-10-05T08:00:00Z', timeOf)
      .option('--shard <number>', 'in the log of this shard alone', numberOf),
    'recompute one sealed hour, step by step',
  ).action(auditWindow);
  withAudit(
    audit.command('statement').argument('<project>', 'the project').argument(
      '<period>',
      'as 2026-10',
    )
      .argument('[number]', '0 or that of an amendment; the last unless given', numberOf),
    'check one statement: its document, proof, rows and lines',
  ).action(auditOneStatement);
  withAudit(
    audit.command('run')
      .option('--all', 'everything that is there, row by row')
      .option('--repeat <id>', 'what a former run chose', numberOf),
    'audit what a new random seed chooses, as it is done each night',
  ).action(run);
  withJson(
    audit.command('findings').option('--all', 'those that were explained, too')
      .description('list what audits found and nobody has explained'),
  ).action(findings);
  withJson(
    audit.command('explain').argument('<id>', 'the number of the finding', numberOf)
      .requiredOption('--note <text>', 'what it came from')
      .description('close a finding'),
  ).action(explain);
}

function withAudit(command: Command, description: string): Command {
  return withJson(withVkey(command.description(description)));
}

async function auditWindow(
  start: string,
  options: AuditOptions & { shard?: number },
): Promise<void> {
  if (!start.endsWith(':00:00.000000Z')) {
    throw new NephoError('usage_invalid', `Cannot audit '${start}': it is not a full hour`);
  }
  await tell('nepho audit window', options, async ({ deps, db }, report) => {
    const shards = options.shard === undefined
      ? (await listLogs(db.pool)).map(({ logId }) => logId)
      : [options.shard];
    for (const logId of shards) await auditHourWhole(deps, { logId, start }, report);
  });
}

async function auditOneStatement(
  projectId: string,
  period: string,
  number: number | undefined,
  options: AuditOptions,
): Promise<void> {
  await tell('nepho audit statement', options, async ({ deps, db }, report) => {
    const last = await latestStatement(db.pool, 'all', { projectId, period });
    if (last === null) {
      throw new NephoError(
        'not_found',
        `Cannot find a statement of '${projectId}' for '${period}'`,
      );
    }
    await auditStatement(deps, { projectId, period, number: number ?? last.number }, report);
  });
}

async function run(options: AuditOptions & { all?: boolean; repeat?: number }): Promise<void> {
  await tell('nepho audit run', options, async (parts, report, begin) => {
    if (options.all === true) await auditEverything(parts.deps, report);
    else await auditChosen(parts, await choiceOf(parts, options.repeat), { report, begin });
  });
}

/** A new choice, or that of a former run. */
async function choiceOf({ db, settings }: AuditParts, repeat?: number): Promise<AuditSeed> {
  const sizes = settings.audit;
  if (repeat === undefined) {
    return { seed: crypto.randomUUID(), until: formatMillis(Date.now()), sizes };
  }
  const former = await readAudit(db.pool, repeat);
  if (former === null || former.seed === null) {
    throw new NephoError('not_found', `Cannot repeat audit ${repeat}: no such run chose anything`);
  }
  return { seed: former.seed, until: former.startedAt, sizes };
}

async function auditChosen(
  { deps, db }: AuditParts,
  choice: AuditSeed,
  { report, begin }: { report: AuditReport; begin: (seed: string) => void },
): Promise<void> {
  begin(choice.seed);
  for (const hour of await chooseHours(db.pool, choice)) await auditHourWhole(deps, hour, report);
  for (const name of await chooseStatements(db.pool, choice)) {
    await auditStatement(deps, name, report);
  }
  for (const runId of await chooseHistories(db.pool, choice)) {
    await auditHistory(deps, runId, report);
  }
  await checkExports(deps, report);
}

/** Runs an audit, shows its steps as they come, keeps what it found, and sets the exit status. */
async function tell(
  command: string,
  options: AuditOptions,
  work: (
    parts: AuditParts,
    report: AuditReport,
    begin: (seed: string) => void,
  ) => Promise<void>,
): Promise<void> {
  await withAuditParts(command, options.vkey, async (parts) => {
    const { pool } = parts.db;
    const report = new AuditReport((step) => {
      if (options.json !== true) write(lineOf(step));
    });
    const startedAt = formatMillis(Date.now());
    let seed: string | null = null;
    await work(parts, report, (chosen) => seed = chosen);
    const { differences, checked, steps, omitted } = report;
    const auditRunId = await beginAudit(pool, { seed, startedAt });
    await noteAudit(pool, auditRunId, { checked, findings: differences, at: startedAt });
    await endAudit(pool, auditRunId, formatMillis(Date.now()));
    const ok = differences.length === 0;
    printResult(
      { ok, audit_run_id: auditRunId, seed, checked, steps, findings: differences },
      options,
      () =>
        `${summaryOf(checked)}\n${
          ok
            ? 'Nothing differs\n'
            : `${differences.length + omitted} differences:\n${
              differences.map((one) =>
                `  ${printable(`${one.subject}: ${one.detail} (${one.check})`)}\n`
              ).join('')
            }`
        }`,
    );
    if (!ok) process.exitCode = 1;
  });
}

function lineOf({ step, ok, says }: AuditStep): string {
  return `${ok ? '✓' : '✗'} ${printable(`${step}: ${says}`)}\n`;
}

function summaryOf(checked: Readonly<Record<string, number>>): string {
  const parts = Object.entries(checked).map(([what, number]) => `${number} ${what}`);
  return parts.length === 0 ? 'Nothing was there to look at' : `Looked at ${parts.join(', ')}`;
}

async function findings(options: JsonOption & { all?: boolean }): Promise<void> {
  const { db } = await openStore('nepho audit findings');
  try {
    const { rows } = await listFindings(
      db.pool,
      options.all === true ? {} : { isOpen: true },
      { limit: SHOWN },
    );
    printResult({ findings: rows.map(wireFinding) }, options, () => table(rows));
  } finally {
    await db.close();
  }
}

async function explain(id: number, options: JsonOption & { note: string }): Promise<void> {
  const { db } = await openStore('nepho audit explain');
  try {
    const finding = await explainFinding(db.pool, id, {
      at: formatMillis(Date.now()),
      by: 'command line',
      note: options.note,
    });
    if (finding === null) {
      throw new NephoError('not_found', `Cannot explain finding ${id}: there is none`);
    }
    printResult(wireFinding(finding), options, () => table([finding]));
  } finally {
    await db.close();
  }
}

function table(rows: readonly Finding[]): string {
  return formatTable([
    { title: 'id', value: (one) => one.findingId, align: 'right' },
    { title: 'found', value: (one) => one.foundAt },
    { title: 'last seen', value: (one) => one.lastSeenAt },
    { title: 'check', value: (one) => one.check },
    { title: 'subject', value: (one) => one.subject },
    { title: 'detail', value: (one) => one.detail },
    { title: 'explained', value: (one) => one.explanation },
  ], rows);
}

function numberOf(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It is not a number');
  return Number(text);
}
