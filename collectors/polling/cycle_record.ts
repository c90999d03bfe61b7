import { errorMessage, isNephoError } from '../../meters/errors.ts';
import { type GapReason, isGapReason, type RemarkCode } from '../../meters/poll_gap.ts';
import type { GapMeter, PollGap, PollRemark } from '../../meters/poll_message.ts';
import { nameOfUnit, storable } from './kept_text.ts';
import type { SelectedPollster } from './selection.ts';

/** Remarks that are kept word for word; the others are counted. */
const REMARKS_KEPT = 50;

/** Why something could not be read: what the error says, in the words of coverage. */
export interface Failure {
  reason: GapReason;
  detail: string;
}

export function failureOf(error: unknown): Failure {
  const reason = isNephoError(error) && isGapReason(error.code) ? error.code : 'pollster_failed';
  return { reason, detail: storable(errorMessage(error)) };
}

/** What a cycle notes down beside its readings. */
export class CycleRecord {
  readonly remarkCounts: Partial<Record<RemarkCode, number>> = {};
  readonly remarks: PollRemark[] = [];
  readonly gapCounts: Partial<Record<GapReason, number>> = {};
  samples = 0;
  units = 0;
  missing = 0;

  remark(code: RemarkCode, unit: string | null, detail: string): void {
    this.remarkCounts[code] = (this.remarkCounts[code] ?? 0) + 1;
    if (this.remarks.length < REMARKS_KEPT) {
      const name = unit === null ? null : nameOfUnit(unit);
      this.remarks.push({ code, unit: name, detail: storable(detail) });
    }
  }

  gap(gap: PollGap, units: number): void {
    const readings = units * gap.meters.length;
    this.gapCounts[gap.reason] = (this.gapCounts[gap.reason] ?? 0) + readings;
    this.missing += readings;
  }
}

/**
 * The meters that a pollster's units are expected to give: those that this source has seen from it, so that
 * what a cloud never offers is not missing in every cycle; all that it declares before it has given any.
 */
export class SeenMeters {
  readonly #seen = new Map<string, Set<string>>();

  /** What a worker before this one had seen; without effect on a pollster that was seen here. */
  learn(pollster: string, meters: readonly GapMeter[]): void {
    if (this.#seen.has(pollster) || meters.length === 0) return;
    this.#seen.set(pollster, new Set(meters.map(({ name }) => name)));
  }

  note(pollster: string, meter: string): void {
    let seen = this.#seen.get(pollster);
    if (seen === undefined) this.#seen.set(pollster, seen = new Set());
    seen.add(meter);
  }

  expected({ pollster, meters }: SelectedPollster): GapMeter[] {
    const seen = this.#seen.get(pollster.name);
    const expected = meters.filter(({ name }) => isSeen(name, seen));
    return (expected.length > 0 ? expected : meters).map(({ name, type }) => ({ name, type }));
  }
}

function isSeen(declared: string, seen: ReadonlySet<string> | undefined): boolean {
  if (seen === undefined) return true;
  if (!declared.endsWith('*')) return seen.has(declared);
  return [...seen].some((meter) => meter.startsWith(declared.slice(0, -1)));
}
