/** One group's share of one cycle: discovers, polls, and tells what came and what did not. */
import { setMaxListeners } from 'node:events';
import type { MeterSelection } from '../../meters/meter_patterns.ts';
import type { GapReason } from '../../meters/poll_gap.ts';
import type { DiscoveryReference } from '../../meters/polling_config.ts';
import type { PollGap, PollHead, PollsterOutcome } from '../../meters/poll_message.ts';
import { assert } from '../../meters/assert.ts';
import { NephoError } from '../../meters/errors.ts';
import type { Reading } from '../../meters/sample.ts';
import { formatMillis } from '../../meters/timestamp.ts';
import { CycleRecord, type Failure, failureOf } from './cycle_record.ts';
import { isUnitId, nameOfUnit, storable } from './kept_text.ts';
import { Outbox, type OutboxPorts } from './outbox.ts';
import type { PollContext, Unit } from './pollster.ts';
import type { CollectorRegistry } from './registry.ts';
import { type Feed, isSelected, type SelectedPollster, selectFeeds } from './selection.ts';
import { Slots } from './slots.ts';
import type { SourceMemory } from './source_memory.ts';

/** What a source asks of a cycle. */
export interface CycleSource {
  selection: MeterSelection;
  /** Meters that it names without a wildcard: these must be there. */
  named: readonly string[];
  discovery: readonly DiscoveryReference[];
  resources: readonly string[];
  /** Units polled at the same time. */
  concurrency: number;
  expect: readonly { meter: string; atLeast: number }[];
  /** Ask how things were at the cycle's time, of those that remember; what fails is no new gap. */
  fromHistory: boolean;
}

export interface CyclePorts extends OutboxPorts {
  registry: CollectorRegistry;
  memory: SourceMemory;
  /** True if this group polls the unit. */
  isOurs(unit: string): boolean;
  /** Units that a pollster had in the last cycle that could list them, null if none is known. */
  lastDiscovered(pollster: string): number | null;
  /** Requests made so far by what the registry's collectors share. */
  requests(): number;
  nowMs(): number;
  /** Aborted when the cycle's time is up or the worker ends. */
  signal: AbortSignal;
}

/** What a cycle came to: small enough to be returned through Temporal. */
export interface CycleReceipt {
  cycle: string;
  units: number;
  samples: number;
  /** Readings that are missing, in all and by reason. */
  missing: number;
  gaps: Partial<Record<GapReason, number>>;
  remarks: Partial<Record<string, number>>;
  requests: number;
  started_at: string;
  ended_at: string;
}

const SKEW_MS = 300_000;
const UNIT_ID_UNFIT: Failure = {
  reason: 'value_invalid',
  detail: 'Its id cannot be kept: it is empty, longer than 255 characters, or holds a NUL',
};

/** @throws {NephoError} what the intake answers; what endpoints answer is recorded instead */
export async function runCycle(
  head: PollHead,
  source: CycleSource,
  ports: CyclePorts,
): Promise<CycleReceipt> {
  return await new Cycle(head, source, ports).run();
}

/** A pollster in this cycle. */
interface Poller extends SelectedPollster {
  context: PollContext;
  /**
   * True if polling a unit may take waiting, hence a slot; false of a pollster that has answered at once
   * so far, so that endless waiting elsewhere does not hold it up.
   */
  waits: boolean;
}

class Cycle {
  readonly #head: PollHead;
  readonly #source: CycleSource;
  readonly #ports: CyclePorts;
  readonly #outbox: Outbox;
  readonly #record = new CycleRecord();
  readonly #outcomes: PollsterOutcome[] = [];
  readonly #polling = new Set<Promise<void>>();
  readonly #slots: Slots;
  readonly #samplesOf = new Map<string, number>();
  readonly #startedMs: number;
  readonly #requestsBefore: number;
  readonly #timeIsUp: Promise<never>;

  constructor(head: PollHead, source: CycleSource, ports: CyclePorts) {
    this.#head = head;
    this.#source = source;
    this.#ports = ports;
    this.#outbox = new Outbox(head, ports);
    this.#slots = new Slots(source.concurrency);
    this.#startedMs = ports.nowMs();
    this.#requestsBefore = ports.requests();
    this.#timeIsUp = rejectionOf(ports.signal);
  }

  async run(): Promise<CycleReceipt> {
    const { pollsters } = this.#ports.registry;
    const usable = this.#source.fromHistory
      ? pollsters.filter((pollster) => pollster.pollAt !== undefined)
      : pollsters;
    const feeds = selectFeeds(usable, this.#source);
    if (feeds.length === 0) this.#missAll();
    const listings = feeds.map((feed) => this.#runFeed(feed));
    // All are waited for, so that none goes on behind the end of the cycle.
    const outcomes = await Promise.allSettled(listings);
    await Promise.all(this.#polling);
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    this.#checkExpectations(feeds);
    return await this.#end();
  }

  async #runFeed(feed: Feed): Promise<void> {
    const pollers = feed.selected.map((selected) => ({
      ...selected,
      context: this.#contextFor(selected.pollster.name),
      waits: true,
    }));
    const seen = new Set<string>();
    let discovered = 0;
    let failure: Failure | null = null;
    try {
      for await (const page of this.#pages(feed)) {
        for (const unit of page) {
          if (seen.has(unit.id)) {
            this.#record.remark('listed_twice', unit.id, `'${feed.discovery}' named it twice`);
            continue;
          }
          seen.add(unit.id);
          if (!this.#ports.isOurs(unit.id)) continue;
          discovered += 1;
          for (const poller of pollers) await this.#take(poller, unit);
          if (this.#outbox.isFull) await this.#room();
        }
        await this.#room();
      }
    } catch (error) {
      if (error instanceof IntakeRefused) throw error.cause;
      failure = this.#signalFailure() ?? failureOf(error);
    }
    for (const poller of pollers) this.#endListing(poller, discovered, failure);
  }

  /** Static resources are polled instead of what would be discovered, as in Ceilometer. */
  async *#pages(feed: Feed): AsyncIterable<readonly Unit[]> {
    const discovery = this.#ports.registry.discovery(feed.discovery);
    const resources = this.#source.resources
      .map((text) => discovery.resource?.(text) ?? null)
      .filter((unit) => unit !== null);
    if (resources.length > 0) {
      yield resources;
      return;
    }
    const listing = discovery.discover(this.#contextFor(feed.discovery), feed.parameter);
    const pages = listing[Symbol.asyncIterator]();
    try {
      for (;;) {
        const { done, value } = await this.#inTime(pages.next());
        if (done === true) return;
        yield value;
      }
    } finally {
      // Not awaited: it may be the one that does not end.
      void Promise.resolve(pages.return?.()).catch(() => {});
    }
  }

  /** A pollster of the deployer's that does not look at the signal must not hold up the cycle. */
  async #inTime<Result>(work: Promise<Result>): Promise<Result> {
    return await Promise.race([work, this.#timeIsUp]);
  }

  /** Polls a unit: at once if that takes no waiting, else beside others, of which there are only so many. */
  async #take(poller: Poller, unit: Unit): Promise<void> {
    const failure = this.#reasonNotToAsk(poller, unit.id);
    if (failure !== null) {
      this.#miss(poller, unit.id, failure);
      return;
    }
    const hasSlot = poller.waits;
    if (hasSlot) await this.#slots.take();
    const giveBack = (): void => {
      if (hasSlot) this.#slots.giveBack();
    };
    let readings: readonly Reading[] | Promise<readonly Reading[]>;
    try {
      readings = this.#read(poller, unit);
      poller.waits = readings instanceof Promise;
      if (!(readings instanceof Promise)) this.#keep(poller, unit.id, readings);
    } catch (error) {
      this.#fail(poller, unit.id, error);
      readings = [];
    }
    if (!(readings instanceof Promise)) {
      giveBack();
      return;
    }
    const polled = this.#inTime(readings)
      .then((all) => this.#keep(poller, unit.id, all))
      .catch((error: unknown) => this.#fail(poller, unit.id, error))
      .finally(() => {
        this.#polling.delete(polled);
        giveBack();
      });
    this.#polling.add(polled);
  }

  #reasonNotToAsk({ pollster }: Poller, unit: string): Failure | null {
    if (!isUnitId(unit)) return UNIT_ID_UNFIT;
    const aside = this.#ports.memory.setAside.get(pollster.name, unit, this.#ports.nowMs());
    if (aside === null) return this.#signalFailure();
    return {
      reason: 'set_aside',
      detail: `${aside.reason}, asked again at ${formatMillis(aside.untilMs)}: ${aside.detail}`,
    };
  }

  /** @throws what the pollster throws, and {@link outOfTime} if the time was up before it was asked */
  #read(
    { pollster, context }: Poller,
    unit: Unit,
  ): readonly Reading[] | Promise<readonly Reading[]> {
    this.#ports.signal.throwIfAborted();
    return this.#source.fromHistory
      ? pollster.pollAt?.(unit, this.#head.cycle, context) ?? []
      : pollster.poll(unit, context);
  }

  async #room(): Promise<void> {
    try {
      await this.#outbox.room();
    } catch (cause) {
      throw new IntakeRefused(cause);
    }
  }

  #keep(poller: Poller, unit: string, readings: readonly Reading[]): void {
    const { pollster } = poller;
    const wanted = readings.filter(({ meter }) =>
      isSelected(poller, meter) && this.#source.selection.wants(meter)
    );
    if (wanted.length === 0) return;
    for (const reading of wanted) this.#look(pollster.name, unit, reading);
    this.#outbox.addUnit({ pollster: pollster.name, unit, readings: wanted });
    this.#record.units += 1;
    this.#record.samples += wanted.length;
  }

  #look(pollster: string, unit: string, reading: Reading): void {
    const { meter, type, resource_id, volume, timestamp } = reading;
    const { memory } = this.#ports;
    memory.seenMeters.note(pollster, meter);
    this.#samplesOf.set(meter, (this.#samplesOf.get(meter) ?? 0) + 1);
    if (type === 'cumulative' && memory.counters.wentBack(meter, resource_id, volume)) {
      this.#record.remark('counter_reset', unit, `'${meter}' of '${resource_id}' is now ${volume}`);
    }
    if (this.#source.fromHistory) return;
    const skewMs = Math.abs(Date.parse(`${timestamp.slice(0, 23)}Z`) - this.#ports.nowMs());
    if (skewMs > SKEW_MS) {
      this.#record.remark('clock_skew', unit, `'${meter}' was read at ${timestamp}`);
    }
  }

  #fail(poller: Poller, unit: string, error: unknown): void {
    const failure = this.#signalFailure() ?? failureOf(error);
    this.#ports.memory.setAside.note(
      poller.pollster.name,
      unit,
      failure,
      this.#ports.nowMs(),
    );
    this.#miss(poller, unit, failure);
  }

  #miss(poller: Poller, unit: string, failure: Failure): void {
    this.#addGap({
      pollster: poller.pollster.name,
      unit: nameOfUnit(unit),
      units: 1,
      meters: this.#ports.memory.seenMeters.expected(poller),
      partial: false,
      ...failure,
    });
  }

  /** Nothing that is configured gives what the source asks for: a cloud that is not named, most likely. */
  #missAll(): void {
    this.#addGap({
      pollster: '*',
      unit: null,
      units: 1,
      meters: [{ name: '*', type: 'gauge' }],
      partial: false,
      reason: 'service_absent',
      detail: 'No collector that is configured has any of the meters: see clouds: and collectors:',
    });
  }

  #endListing(poller: Poller, discovered: number, failure: Failure | null): void {
    const { pollster } = poller;
    const meters = this.#ports.memory.seenMeters.expected(poller);
    this.#outcomes.push({ name: pollster.name, discovered, listed: failure === null, meters });
    if (failure === null) return;
    const last = this.#ports.lastDiscovered(pollster.name);
    if (failure.reason === 'service_absent' && last === null && !this.#isNamed(poller)) {
      this.#record.remark('not_offered', null, `'${pollster.name}': ${failure.detail}`);
      return;
    }
    const units = last === null ? 1 : last - discovered;
    if (units <= 0) return;
    const count = last === null ? 'how many is not known' : `${last} were there before`;
    this.#addGap({
      pollster: pollster.name,
      unit: null,
      units,
      meters,
      partial: false,
      reason: failure.reason,
      detail: storable(`Listed ${discovered}, ${count}: ${failure.detail}`),
    });
  }

  /** What a wildcard takes in is polled where the cloud has it, and not missing where it never had. */
  #isNamed({ meters }: Poller): boolean {
    return meters.some(({ name }) => this.#source.named.includes(name));
  }

  /** Only what was listed to its end can be too few. */
  #checkExpectations(feeds: readonly Feed[]): void {
    if (this.#head.group !== 0) return;
    for (const { meter, atLeast } of this.#source.expect) {
      const selected = feeds.flatMap((feed) => feed.selected)
        .find(({ meters }) => meters.some(({ name }) => name === meter));
      const outcome = this.#outcomes.find(({ name }) => name === selected?.pollster.name);
      const samples = this.#samplesOf.get(meter) ?? 0;
      if (selected === undefined || outcome?.listed !== true || samples >= atLeast) continue;
      this.#addGap({
        pollster: selected.pollster.name,
        unit: null,
        units: atLeast - samples,
        meters: selected.meters.filter(({ name }) => name === meter)
          .map(({ name, type }) => ({ name, type })),
        partial: false,
        reason: 'below_expectation',
        detail: `Got ${samples} of '${meter}', at least ${atLeast} are expected`,
      });
    }
  }

  #addGap(gap: PollGap): void {
    this.#record.gap(gap);
    if (this.#source.fromHistory) return;
    this.#outbox.addGap(gap);
  }

  #contextFor(pollster: string): PollContext {
    return {
      cycle: this.#head.cycle,
      signal: this.#ports.signal,
      now: () => formatMillis(this.#ports.nowMs()),
      wants: (meter) => this.#source.selection.wants(meter),
      missing: (unit, meter, reason, detail) =>
        this.#addGap({
          pollster,
          unit: nameOfUnit(unit),
          units: 1,
          meters: [{ name: meter, type: this.#typeOf(pollster, meter) }],
          partial: true,
          reason,
          detail: storable(detail),
        }),
      remark: (code, unit, detail) => this.#record.remark(code, unit, detail),
    };
  }

  #typeOf(pollster: string, meter: string): Reading['type'] {
    const found = this.#ports.registry.pollsters.find(({ name }) => name === pollster);
    return found?.meters.find(({ name }) => name === meter)?.type ?? 'gauge';
  }

  /** When the time is up every request fails; that is the reason then. */
  #signalFailure(): Failure | null {
    return this.#ports.signal.aborted ? outOfTime() : null;
  }

  async #end(): Promise<CycleReceipt> {
    const started_at = formatMillis(this.#startedMs);
    const ended_at = formatMillis(this.#ports.nowMs());
    const requests = this.#ports.requests() - this.#requestsBefore;
    assert(requests >= 0, 'requests are counted upwards');
    const record = this.#record;
    await this.#outbox.end({
      started_at,
      ended_at,
      pollsters: this.#outcomes,
      requests,
      remark_counts: record.remarkCounts,
      remarks: record.remarks,
    });
    return {
      cycle: this.#head.cycle,
      units: record.units,
      samples: record.samples,
      missing: record.missing,
      gaps: record.gapCounts,
      remarks: record.remarkCounts,
      requests,
      started_at,
      ended_at,
    };
  }
}

/** The intake does not take what was read: the end of the attempt, and no fault of an endpoint. */
class IntakeRefused extends NephoError {
  constructor(cause: unknown) {
    super('intake_refused', 'Cannot put readings into the intake', { cause, retryable: true });
  }
}

function rejectionOf(signal: AbortSignal): Promise<never> {
  // Every request of the cycle listens to it.
  setMaxListeners(0, signal);
  const rejected = new Promise<never>((_, reject) => {
    const stop = (): void => reject(new NephoError('timeout', outOfTime().detail));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  // Whoever waits for it meets it; nobody may be waiting.
  rejected.catch(() => {});
  return rejected;
}

function outOfTime(): Failure {
  return { reason: 'timeout', detail: 'The time of the cycle was up' };
}
