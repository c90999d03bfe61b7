/** What a cycle should have read: counted as read, or told as missing. */
import type { GapReason } from '../../meters/poll_gap.ts';
import type { PollGap, PollHead, PollsterOutcome } from '../../meters/poll_message.ts';
import type { CycleRecord, Failure } from './cycle_record.ts';
import { nameOfUnit, storable } from './kept_text.ts';
import type { Outbox } from './outbox.ts';
import type { CollectorRegistry } from './registry.ts';
import { isSelected, type SelectedPollster } from './selection.ts';
import type { SourceMemory } from './source_memory.ts';

/** What became of one listing. */
export interface Listing {
  pollers: readonly SelectedPollster[];
  discovered: number;
  failure: Failure | null;
}

export interface AccountSource {
  named: readonly string[];
  expect: readonly { meter: string; atLeast: number }[];
  fromHistory: boolean;
}

export interface AccountPorts {
  outbox: Outbox;
  record: CycleRecord;
  registry: CollectorRegistry;
  memory: SourceMemory;
  lastDiscovered(pollster: string): number | null;
  isStopping(): boolean;
}

export class CycleAccount {
  readonly #head: PollHead;
  readonly #source: AccountSource;
  readonly #ports: AccountPorts;
  /** Units that gave readings, or should have, by pollster. */
  readonly #units = new Map<string, number>();
  /** Readings by meter. */
  readonly #samples = new Map<string, number>();
  readonly #missing = new Map<string, number>();
  /** Meters missing of units that are being polled, by {@link partKey}. */
  readonly #parts = new Map<string, PollGap[]>();

  constructor(head: PollHead, source: AccountSource, ports: AccountPorts) {
    this.#head = head;
    this.#source = source;
    this.#ports = ports;
  }

  /**
   * One meter of a unit is missing.
   *
   * @param poller null if it is a discovery that says so: the gap stands alone then
   */
  missPart(
    poller: SelectedPollster | null,
    discovery: string,
    part: { unit: string; meter: string; reason: GapReason; detail: string },
  ): void {
    if (poller !== null && !isSelected(poller, part.meter)) return;
    const pollster = poller?.pollster.name ?? discovery;
    const gap: PollGap = {
      pollster,
      unit: nameOfUnit(part.unit),
      units: 1,
      meters: [{ name: part.meter, type: this.#typeOf(pollster, part.meter) }],
      partial: true,
      reason: part.reason,
      detail: storable(part.detail),
    };
    if (poller === null) return this.#add(gap);
    const key = partKey(pollster, part.unit);
    const parts = this.#parts.get(key) ?? [];
    // Of several devices that all lack it the first is told of.
    if (parts.some(({ meters }) => meters[0]?.name === part.meter)) return;
    this.#parts.set(key, [...parts, gap]);
  }

  /**
   * A unit was read.
   *
   * @param meters those of its readings; a unit without any was not expected to have some
   * @returns what is missing of it, to be told by the same message
   */
  keep({ pollster: { name } }: SelectedPollster, unit: string, meters: readonly string[]) {
    const missing = this.#takeParts(name, unit);
    if (meters.length === 0) {
      this.#missWhole(missing);
      return [];
    }
    count(this.#units, name);
    for (const meter of meters) count(this.#samples, meter);
    for (const gap of missing) this.#note(gap, gap.units);
    return missing;
  }

  /** A unit could not be read. */
  miss(poller: SelectedPollster, unit: string, failure: Failure): void {
    const { name } = poller.pollster;
    this.#takeParts(name, unit);
    // Who stops has not tried, or not long enough.
    if (this.#ports.isStopping()) return;
    count(this.#units, name);
    this.#add({
      pollster: name,
      unit: nameOfUnit(unit),
      units: 1,
      meters: this.#ports.memory.seenMeters.expected(poller),
      partial: false,
      ...failure,
    });
  }

  /** Nothing that is configured gives what the source asks for: a cloud that is not named, most likely. */
  missAll(): void {
    this.#add({
      pollster: '*',
      unit: null,
      units: 1,
      meters: [{ name: '*', type: 'gauge' }],
      partial: false,
      reason: 'service_absent',
      detail: 'No collector that is configured has any of the meters: see clouds: and collectors:',
    });
  }

  /** Of each pollster once, however many listings feed it: what it found, and what it could not. */
  end(listings: readonly Listing[]): PollsterOutcome[] {
    for (const gap of [...this.#parts.values()].flat()) this.#add(gap);
    const pollers = new Map(
      listings.flatMap((listing) => listing.pollers).map((one) => [one.pollster.name, one]),
    );
    const outcomes = [...pollers.values()].map((poller) => {
      const { name } = poller.pollster;
      return this.#endPollster(
        poller,
        listings.filter((one) => one.pollers.some(({ pollster }) => pollster.name === name)),
      );
    });
    this.#checkExpectations([...pollers.values()], outcomes);
    return outcomes;
  }

  #endPollster(poller: SelectedPollster, listings: readonly Listing[]): PollsterOutcome {
    const { name } = poller.pollster;
    const meters = this.#ports.memory.seenMeters.expected(poller);
    const units = this.#units.get(name) ?? 0;
    const failure = listings.find((one) => one.failure !== null)?.failure ?? null;
    if (failure === null) return { name, discovered: units, listed: true, meters };
    const last = this.#ports.lastDiscovered(name);
    const outcome = { name, discovered: Math.max(last ?? 0, units), listed: false, meters };
    if (failure.reason === 'service_absent' && last === null && !this.#isNamed(poller)) {
      this.#ports.record.remark('not_offered', null, `'${name}': ${failure.detail}`);
      return outcome;
    }
    const inAll = last ?? units + 1;
    if (inAll <= units) return outcome;
    const listed = listings.reduce((sum, { discovered }) => sum + discovered, 0);
    const before = last === null ? 'how many is not known' : `${last} were there before`;
    this.#add({
      pollster: name,
      unit: null,
      units: inAll,
      meters,
      partial: false,
      reason: failure.reason,
      detail: storable(`Listed ${listed}, ${before}: ${failure.detail}`),
    }, inAll - units);
    return outcome;
  }

  /** What a wildcard takes in is polled where the cloud has it, and not missing where it never had. */
  #isNamed({ meters }: SelectedPollster): boolean {
    return meters.some(({ name }) => this.#source.named.includes(name));
  }

  /** Only what was listed to its end can be too few. What is missing by its name is there. */
  #checkExpectations(
    pollers: readonly SelectedPollster[],
    outcomes: readonly PollsterOutcome[],
  ): void {
    if (this.#head.group !== 0) return;
    for (const { meter, atLeast } of this.#source.expect) {
      const poller = pollers.find(({ meters }) => meters.some(({ name }) => name === meter));
      const outcome = outcomes.find(({ name }) => name === poller?.pollster.name);
      const samples = this.#samples.get(meter) ?? 0;
      const known = samples + (this.#missing.get(meter) ?? 0);
      if (poller === undefined || outcome?.listed !== true || known >= atLeast) continue;
      this.#add({
        pollster: poller.pollster.name,
        unit: null,
        units: atLeast,
        meters: poller.meters.filter(({ name }) => name === meter)
          .map(({ name, type }) => ({ name, type })),
        partial: false,
        reason: 'below_expectation',
        detail: `Got ${samples} of '${meter}', at least ${atLeast} are expected`,
      }, atLeast - known);
    }
  }

  /** A unit of which every meter is missing alone is missing as one: it is known by its own name. */
  #missWhole(missing: readonly PollGap[]): void {
    const [first, ...others] = missing;
    if (first === undefined) return;
    count(this.#units, first.pollster);
    const more = others.length === 0 ? '' : `, and ${others.length} more`;
    this.#add({
      ...first,
      partial: false,
      meters: missing.flatMap(({ meters }) => meters),
      detail: storable(`${first.detail}${more}`),
    });
  }

  #takeParts(pollster: string, unit: string): readonly PollGap[] {
    const key = partKey(pollster, unit);
    const parts = this.#parts.get(key) ?? [];
    this.#parts.delete(key);
    return parts;
  }

  /** @param units how many of them are missing, as far as this attempt knows */
  #add(gap: PollGap, units = gap.units): void {
    this.#note(gap, units);
    if (!this.#source.fromHistory) this.#ports.outbox.addGap(gap);
  }

  #note(gap: PollGap, units: number): void {
    this.#ports.record.gap(gap, units);
    for (const { name } of gap.meters) count(this.#missing, name, units);
  }

  #typeOf(pollster: string, meter: string): PollGap['meters'][number]['type'] {
    const found = this.#ports.registry.pollsters.find(({ name }) => name === pollster);
    return found?.meters.find(({ name }) => name === meter)?.type ?? 'gauge';
  }
}

function partKey(pollster: string, unit: string): string {
  return JSON.stringify([pollster, unit]);
}

function count(counts: Map<string, number>, name: string, more = 1): void {
  counts.set(name, (counts.get(name) ?? 0) + more);
}
