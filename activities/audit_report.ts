import { errorMessage, isNephoError } from '../meters/errors.ts';

/** Something is not what it must be. */
export interface Difference {
  /** Stable code of the check that failed. */
  check: string;
  /** What it is about: the table, then the row, as in `windows: 2026-10-01T00:00:00.000000Z of <key>, revision 0`. */
  subject: string;
  detail: string;
}

/** A step of an audit, as it is told to people. */
export interface AuditStep {
  /** What was looked at, as in `seal of 2026-10-01T00:00:00.000000Z in log 0`. */
  step: string;
  ok: boolean;
  /** What was found, or how much was compared. */
  says: string;
}

/** Characters of a detail at most: it is part of a finding's identity and shown in lists. */
const MAX_DETAIL = 600;
/** Differences of one audit that are kept; further ones are counted. */
const MAX_DIFFERENCES = 500;

/** Collects what an audit looked at and what it found. */
export class AuditReport {
  readonly steps: AuditStep[] = [];
  readonly differences: Difference[] = [];
  /** How much was looked at, by what it is: `windows`, `statements`, … */
  readonly checked: Record<string, number> = {};
  readonly #onStep: (step: AuditStep) => void;
  #omitted = 0;

  constructor(onStep: (step: AuditStep) => void = () => {}) {
    this.#onStep = onStep;
  }

  /** Differences beyond those that are kept. */
  get omitted(): number {
    return this.#omitted;
  }

  count(what: string, number = 1): void {
    this.checked[what] = (this.checked[what] ?? 0) + number;
  }

  find(check: string, subject: string, detail: string): void {
    if (this.differences.length === MAX_DIFFERENCES) this.#omitted += 1;
    else this.differences.push({ check, subject, detail: detail.slice(0, MAX_DETAIL) });
  }

  /**
   * One step: `work` says how much it compared, and reports differences by {@link find}. What it throws
   * about the data, rather than about the way to it, is a difference too.
   */
  async step(name: string, subject: string, work: () => Promise<string>): Promise<boolean> {
    const before = this.differences.length + this.#omitted;
    let says: string;
    try {
      says = await work();
    } catch (error) {
      if (!isNephoError(error) || error.retryable || NOT_DATA.has(error.code)) throw error;
      says = errorMessage(error);
      this.find(error.code, subject, says);
    }
    const found = this.differences.length + this.#omitted - before;
    const first = this.differences[before];
    const step = {
      step: name,
      ok: found === 0,
      says: found === 0 || first === undefined
        ? says
        : `${first.subject}: ${first.detail}${found > 1 ? ` (and ${found - 1} more)` : ''}`,
    };
    this.steps.push(step);
    this.#onStep(step);
    return step.ok;
  }
}

/** Failures that say nothing of what is audited. */
const NOT_DATA = new Set([
  'database_schema',
  'database_refused',
  'database_failed',
  'vkey_invalid',
  'vkey_missing',
]);

/** Compares fields that must be equal, and tells of each that is not. */
export function compareFields(
  report: AuditReport,
  { check, subject }: { check: string; subject: string },
  fields: Readonly<Record<string, readonly [stored: unknown, expected: unknown]>>,
): void {
  for (const [name, [stored, expected]] of Object.entries(fields)) {
    if (String(stored) === String(expected)) continue;
    report.find(check, subject, `'${name}' is ${shown(stored)}, it must be ${shown(expected)}`);
  }
}

export function shown(value: unknown): string {
  const text = typeof value === 'string' ? `'${value}'` : String(value);
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
