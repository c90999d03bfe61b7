/** What must be in the store after polling, computed apart from it; and the comparison of the two. */
import { listCoverage } from '../../db/coverage.ts';
import type { Queryable } from '../../db/client.ts';
import type { ReadPollMessage } from '../../meters/poll_message_reader.ts';

/** Units that a pollster should read, by its name. */
export type Expectation = ReadonlyMap<string, ReadonlySet<string>>;

export interface PollModelOptions {
  cloud: string;
  source: string;
  /** The meters that each unit of a pollster has, by the pollster's name. */
  offered: Readonly<Record<string, readonly string[]>>;
}

/** One pollster in one cycle of one group. */
class Share {
  /** Every unit that an attempt has told of, and all of a listing that came to its end. */
  readonly named = new Set<string>();
  /** What the last listing that came to its end had; null without one. */
  listed: ReadonlySet<string> | null = null;
}

interface Slot {
  cycle: string;
  shares: Map<string, Share>;
}

/**
 * The account as it must be: what an attempt could list is expected by name; else what was told by name,
 * and so many more as make up the number of the last cycle that could be listed.
 */
export class PollModel {
  readonly #options: PollModelOptions;
  /** By group, oldest first. */
  readonly #groups = new Map<number, Slot[]>();

  constructor(options: PollModelOptions) {
    this.#options = options;
  }

  /** A cycle is due, polled or not. */
  begin(group: number, cycle: string): void {
    const names = Object.keys(this.#options.offered);
    const shares = new Map(names.map((name) => [name, new Share()]));
    const slots = this.#groups.get(group) ?? [];
    this.#groups.set(group, [...slots, { cycle, shares }]);
  }

  /** Begins an attempt, when `present` is there. Returns what is to be told of each message that is stored. */
  attempt(present: Expectation): (message: ReadPollMessage) => void {
    const told = new Map([...present].map(([pollster, units]) => [pollster, new Set(units)]));
    return ({ head, units, gaps, end }) => {
      const slot = this.#groups.get(head.group)?.find(({ cycle }) => cycle === head.cycle);
      const share = (pollster: string): Share => {
        const found = slot?.shares.get(pollster);
        if (found === undefined) throw new Error(`'${pollster}' in ${head.cycle} was not expected`);
        return found;
      };
      const tell = (pollster: string, unit: string): void => {
        share(pollster).named.add(unit);
        told.get(pollster)?.add(unit);
      };
      for (const { pollster, unit } of units) tell(pollster, unit);
      for (const { pollster, unit, partial } of gaps) {
        if (unit !== null && !partial) tell(pollster, unit);
      }
      for (const { name, listed } of end?.pollsters ?? []) {
        if (!listed) continue;
        // More than is present: one that was not asked, since it was set aside, may have nothing to say.
        share(name).listed = new Set(told.get(name));
        for (const unit of present.get(name) ?? []) share(name).named.add(unit);
      }
    };
  }

  /** Everything that is wrong, in sentences; empty if samples and gaps are what was expected. */
  async findFaults(db: Queryable): Promise<string[]> {
    const stored = await readStored(db, this.#options);
    const faults = [...stored.twice];
    const totals = new Map<string, Total>();
    for (const [group, slots] of this.#groups) {
      const last = new Map<string, number>();
      for (const { cycle, shares } of slots) {
        for (const [pollster, share] of shares) {
          const meters = this.#options.offered[pollster] ?? [];
          const key = shareKey({ group, cycle, pollster });
          const counted = share.listed === null
            ? Math.max(0, (last.get(pollster) ?? 0) - share.named.size)
            : 0;
          faults.push(...stored.compare({ key, meters, named: share.named, counted }));
          for (const meter of meters) {
            const total = entry(totals, `${cycle} ${meter}`, () => ({ expected: 0, received: 0 }));
            total.expected += share.named.size + counted;
            total.received += stored.received(key, meter);
          }
          if (share.listed !== null) last.set(pollster, share.listed.size);
        }
      }
    }
    faults.push(...stored.unexpected());
    return [...faults, ...await wrongCoverage(db, this.#options, totals)];
  }
}

interface Total {
  expected: number;
  received: number;
}

interface ShareName {
  group: number;
  cycle: string;
  pollster: string;
}

function shareKey({ group, cycle, pollster }: ShareName): string {
  return `${cycle} group ${group} ${pollster}`;
}

/** What one share has in the store. */
class StoredShare {
  /** How often each `unit meter` is accounted for. */
  readonly samples = new Map<string, number>();
  readonly gaps = new Map<string, number>();
  counted = 0;
  /** Meters of the gaps that are but counted. */
  countedMeters = '';
}

class Stored {
  readonly twice: string[] = [];
  readonly #shares = new Map<string, StoredShare>();
  readonly #compared = new Set<string>();

  share(key: string): StoredShare {
    return entry(this.#shares, key, () => new StoredShare());
  }

  received(key: string, meter: string): number {
    let sum = 0;
    for (const [name, times] of this.#shares.get(key)?.samples ?? []) {
      if (name.endsWith(` ${meter}`)) sum += times;
    }
    return sum;
  }

  compare(
    { key, meters, named, counted }: {
      key: string;
      meters: readonly string[];
      named: ReadonlySet<string>;
      counted: number;
    },
  ): string[] {
    this.#compared.add(key);
    const faults: string[] = [];
    const { samples, gaps, counted: found, countedMeters } = this.share(key);
    const left = new Set([...samples.keys(), ...gaps.keys()]);
    for (const unit of named) {
      for (const meter of meters) {
        const name = `${unit} ${meter}`;
        left.delete(name);
        const [read, missing] = [samples.get(name) ?? 0, gaps.get(name) ?? 0];
        if (read + missing === 1) continue;
        faults.push(`${key}: ${name} has ${read} samples and ${missing} gaps`);
      }
    }
    for (const name of left) faults.push(`${key}: ${name} was not expected`);
    if (found !== counted) faults.push(`${key}: ${found} unnamed are missing, not ${counted}`);
    if (found > 0 && countedMeters !== [...meters].sort().join()) {
      faults.push(`${key}: the unnamed lack ${countedMeters}`);
    }
    return faults;
  }

  unexpected(): string[] {
    return [...this.#shares.keys()].filter((key) => !this.#compared.has(key))
      .map((key) => `${key}: was never polled`);
  }
}

interface SampleRow {
  origin: string;
  group_no: number;
  cycle: string;
  id: string;
  meter: string;
  resource_id: string;
}

async function readStored(
  db: Queryable,
  { cloud, source }: PollModelOptions,
): Promise<Stored> {
  const stored = new Stored();
  const prefix = `poll:${cloud}/${source}@`;
  const groups = await groupsOfUnits(db, { cloud, source });
  const samples = await db.query<SampleRow>(
    `SELECT o.origin, s.id::text AS id, r.meter, r.resource_id
     FROM samples s JOIN origins o USING (origin_id) JOIN series r USING (series_id)
     WHERE starts_with(o.origin, $1)`,
    [prefix],
  );
  const [ids, readings] = [new Set<string>(), new Set<string>()];
  for (const { origin, id, meter, resource_id } of samples.rows) {
    const [cycle = '', pollster = '', unit = ''] = origin.slice(prefix.length).split('/');
    const reading = `${cycle} ${meter} ${resource_id}`;
    if (ids.has(id)) stored.twice.push(`sample ${id} is there twice`);
    if (readings.has(reading)) stored.twice.push(`${reading} is there twice`);
    ids.add(id);
    readings.add(reading);
    const group = groups(cycle, unit);
    count(stored.share(shareKey({ group, cycle, pollster })).samples, `${unit} ${meter}`, 1);
  }
  await readGaps(db, stored, { cloud, source });
  const origins = await db.query<{ origin: string }>(
    `SELECT origin FROM origins WHERE starts_with(origin, $1)
     GROUP BY origin HAVING count(*) > 1`,
    [prefix],
  );
  for (const { origin } of origins.rows) stored.twice.push(`origin ${origin} is there twice`);
  return stored;
}

/** A sample does not say which group has polled it: the groups' cycles do, which have phases of their own. */
async function groupsOfUnits(
  db: Queryable,
  { cloud, source }: { cloud: string; source: string },
): Promise<(cycle: string, unit: string) => number> {
  const { rows } = await db.query<{ cycle: string; group_no: number }>(
    'SELECT cycle, group_no FROM poll_cycles WHERE cloud = $1 AND source = $2',
    [cloud, source],
  );
  const groups = new Map(rows.map(({ cycle, group_no }) => [cycle, group_no]));
  return (cycle) => groups.get(cycle) ?? -1;
}

async function readGaps(
  db: Queryable,
  stored: Stored,
  { cloud, source }: { cloud: string; source: string },
): Promise<void> {
  const { rows } = await db.query<{
    group: number;
    cycle: string;
    pollster: string;
    unit: string | null;
    units: number;
    meters: string[];
  }>(
    `SELECT c.group_no AS group, c.cycle, g.pollster, g.unit, g.units, g.meters
     FROM poll_gaps g JOIN poll_cycles c USING (cycle_id)
     WHERE c.cloud = $1 AND c.source = $2 AND g.repaired_at IS NULL`,
    [cloud, source],
  );
  for (const { unit, units, meters, ...name } of rows) {
    const share = stored.share(shareKey(name));
    if (unit === null) {
      share.counted += units;
      share.countedMeters = [...meters].sort().join();
    } else for (const meter of meters) count(share.gaps, `${unit} ${meter}`, units);
  }
}

async function wrongCoverage(
  db: Queryable,
  { cloud, source }: PollModelOptions,
  totals: ReadonlyMap<string, Total>,
): Promise<string[]> {
  const faults: string[] = [];
  const left = new Set([...totals].flatMap(([key, { expected }]) => expected > 0 ? [key] : []));
  for (let cursor: string | null = null;;) {
    const page = await listCoverage(db, { cloud, source }, { limit: 1_000, cursor });
    for (const { cycle, meter, expected, received, missing } of page.rows) {
      const key = `${cycle} ${meter}`;
      const total = totals.get(key) ?? { expected: 0, received: 0 };
      left.delete(key);
      if (
        expected === total.expected && received === total.received &&
        missing === expected - received
      ) continue;
      faults.push(
        `the coverage of ${key} is ${received} + ${missing} = ${expected}, not ` +
          `${total.received} of ${total.expected}`,
      );
    }
    if (page.nextCursor === null) break;
    cursor = page.nextCursor;
  }
  return [...faults, ...[...left].map((key) => `there is no coverage of ${key}`)];
}

function entry<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) map.set(key, value = make());
  return value;
}

function count(counts: Map<string, number>, name: string, more: number): void {
  counts.set(name, (counts.get(name) ?? 0) + more);
}
