/** An hour of polling a faulty cloud by workers that come to grief, run as fast as it goes. */
import { setTimeout as delay } from 'node:timers/promises';
import { createPollAccountActivities } from '../../activities/poll_account.ts';
import { type PollCycleInput, pollGroup } from '../../activities/poll_cycle.ts';
import type { PollDeps } from '../../activities/poll_deps.ts';
import { createOpenStackCollector } from '../../collectors/openstack/collector.ts';
import { CollectorRegistry } from '../../collectors/polling/registry.ts';
import { createSourceMemory } from '../../collectors/polling/source_memory.ts';
import { SeededRandom } from '../../cli/demo/random.ts';
import { brokenInvariants } from '../../db/invariants.ts';
import { databaseLog } from '../../db/log_tiles.ts';
import { applyPollSource } from '../../db/poll_sources.ts';
import { verifyLog } from '../../ledger/verify_log.ts';
import { encodePollMessage, type PollHead } from '../../meters/poll_message.ts';
import { type ReadPollMessage, readPollMessage } from '../../meters/poll_message_reader.ts';
import { cyclesOf, groupOf } from '../../meters/poll_schedule.ts';
import { formatMillis } from '../../meters/timestamp.ts';
import { CLOUD_USER, CloudApi } from './cloud_api.ts';
import { FaultWorld } from './fault_world.ts';
import { type Expectation, PollModel } from './poll_model.ts';
import { Weather } from './poll_weather.ts';
import { SteppedIngest } from './stepped_ingest.ts';

const CLOUD = 'sim';
const SOURCE = 'instances';
const INTERVAL_SECONDS = 60;
const MINUTE_MS = 60_000;
/** Instances that may ever be, and pages that are smaller than what there is. */
const MOST = 28;
const PAGE = 4;
/** Units of a message: so that a small cloud has as many messages as a large one. */
const UNITS_A_MESSAGE = 12;
/** Patterns as an operator writes them: the rate is among them, and this cloud has none. */
const METERS = [
  'instance',
  'memory',
  'power.state',
  'cpu',
  'disk.device.read.bytes',
  'network.incoming.*',
  'port',
];
const OFFERED = {
  'nova.servers': ['instance', 'memory', 'power.state'],
  'nova.diagnostics': [
    'cpu',
    'disk.device.read.bytes',
    ...['bytes', 'packets', 'packets.drop', 'packets.error'].map((what) =>
      `network.incoming.${what}`
    ),
  ],
  'neutron.port': ['port'],
};
/** What may become of a group's cycle, as often as it stands here. */
const FATES = [
  ...Array.from({ length: 8 }, () => 'polled' as const),
  'polled twice at once',
  'polled twice at once',
  'polled again',
  'killed and polled again',
  'killed and polled again',
  'killed and polled again',
  'killed',
  'stopped and polled again',
  'stopped and polled again',
  'stopped',
  'acknowledgement lost',
  'acknowledgement lost',
  'out of time',
  'left out',
] as const;

/** What an attempt meets besides the cloud's faults. */
interface Mishap {
  /** Messages that are stored before the worker is gone. */
  diesAfter?: number;
  /** The message that is stored without the worker hearing of it. */
  losesAck?: number;
  /** Milliseconds until the worker is told to stop. */
  stopsAfterMs?: number;
  /** Milliseconds that the cycle may take. */
  timeMs?: number;
}

/** What a worker process has of its own. */
type Worker = Pick<PollDeps, 'collectors' | 'memory'> & { close(): Promise<void> };

export interface PollHourOptions {
  seed: number;
  /** A migrated database of its own. */
  databaseUrl: string;
  cycles: number;
  groups: number;
}

export class PollHour {
  readonly world: FaultWorld;
  readonly model = new PollModel({ cloud: CLOUD, source: SOURCE, offered: OFFERED });
  /** How often each fate befell a cycle. */
  readonly fates: string[] = [];
  readonly #options: PollHourOptions;
  readonly #api: CloudApi;
  readonly #random: SeededRandom;
  /** Of its own: how often there is a batch is no matter of the seed. */
  readonly #batches: SeededRandom;
  readonly #weather: Weather;
  readonly #startMs: number;
  readonly #workers: Worker[] = [];
  #minuteMs: number;
  #minuteBegan = 0;
  #alive: number[];
  #stopped: number[] = [];
  #published = 0;
  #ingest: SteppedIngest | null = null;

  static async start(options: PollHourOptions): Promise<PollHour> {
    const world = await FaultWorld.create({
      seed: `hour-${options.seed}`,
      shards: 1,
      databaseUrl: options.databaseUrl,
    });
    const weather = new Weather(`weather-${options.seed}`);
    // All of it has passed: what is read is never of the future.
    const startMs = Math.trunc(Date.now() / MINUTE_MS - options.cycles - 10) * MINUTE_MS;
    const api = await CloudApi.start({
      instances: MOST,
      pageSize: PAGE,
      rates: false,
      fault: (request) => weather.at(request),
    });
    return new PollHour(options, { world, weather, api, startMs });
  }

  private constructor(
    options: PollHourOptions,
    parts: { world: FaultWorld; weather: Weather; api: CloudApi; startMs: number },
  ) {
    this.#options = options;
    this.#random = new SeededRandom(`hour-${options.seed}`);
    this.#batches = new SeededRandom(`batches-${options.seed}`);
    this.world = parts.world;
    this.#weather = parts.weather;
    this.#api = parts.api;
    this.#startMs = parts.startMs;
    this.#minuteMs = parts.startMs;
    this.#alive = Array.from({ length: 12 }, (_, number) => number);
    this.#api.setInstances(this.#alive);
  }

  /** The whole hour. */
  async run(): Promise<void> {
    const { groups, cycles } = this.#options;
    await applyPollSource(this.world.db.pool, {
      cloud: CLOUD,
      name: SOURCE,
      spec: { meters: METERS, resources: [], discovery: [], groups, concurrency: 8, expect: [] },
      digest: '',
      intervalSeconds: INTERVAL_SECONDS,
      groups,
    }, formatMillis(this.#startMs));
    const ingest = new SteppedIngest(
      this.world.deps,
      () => this.#batches.pick([3, 100, 100]),
    );
    this.#ingest = ingest;
    try {
      for (let minute = 0; minute < cycles; minute += 1) await this.#minute(minute);
      this.#setClock(this.#startMs + (cycles + 2) * MINUTE_MS);
      await this.#checkCycles();
      await this.#settle();
    } finally {
      await ingest.stop();
    }
  }

  /** Everything that is wrong at the end. */
  async findFaults(): Promise<string[]> {
    const { pool } = this.world.db;
    const broken = await brokenInvariants(pool);
    const vkeys = this.world.deps.signers.map(({ vkey }) => vkey);
    const log = await verifyLog(databaseLog(pool, 0), { vkeys });
    return [
      ...await this.model.findFaults(pool),
      ...broken.map(({ name }) => `it does not hold that ${name}`),
      ...log.ok ? [] : [`the log does not verify: ${log.message}`],
    ];
  }

  async close(): Promise<void> {
    for (const worker of this.#workers) await worker.close();
    await this.#api.stop();
    await this.world.close();
  }

  async #minute(minute: number): Promise<void> {
    const from = this.#startMs + minute * MINUTE_MS;
    this.#setClock(from);
    if (minute > 0) this.#liveAndDie();
    for (let group = 0; group < this.#options.groups; group += 1) {
      const name = { cloud: CLOUD, source: SOURCE, group };
      const span = { from: formatMillis(from), to: formatMillis(from + MINUTE_MS) };
      const [cycle = ''] = cyclesOf(name, INTERVAL_SECONDS, span);
      this.model.begin(group, cycle);
      // The first one is calm, so that there is a number to go by.
      const fate = minute === 0 ? 'polled' : this.#random.pick(FATES);
      this.fates.push(fate);
      if (minute > 0) this.#weather.change();
      await this.#poll({ ...name, cycle }, fate);
      await this.#settle();
    }
    if (this.#random.next() < 0.1) {
      await this.#checkCycles();
      await this.#settle();
    }
  }

  async #poll(head: PollHead, fate: (typeof FATES)[number]): Promise<void> {
    const random = this.#random;
    switch (fate) {
      case 'polled':
        return await this.#attempt(0, head);
      case 'polled twice at once':
        await Promise.all([this.#attempt(0, head), this.#attempt(1, head)]);
        return;
      case 'polled again':
        await this.#attempt(0, head);
        return await this.#again(head);
      case 'killed':
        return await this.#attempt(0, head, { diesAfter: random.between(0, 9) });
      case 'killed and polled again':
        await this.#attempt(0, head, { diesAfter: random.between(0, 9) });
        return await this.#again(head);
      case 'stopped':
        return await this.#attempt(0, head, { stopsAfterMs: random.between(0, 60) });
      case 'stopped and polled again':
        await this.#attempt(0, head, { stopsAfterMs: random.between(0, 60) });
        return await this.#again(head);
      case 'acknowledgement lost':
        await this.#attempt(0, head, { losesAck: random.between(1, 9) });
        return await this.#attempt(0, head);
      case 'out of time':
        return await this.#attempt(0, head, { timeMs: random.between(10, 60) });
      case 'left out':
        return;
    }
  }

  /** The next attempt may find that instances are gone, or new, and another weather. */
  async #again(head: PollHead): Promise<void> {
    if (this.#random.next() < 0.5) await this.#settle();
    if (this.#random.next() < 0.6) this.#liveAndDie();
    if (this.#random.next() < 0.5) this.#weather.change();
    await this.#attempt(1, head);
  }

  /** One attempt, to whatever end. */
  async #attempt(number: number, head: PollHead, mishap: Mishap = {}): Promise<void> {
    const worker = this.#workers[number] ??= this.#newWorker();
    const present = this.#present(head.group);
    const stop = new AbortController();
    const timer = mishap.stopsAfterMs === undefined
      ? null
      : setTimeout(() => stop.abort(), mishap.stopsAfterMs);
    const input: PollCycleInput = {
      ...head,
      from_history: false,
      seconds: (mishap.timeMs ?? 30_000) / 1_000,
    };
    const deps: PollDeps = {
      ...worker,
      pool: this.world.db.pool,
      publish: this.#publisher(present, mishap),
      nowMs: () => this.#nowMs(),
      log: { info: () => {}, warn: () => {}, error: () => {} },
    };
    try {
      await pollGroup(deps, input, stop.signal);
    } catch (error) {
      if (Object.keys(mishap).length === 0) throw error;
      // The process is gone, and with it what it remembered.
      if (mishap.losesAck === undefined) await this.#replace(number);
    } finally {
      if (timer !== null) clearTimeout(timer);
    }
  }

  #newWorker(): Worker {
    let requests = 0;
    const collector = createOpenStackCollector({
      auth_url: this.#api.authUrl,
      username: CLOUD_USER.name,
      password_env: 'PASSWORD',
      project_name: 'service',
      endpoints: { '*': { timeout: 0.25, max_bytes: 1_000_000 } },
    }, {
      cloud: CLOUD,
      secret: () => Promise.resolve(CLOUD_USER.password),
      readText: () => Promise.reject(new Error('there is no file')),
      nowMs: () => this.#nowMs(),
      clockMs: () => this.#nowMs(),
      onRequest: () => requests += 1,
    });
    const registry = new CollectorRegistry([collector]);
    const memory = createSourceMemory();
    return {
      collectors: () => Promise.resolve({ registry, requests: () => requests }),
      memory: () => memory,
      close: () => collector.close(),
    };
  }

  async #replace(number: number): Promise<void> {
    const [old] = this.#workers.splice(number, 1, this.#newWorker());
    await old?.close();
  }

  #publisher(present: Expectation, mishap: Mishap): PollDeps['publish'] {
    const publisher = this.world.publisher();
    const note = this.model.attempt(present);
    let messages = 0;
    let isDead = false;
    return async (bytes, key) => {
      for (const part of split(readPollMessage(new TextDecoder().decode(bytes)))) {
        messages += 1;
        isDead ||= messages > (mishap.diesAfter ?? Infinity);
        if (isDead) throw new Error('the worker was killed');
        const stored = await publisher.publish({
          bytes: encodePollMessage(part),
          key,
          via: 'poll',
          again: true,
        });
        this.#published = Math.max(this.#published, stored.sequence);
        note(part);
        if (messages === mishap.losesAck) throw new Error('the acknowledgement was lost');
      }
    };
  }

  async #checkCycles(): Promise<void> {
    const account = createPollAccountActivities({
      pool: this.world.db.pool,
      publish: this.#publisher(new Map(), {}),
      scheduleState: () => Promise.resolve(null),
      nowMs: () => this.#nowMs(),
    });
    await account.checkCycles();
  }

  /** Waits until all that was published is in the log. */
  async #settle(): Promise<void> {
    await this.#ingest?.upTo(this.#published);
  }

  /** What there is now, by the pollsters that should read it. */
  #present(group: number): Expectation {
    const ours = (numbers: readonly number[], id: (number: number) => string) =>
      new Set(numbers.map(id).filter((one) => groupOf(one, this.#options.groups) === group));
    const server = (number: number) => this.#api.ids[number] ?? '';
    const running = this.#alive.filter((number) => !this.#stopped.includes(number));
    return new Map([
      ['nova.servers', ours(this.#alive, server)],
      ['nova.diagnostics', ours(running, server)],
      ['neutron.port', ours(this.#alive, (number) => this.#api.portId(number))],
    ]);
  }

  #liveAndDie(): void {
    const random = this.#random;
    const unborn = this.#api.ids.map((_, number) => number)
      .filter((number) => !this.#alive.includes(number));
    const born = unborn.filter(() => random.next() < 0.03);
    const left = this.#alive.filter(() => random.next() < 0.97);
    this.#alive = [...left, ...born];
    this.#stopped = this.#alive.filter((number) =>
      this.#stopped.includes(number) ? random.next() < 0.7 : random.next() < 0.03
    );
    this.#api.setInstances(this.#alive, this.#stopped);
  }

  #setClock(ms: number): void {
    this.#minuteMs = ms;
    this.#minuteBegan = performance.now();
  }

  #nowMs(): number {
    return this.#minuteMs + Math.trunc(performance.now() - this.#minuteBegan);
  }
}

/** The same in several messages, its end alone in the last; what is missing of a unit stays with it. */
function split(
  { head, units, gaps, end }: ReadPollMessage,
): ReadPollMessage[] {
  const part = (some: Partial<ReadPollMessage>): ReadPollMessage => ({
    head,
    units: [],
    faulty: [],
    gaps: [],
    end: null,
    ...some,
  });
  const parts: ReadPollMessage[] = [];
  for (let from = 0; from < units.length; from += UNITS_A_MESSAGE) {
    const some = units.slice(from, from + UNITS_A_MESSAGE);
    const isWithin = (gap: (typeof gaps)[number]) =>
      gap.partial && some.some((one) => one.pollster === gap.pollster && one.unit === gap.unit);
    parts.push(part({ units: some, gaps: gaps.filter(isWithin) }));
  }
  const alone = gaps.filter((gap) => !gap.partial);
  for (let from = 0; from < alone.length; from += UNITS_A_MESSAGE) {
    parts.push(part({ gaps: alone.slice(from, from + UNITS_A_MESSAGE) }));
  }
  return end === null ? parts : [...parts, part({ end })];
}

export async function withHour<Result>(
  options: PollHourOptions,
  work: (hour: PollHour) => Promise<Result>,
): Promise<Result> {
  const hour = await PollHour.start(options);
  try {
    await hour.run();
    return await work(hour);
  } finally {
    await hour.close();
    // Sockets that were reset are told of a turn later.
    await delay(0);
  }
}
