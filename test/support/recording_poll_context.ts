import type { GapReason, RemarkCode } from '../../meters/poll_gap.ts';
import type { Reading } from '../../meters/sample.ts';
import type { Collector, PollContext, Unit } from '../../collectors/polling/pollster.ts';

/** A cycle that writes down what collectors say to it. */
export interface RecordingPollContext extends PollContext {
  readonly gaps: { unit: string; meter: string; reason: GapReason; detail: string }[];
  readonly remarks: { code: RemarkCode; unit: string | null; detail: string }[];
}

export function recordingPollContext(changes: Partial<PollContext> = {}): RecordingPollContext {
  const gaps: RecordingPollContext['gaps'] = [];
  const remarks: RecordingPollContext['remarks'] = [];
  return {
    cycle: '2026-01-31T12:00:00.000000Z',
    signal: new AbortController().signal,
    now: () => '2026-01-31T12:00:01.000000Z',
    wants: () => true,
    missing: (unit, meter, reason, detail) => gaps.push({ unit, meter, reason, detail }),
    remark: (code, unit, detail) => remarks.push({ code, unit, detail }),
    gaps,
    remarks,
    ...changes,
  };
}

/** The units that the first discovery of a collector finds, by their ids. */
export async function discovered(
  collector: Collector,
  context: PollContext,
  parameter: string = '',
): Promise<Map<string, Unit>> {
  const units = new Map<string, Unit>();
  const [discovery] = collector.discoveries;
  for await (const page of discovery?.discover(context, parameter) ?? []) {
    for (const unit of page) units.set(unit.id, unit);
  }
  return units;
}

/** What all pollsters of a collector read from a unit. */
export async function pollUnit(
  collector: Collector,
  unit: Unit | undefined,
  context: PollContext,
): Promise<Reading[]> {
  if (unit === undefined) throw new Error('the unit was not discovered');
  const readings: Reading[] = [];
  for (const pollster of collector.pollsters) {
    readings.push(...await pollster.poll(unit, context));
  }
  return readings;
}

/** `volume unit` by `meter resource`; fails if two readings are of the same meter and resource. */
export function volumesOf(readings: readonly Reading[]): Map<string, string> {
  const volumes = new Map<string, string>();
  for (const { meter, resource_id, volume, unit } of readings) {
    const key = `${meter} ${resource_id}`;
    if (volumes.has(key)) throw new Error(`'${key}' was read twice`);
    volumes.set(key, `${volume} ${unit}`);
  }
  return volumes;
}
