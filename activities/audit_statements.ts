/** A statement: its document, signature, entry and proof, its rows, and its lines from windows. */
import { resolveAsOf } from '../db/as_of.ts';
import { readStatementLines, rulesAt } from '../db/audit_statements.ts';
import { readBillingPeriod } from '../db/billing_periods.ts';
import { getStatement, type StatementName, type StatementRow } from '../db/statements.ts';
import { canonicalJson } from '../ledger/canonical_json.ts';
import { logOfPosition } from '../ledger/position.ts';
import { formatStatementBundle } from '../ledger/statement_bundle.ts';
import { parseStatement, statementDigest } from '../ledger/statement_document.ts';
import type { StatementDocument } from '../ledger/statement_document.ts';
import { verifyStatement } from '../ledger/verify_statement.ts';
import type { JsonObject } from '../meters/json.ts';
import { assembleStatement } from './assemble_statement.ts';
import { provenEntryOf, provenVkeys, receiptAt } from './audit_entry.ts';
import type { LogAuditDeps } from './audit_log.ts';
import { type AuditReport, compareFields, shown } from './audit_report.ts';
import { AuditRules } from './audit_rules.ts';
import { readKeyEntries } from './guest_signers.ts';

/** Audits one statement or amendment, step by step. */
export async function auditStatement(
  deps: LogAuditDeps,
  name: StatementName,
  report: AuditReport,
): Promise<void> {
  const subject = `statements: ${name.period} of ${name.projectId}, number ${name.number}`;
  const row = await getStatement(deps.pool, 'all', name);
  if (row === null) {
    report.find('statement_missing', subject, 'there is no such statement');
    return;
  }
  const audit = new StatementAudit(deps, row, { report, subject });
  const label = `statement ${name.period} of ${name.projectId}, number ${name.number}`;
  await report.step(`${label}: document and proof`, subject, () => audit.checkDocument());
  await report.step(`${label}: rows`, subject, () => audit.checkRows());
  await report.step(`${label}: lines from windows`, subject, () => audit.checkLines());
  report.count('statements');
}

class StatementAudit {
  readonly #deps: LogAuditDeps;
  readonly #row: StatementRow;
  readonly #report: AuditReport;
  readonly #subject: string;

  constructor(
    deps: LogAuditDeps,
    row: StatementRow,
    { report, subject }: { report: AuditReport; subject: string },
  ) {
    this.#deps = deps;
    this.#row = row;
    this.#report = report;
    this.#subject = subject;
  }

  /** As whoever was given the statement verifies it, by the public key alone. */
  async checkDocument(): Promise<string> {
    const { document, signature, position } = this.#row;
    const receipt = await receiptAt(this.#deps, position);
    const bundle = formatStatementBundle({ document, signature, receipt });
    const former = await this.#former();
    const verified = await verifyStatement(bundle, {
      vkeys: await provenVkeys(this.#deps, logOfPosition(position)),
      keyEntries: await readKeyEntries(this.#deps.pool, logOfPosition(position)),
      ...former === null ? {} : { former },
    });
    if (verified.ok) {
      return `${verified.statement.lines.length} lines are signed, logged and consistent`;
    }
    this.#report.find(
      'statement_wrong',
      this.#subject,
      `it breaks at '${verified.step}': ${verified.message}`,
    );
    return '';
  }

  /** The columns, which are there to be searched by, say what the document and the entry say. */
  async checkRows(): Promise<string> {
    const row = this.#row;
    const document = parseStatement(row.document);
    const entry = await provenEntryOf(this.#deps, row.position, 'statement');
    compareFields(this.#report, { check: 'statement_wrong', subject: this.#subject }, {
      project_id: [row.projectId, document.project_id],
      period: [row.period, document.period],
      number: [row.number, document.number],
      start: [row.start, document.start],
      end: [row.end, document.end],
      zone: [row.zone, document.zone],
      closed_at: [row.closedAt, document.closed_at],
      lines: [row.lines, document.lines.length],
      digest: [row.digest, statementDigest(row.document)],
      workflow_id: [row.workflowId, entry.workflow_id],
      run_id: [row.runId, entry.run_id],
    });
    const lines = await readStatementLines(this.#deps.pool, row);
    const { length } = lines;
    if (length !== document.lines.length) {
      this.#report.find(
        'statement_lines_wrong',
        this.#linesSubject(null),
        `there are ${length} rows, the document has ${document.lines.length} lines`,
      );
    }
    lines.forEach((line, index) => {
      const expected = document.lines[index];
      compareFields(this.#report, {
        check: 'statement_lines_wrong',
        subject: this.#linesSubject(index),
      }, {
        line: [line.line, index],
        meter: [line.meter, expected?.meter],
        type: [line.type, expected?.type],
        unit: [line.unit, expected?.unit],
        resource_id: [line.resource_id, expected?.resource_id],
      });
    });
    return `${length} rows of lines are those of the document`;
  }

  #linesSubject(line: number | null): string {
    return `statement_lines: ${this.#subject.slice('statements: '.length)}${
      line === null ? '' : `, line ${line}`
    }`;
  }

  /** The same lines again, out of the windows as they were known then. */
  async checkLines(): Promise<string> {
    const { pool } = this.#deps;
    const document = parseStatement(this.#row.document);
    const period = await readBillingPeriod(pool, document.project_id, document.period);
    if (period === null) {
      this.#report.find(
        'period_missing',
        `billing_periods: ${document.period} of ${document.project_id}`,
        'the period has no row',
      );
      return '';
    }
    compareFields(this.#report, {
      check: 'period_wrong',
      subject: `billing_periods: ${document.period} of ${document.project_id}`,
    }, {
      start: [period.start, document.start],
      end: [period.end, document.end],
      zone: [period.zone, document.zone],
    });
    const digest = await rulesAt(pool, this.#row.position);
    if (digest === null) {
      this.#report.find('usage_rules_wrong', this.#subject, 'nothing was sealed before it');
      return '';
    }
    const { document: again } = await assembleStatement(
      { pool, rules: await new AuditRules(pool).of(digest) },
      {
        period,
        number: document.number,
        former: await this.#former(),
        sizes: await resolveAsOf(pool, { checkpoints: document.covers }),
        closedAt: document.closed_at,
      },
      () => {},
    );
    this.#compareLines(document, again);
    return `${document.lines.length} lines are what their windows come to`;
  }

  #compareLines(document: StatementDocument, again: StatementDocument): void {
    const length = Math.max(document.lines.length, again.lines.length);
    for (let index = 0; index < length; index += 1) {
      const [line, other] = [document.lines[index], again.lines[index]].map((each) =>
        each === undefined ? null : JSON.parse(JSON.stringify(each)) as JsonObject
      );
      if (line === undefined || other === undefined) continue;
      const detail = line === null
        ? `its windows and billing_periods make a line of ${
          JSON.stringify(other?.['meter'])
        } that is not in it`
        : other === null
        ? 'no windows make it by billing_periods'
        : differenceOf(line, other);
      if (detail === null) continue;
      this.#report.find('statement_line_wrong', `${this.#subject}, line ${index}`, detail);
      // Those after it may only have moved.
      if (document.lines.length !== again.lines.length) return;
    }
  }

  async #former(): Promise<string | null> {
    const { projectId, period, number } = this.#row;
    if (number === 0) return null;
    const former = await getStatement(this.#deps.pool, 'all', {
      projectId,
      period,
      number: number - 1,
    });
    return former?.document ?? null;
  }
}

/** What of a line is not what its windows make, null if all is. */
function differenceOf(line: JsonObject, other: JsonObject): string | null {
  const wrong = Object.keys(other).filter((key) =>
    canonicalJson(line[key] ?? null) !== canonicalJson(other[key] ?? null)
  );
  if (wrong.length === 0) return null;
  return wrong.map((key) =>
    `'${key}' is ${shown(canonicalJson(line[key] ?? null))}, its windows and billing_periods make ${
      shown(canonicalJson(other[key] ?? null))
    }`
  ).join('; ');
}
