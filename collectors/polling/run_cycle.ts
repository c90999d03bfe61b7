/** One group's share of one cycle: discovers, polls, and tells what came and what did not. */
import type { MeterSelection } from '../../meters/meter_patterns.ts';
import type { GapReason } from '../../meters/poll_gap.ts';
import type { DiscoveryReference } from '../../meters/polling_config.ts';
import type { PollHead, PollsterOutcome } from '../../meters/poll_message.ts';
import { assert } from '../../meters/assert.ts';
import { NephoError } from '../../meters/errors.ts';
import type { Reading } from '../../meters/sample.ts';
import { formatMillis } from '../../meters/timestamp.ts';
import { CycleAccount, type Listing } from './cycle_account.ts';
import { CycleDeadline, timeIsUp } from './cycle_deadline.ts';
import { CycleRecord, type Failure, failureOf } from './cycle_record.ts';
import { isUnitId } from './kept_text.ts';
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
  /** Units that a pollster was expected to read in the last cycle that could list them, null if unknown. */
  lastDiscovered(pollster: string): number | null;
  /** Requests made so far by what the registry's collectors share. */
  requests(): number;
  nowMs(): number;
  /** Aborted when the cycle's time is up or the worker ends. */
  signal: AbortSignal;
  /** True if the worker ends: what it has not read is left to another attempt, and is no gap. */
  isStopping(): boolean;
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

/**
 * @throws {NephoError} `worker_stopping`, what the intake answers; what endpoints answer is recorded
 * instead
 */
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
  readonly #account: CycleAccount;
  readonly #listings: Listing[] = [];
  readonly #polling = new Set<Promise<void>>();
  readonly #slots: Slots;
  readonly #startedMs: number;
  readonly #requestsBefore: number;
  readonly #deadline: CycleDeadline;

  constructor(head: PollHead, source: CycleSource, ports: CyclePorts) {
    this.#head = head;
    this.#source = source;
    this.#ports = ports;
    this.#outbox = new Outbox(head, ports);
    this.#account = new CycleAccount(head, source, {
      ...ports,
      outbox: this.#outbox,
      record: this.#record,
    });
    this.#slots = new Slots(source.concurrency);
    this.#startedMs = ports.nowMs();
    this.#requestsBefore = ports.requests();
    this.#deadline = new CycleDeadline(ports.signal);
  }

  async run(): Promise<CycleReceipt> {
    const { pollsters } = this.#ports.registry;
    const usable = this.#source.fromHistory
      ? pollsters.filter((pollster) => pollster.pollAt !== undefined)
      : pollsters;
    const feeds = selectFeeds(usable, this.#source);
    if (feeds.length === 0) this.#account.missAll();
    const listings = feeds.map((feed) => this.#runFeed(feed));
    // All are waited for, so that none goes on behind the end of the cycle.
    const outcomes = await Promise.allSettled(listings);
    await Promise.all(this.#polling);
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    if (this.#ports.isStopping()) return await this.#giveUp();
    return await this.#end(this.#account.end(this.#listings));
  }

  async #runFeed(feed: Feed): Promise<void> {
    const pollers = feed.selected.map((selected) => ({
      ...selected,
      context: this.#contextFor(selected.pollster.name, selected),
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
    this.#listings.push({ pollers, discovered, failure });
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
    const listing = discovery.discover(this.#contextFor(feed.discovery, null), feed.parameter);
    const pages = listing[Symbol.asyncIterator]();
    try {
      for (;;) {
        const wasTimeUp = this.#ports.signal.aborted;
        const { done, value } = await this.#deadline.inTime(pages.next());
        if (done === true) return;
        if (wasTimeUp) throw timeIsUp();
        yield value;
      }
    } finally {
      // Not awaited: it may be the one that does not end.
      void Promise.resolve(pages.return?.()).catch(() => {});
    }
  }

  /** Polls a unit: at once if that takes no waiting, else beside others, of which there are only so many. */
  async #take(poller: Poller, unit: Unit): Promise<void> {
    const failure = this.#reasonNotToAsk(poller, unit.id);
    if (failure !== null) {
      this.#account.miss(poller, unit.id, failure);
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
    const polled = this.#deadline.inTime(readings)
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

  /** @throws what the pollster throws, and {@link timeIsUp} if the time was up before it was asked */
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
    const missing = this.#account.keep(poller, unit, wanted.map(({ meter }) => meter));
    if (wanted.length === 0) return;
    for (const reading of wanted) this.#look(pollster.name, unit, reading);
    this.#outbox.addUnit({ pollster: pollster.name, unit, readings: wanted }, missing);
    this.#record.units += 1;
    this.#record.samples += wanted.length;
  }

  #look(pollster: string, unit: string, reading: Reading): void {
    const { meter, type, resource_id, volume, timestamp } = reading;
    const { memory } = this.#ports;
    memory.seenMeters.note(pollster, meter);
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
    this.#account.miss(poller, unit, failure);
  }

  #contextFor(name: string, poller: SelectedPollster | null): PollContext {
    return {
      cycle: this.#head.cycle,
      signal: this.#ports.signal,
      now: () => formatMillis(this.#ports.nowMs()),
      wants: (meter) => this.#source.selection.wants(meter),
      missing: (unit, meter, reason, detail) =>
        this.#account.missPart(poller, name, { unit, meter, reason, detail }),
      remark: (code, unit, detail) => this.#record.remark(code, unit, detail),
    };
  }

  /** When the time is up every request fails; that is the reason then. */
  #signalFailure(): Failure | null {
    return this.#ports.signal.aborted ? failureOf(timeIsUp()) : null;
  }

  /** What was read is kept; the end is for whoever takes over to tell. */
  async #giveUp(): Promise<never> {
    await this.#outbox.flush();
    throw new NephoError(
      'worker_stopping',
      'Cannot poll the cycle to its end: this worker is being stopped, another takes over',
      { retryable: true },
    );
  }

  async #end(outcomes: readonly PollsterOutcome[]): Promise<CycleReceipt> {
    const started_at = formatMillis(this.#startedMs);
    const ended_at = formatMillis(this.#ports.nowMs());
    const requests = this.#ports.requests() - this.#requestsBefore;
    assert(requests >= 0, 'requests are counted upwards');
    const record = this.#record;
    await this.#outbox.end({
      started_at,
      ended_at,
      pollsters: outcomes,
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
