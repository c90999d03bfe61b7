import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Discovery, Pollster, Unit } from '../../collectors/polling/pollster.ts';
import { createSourceMemory } from '../../collectors/polling/source_memory.ts';
import { NephoError } from '../../meters/errors.ts';
import { compileMeterPatterns } from '../../meters/meter_patterns.ts';
import { readPollMessage } from '../../meters/poll_message_reader.ts';
import {
  collectorOf,
  failure,
  gauge,
  HEAD,
  Intake,
  isListed,
  listing,
  never,
  numbered,
  poll,
  pollsterOf,
  type Read,
  things,
} from '../support/memory_cycle.ts';
import { memoryCollector, pollOnce, readingOf } from '../support/poll_world.ts';

const HOUR_MS = 3_600_000;
const START_MS = Date.parse(HEAD.cycle);

describe('a cycle', () => {
  test('gives for every unit either its readings or a gap, whatever befalls it', async () => {
    const fates = ['now', 'later', 'throws', 'rejects', 'hangs', 'nonsense', 'partly'] as const;
    type Fate = (typeof fates)[number];
    const readAs = (fate: Fate): Read => (unit, context) => {
      const readings = [
        readingOf({ meter: 'a.level', resource_id: unit.id, timestamp: context.now() }),
      ];
      switch (fate) {
        case 'now':
          return readings;
        case 'later':
          return Promise.resolve(readings);
        case 'throws':
          throw failure('server_error');
        case 'rejects':
          return Promise.reject(new Error('no reason of ours'));
        case 'hangs':
          return never();
        case 'nonsense':
          return 'no list' as never;
        case 'partly':
          context.missing(unit.id, 'a.level', 'value_invalid', 'It is no number');
          return [];
      }
    };
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...fates), { maxLength: 30 }),
        fc.integer({ min: 1, max: 5 }),
        async (each, concurrency) => {
          const units = numbered(each.length);
          const fateOf = new Map(units.map(({ id }, index) => [id, each[index] ?? 'now']));
          const stop = new AbortController();
          // Time is up once nothing but what hangs is left to wait for.
          const timer = setTimeout(() => stop.abort(), 5);
          const collector = memoryCollector(() => units, [
            gauge('a', (unit, context) => readAs(fateOf.get(unit.id) ?? 'now')(unit, context)),
          ]);
          const { intake, receipt, end } = await poll(collector, {
            source: { concurrency },
            signal: stop.signal,
          });
          clearTimeout(timer);
          const told = [...intake.units, ...intake.named()].map(({ unit }) => unit);
          assert.deepEqual(new Set(told), new Set(fateOf.keys()));
          assert.equal(told.length, units.length);
          // Cut off by its time, a listing may have had more to tell.
          const unlisted = intake.gaps.length - intake.named().length;
          assert.equal(unlisted, each.includes('hangs') && !isListed(end) ? 1 : 0);
          assert.deepEqual(
            [receipt.samples, receipt.missing],
            [intake.units.length, intake.gaps.length],
          );
          const sum = Object.values(receipt.gaps).reduce((total, count) => total + count, 0);
          assert.equal(sum, receipt.missing);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('ends in time although a pollster never answers and does not look at the signal', async () => {
    const stop = new AbortController();
    const polled: string[] = [];
    const collector = memoryCollector(() => numbered(20), [gauge('a', (unit, context) => {
      polled.push(unit.id);
      if (polled.length === 5) queueMicrotask(() => stop.abort());
      if (polled.length > 3) return never();
      return Promise.resolve([
        readingOf({ meter: 'a.level', resource_id: unit.id, timestamp: context.now() }),
      ]);
    })]);
    const { intake, receipt, end } = await poll(collector, {
      signal: stop.signal,
      source: { concurrency: 3 },
    });
    assert.equal(intake.units.length, 3);
    assert.deepEqual(Object.keys(receipt.gaps), ['timeout']);
    assert.equal(new Set(intake.named().map(({ unit }) => unit)).size, 17);
    assert.ok(polled.length <= 6, `${polled.length} were asked`);
    assert.deepEqual(end.pollsters.map(({ name, discovered }) => [name, discovered]), [
      ['memory.a', 20],
    ]);
  });

  test('keeps what was listed before the listing failed, and counts the rest as missing', async () => {
    const discovery: Discovery = {
      name: 'things',
      async *discover() {
        yield await Promise.resolve(things('a', 'b'));
        throw failure('paging_loop');
      },
    };
    const collector = collectorOf([discovery], [pollsterOf('things', gauge('a'))]);
    const known = await poll(collector, { lastDiscovered: () => 7 });
    assert.deepEqual(known.intake.stored(), ['memory.a a', 'memory.a b']);
    // All that there should be: the store takes off what is stored, by this attempt and others.
    assert.deepEqual(known.intake.reasons(), ['memory.a ×7 paging_loop']);
    assert.equal(known.receipt.missing, 5);
    assert.equal(known.end.pollsters[0]?.listed, false);
    // Never listed before: that there is one missing is all that can be said.
    const unknown = await poll(collector);
    assert.deepEqual(unknown.intake.reasons(), ['memory.a ×3 paging_loop']);
    assert.equal(unknown.receipt.missing, 1);
    // More than there were: nothing is missing for certain.
    const more = await poll(collector, { lastDiscovered: () => 2 });
    assert.deepEqual(more.intake.reasons(), []);
  });

  test('does not wait for a listing that hangs behind the end of its time', async () => {
    const stop = new AbortController();
    const hanging: Discovery = {
      name: 'things',
      discover: () => ({
        [Symbol.asyncIterator]: () => ({
          next: () => {
            queueMicrotask(() => stop.abort());
            return never();
          },
          return: () => never(),
        }),
      }),
    };
    const collector = collectorOf([hanging], [pollsterOf('things', gauge('a'))]);
    const { intake } = await poll(collector, { signal: stop.signal, lastDiscovered: () => 4 });
    assert.deepEqual(intake.reasons(), ['memory.a ×4 timeout']);
  });

  test('of one listing feeds all pollsters that ask for it, and lists once', async () => {
    let listings = 0;
    const discovery: Discovery = {
      name: 'things',
      async *discover() {
        listings += 1;
        yield await Promise.resolve(things('x'));
      },
    };
    const collector = collectorOf(
      [discovery],
      ['a', 'b', 'c'].map((name) => pollsterOf('things', gauge(name))),
    );
    const { intake } = await poll(collector);
    assert.equal(listings, 1);
    assert.deepEqual(intake.stored(), ['memory.a x', 'memory.b x', 'memory.c x']);
  });

  test('polls what a listing names twice once, and says so', async () => {
    const collector = memoryCollector(() => things('x', 'y', 'x'), [gauge('a')]);
    const { intake, end, receipt } = await poll(collector);
    assert.deepEqual(intake.stored(), ['memory.a x', 'memory.a y']);
    assert.deepEqual(receipt.remarks, { listed_twice: 1 });
    assert.deepEqual(end.remarks.map(({ code, unit }) => [code, unit]), [['listed_twice', 'x']]);
    assert.equal(end.pollsters[0]?.discovered, 2);
  });

  test('polls static resources instead of what would be discovered', async () => {
    const discovery: Discovery = {
      name: 'hosts',
      discover: () => assert.fail('nothing is discovered'),
      resource: (text) => text.startsWith('host:') ? { id: text.slice(5), data: null } : null,
    };
    const collector = collectorOf([discovery, listing('others', things('o'))], [
      pollsterOf('hosts', gauge('a')),
      pollsterOf('others', gauge('b')),
    ]);
    const resources = ['host:one', 'nobody knows it', 'host:two'];
    const { intake } = await poll(collector, { source: { resources } });
    assert.deepEqual(intake.stored().sort(), ['memory.a one', 'memory.a two', 'memory.b o']);
  });

  test("polls its group's share alone", async () => {
    const collector = memoryCollector(() => numbered(10), [gauge('a')]);
    const isOurs = (unit: string) => Number(unit.slice(1)) % 3 === 0;
    const { intake, end } = await poll(collector, { isOurs });
    assert.deepEqual(intake.units.map(({ unit }) => unit), ['u0', 'u3', 'u6', 'u9']);
    assert.equal(end.pollsters[0]?.discovered, 4);
  });

  test('misses what is fewer than expected, in group 0 and of a listing that came to its end', async () => {
    const source = { expect: [{ meter: 'a.level', atLeast: 5 }] };
    const collector = memoryCollector(() => things('x', 'y'), [gauge('a')]);
    const { intake, receipt } = await poll(collector, { source });
    assert.deepEqual(intake.reasons(), ['memory.a ×5 below_expectation']);
    assert.equal(receipt.missing, 3);
    assert.deepEqual(intake.gaps[0]?.meters, [{ name: 'a.level', type: 'gauge' }]);
    const other = await poll(collector, { source }, { ...HEAD, group: 1 });
    assert.deepEqual(other.intake.reasons(), []);
    const failing = memoryCollector(() => {
      throw failure('forbidden');
    }, [gauge('a')]);
    const unlisted = await poll(failing, { source, lastDiscovered: () => 5 });
    assert.deepEqual(unlisted.intake.reasons(), ['memory.a ×5 forbidden']);
    const enough = await poll(memoryCollector(() => numbered(5), [gauge('a')]), { source });
    assert.deepEqual(enough.intake.reasons(), []);
  });

  test('does not count twice what is fewer than expected and known by name', async () => {
    const source = { expect: [{ meter: 'a.level', atLeast: 5 }] };
    const collector = memoryCollector(() => numbered(5), [gauge('a', (unit, context) => {
      if (unit.id === 'u3') throw failure('timeout');
      return [readingOf({ meter: 'a.level', resource_id: unit.id, timestamp: context.now() })];
    })]);
    const { intake } = await poll(collector, { source });
    assert.deepEqual(intake.reasons(), ['memory.a u3 timeout']);
  });

  test('leaves the rest to another worker when its own is stopped, and keeps what it has read', async () => {
    const stop = new AbortController();
    const collector = memoryCollector(() => numbered(20), [gauge('a', (unit, context) => {
      if (unit.id === 'u4') stop.abort();
      return [readingOf({ meter: 'a.level', resource_id: unit.id, timestamp: context.now() })];
    })]);
    const intake = new Intake();
    await assert.rejects(
      pollOnce(HEAD, collector, intake.publish, {
        signal: stop.signal,
        isStopping: () => stop.signal.aborted,
      }),
      { code: 'worker_stopping', retryable: true },
    );
    assert.equal(intake.units.length, 5);
    assert.deepEqual([intake.gaps, intake.end], [[], null]);
  });

  test('expects of later cycles those units alone that had readings', async () => {
    const collector = memoryCollector(() => numbered(6), [gauge('a', (unit, context) => {
      if (unit.id === 'u1') throw failure('timeout');
      if (unit.id > 'u3') return [];
      return [readingOf({ meter: 'a.level', resource_id: unit.id, timestamp: context.now() })];
    })]);
    const { end } = await poll(collector);
    assert.deepEqual(end.pollsters.map(({ discovered }) => discovered), [4]);
  });

  test('tells of a meter that is missing with its unit, and of a unit without any as a whole', async () => {
    const collector = memoryCollector(() => things('x', 'y', 'z'), [{
      name: 'memory.two',
      meters: [{ name: 'm', type: 'gauge', unit: '' }, { name: 'n', type: 'cumulative', unit: '' }],
      async poll({ id }, context) {
        await Promise.resolve();
        context.missing(id, 'm', 'value_invalid', 'It is no number');
        if (id === 'x') throw failure('timeout');
        context.missing(id, 'n', 'value_invalid', 'Nor is this');
        context.missing(id, 'n', 'value_invalid', 'Nor is that');
        const shared = { resource_id: id, timestamp: context.now() };
        return id === 'y' ? [] : [readingOf({ ...shared, meter: 'n', type: 'cumulative' })];
      },
    }]);
    const { intake, receipt } = await poll(collector);
    const gaps = intake.gaps.map(({ unit, meters, partial, reason }) =>
      [unit, meters.map(({ name }) => name).join('+'), partial, reason].join(' ')
    );
    assert.deepEqual(gaps.sort(), [
      'x m+n false timeout',
      'y m+n false value_invalid',
      'z m true value_invalid',
      'z n true value_invalid',
    ]);
    assert.equal(receipt.missing, 6);
  });

  test('leaves a unit alone for an hour after a permanent error, and reports it in each cycle', async () => {
    let asked = 0;
    let isForbidden = true;
    const collector = memoryCollector(() => things('x'), [gauge('a', (unit, context) => {
      asked += 1;
      if (isForbidden) throw failure('forbidden');
      return [readingOf({ meter: 'a.level', resource_id: unit.id, timestamp: context.now() })];
    })]);
    const memory = createSourceMemory();
    const at = async (ms: number) =>
      (await poll(collector, { memory, nowMs: () => START_MS + ms })).intake;
    assert.deepEqual((await at(0)).reasons(), ['memory.a x forbidden']);
    const aside = await at(HOUR_MS - 1);
    assert.deepEqual(aside.reasons(), ['memory.a x set_aside']);
    assert.match(
      aside.gaps[0]?.detail ?? '',
      /^forbidden, asked again at 2026-02-01T01:00:00\.000000Z: /,
    );
    assert.equal(asked, 1);
    isForbidden = false;
    assert.deepEqual((await at(HOUR_MS)).stored(), ['memory.a x']);
    assert.equal(asked, 2);
  });

  test('asks again in the next cycle what failed for a while only', async () => {
    let asked = 0;
    const collector = memoryCollector(() => things('x'), [gauge('a', () => {
      asked += 1;
      throw failure('server_error');
    })]);
    const memory = createSourceMemory();
    for (const _ of [1, 2, 3]) await poll(collector, { memory });
    assert.equal(asked, 3);
  });

  test('never polls more units at a time than it may, whichever listings they are of', async () => {
    let active = 0;
    let most = 0;
    const slow: Read = async (unit, context) => {
      active += 1;
      most = Math.max(most, active);
      await new Promise((resolve) => setImmediate(resolve));
      active -= 1;
      return [readingOf({ meter: 'none', resource_id: unit.id, timestamp: context.now() })];
    };
    const names = ['a', 'b', 'c', 'd'];
    const collector = collectorOf(
      names.map((name) => listing(name, numbered(30))),
      names.map((name) => pollsterOf(name, gauge(name, slow))),
    );
    await poll(collector, { source: { concurrency: 3 } });
    assert.equal(most, 3);
  });

  test('does not hold up what needs no waiting while all else waits', async () => {
    const stop = new AbortController();
    const quick = numbered(1_000);
    let read = 0;
    const collector = collectorOf([listing('slow', numbered(10)), {
      name: 'quick',
      async *discover() {
        yield await Promise.resolve(quick.slice(0, 1));
        // By now every slot is taken for ever.
        yield await new Promise<Unit[]>((resolve) => setImmediate(() => resolve(quick.slice(1))));
      },
    }], [
      pollsterOf('slow', gauge('a', () => never())),
      pollsterOf(
        'quick',
        gauge('b', (unit, context) => {
          read += 1;
          if (read === quick.length) stop.abort();
          return [readingOf({ meter: 'b.level', resource_id: unit.id, timestamp: context.now() })];
        }),
      ),
    ]);
    const { intake } = await poll(collector, { signal: stop.signal, source: { concurrency: 2 } });
    assert.equal(intake.units.length, quick.length);
    assert.equal(intake.named().length, 10);
  });

  test('waits for a slow intake instead of filling memory', async () => {
    const long = 'x'.repeat(2_000);
    let [produced, published, most] = [0, 0, 0];
    const collector = memoryCollector(() => numbered(4_000), [gauge('a', (unit, context) => {
      produced += 1;
      most = Math.max(most, produced - published);
      const metadata = { long };
      return [
        readingOf({ meter: 'a.level', resource_id: unit.id, timestamp: context.now(), metadata }),
      ];
    })]);
    await pollOnce(HEAD, collector, async (bytes) => {
      await new Promise((resolve) => setImmediate(resolve));
      published += readPollMessage(new TextDecoder().decode(bytes)).units.length;
    });
    assert.equal(published, 4_000);
    // Five messages of 192 Ki characters, of units of 2,200 each.
    assert.ok(most < 600, `${most} units were held`);
  });

  test('fails by what the intake says, as soon as it says so, and leaves nothing running', async () => {
    let polled = 0;
    const collector = memoryCollector(() => numbered(3_000), [gauge('a', (unit, context) => {
      polled += 1;
      const metadata = { long: 'x'.repeat(2_000) };
      return [
        readingOf({ meter: 'a.level', resource_id: unit.id, timestamp: context.now(), metadata }),
      ];
    })]);
    const full = new NephoError('intake_full', 'Cannot publish: it is full', { retryable: true });
    await assert.rejects(
      pollOnce(HEAD, collector, () => Promise.reject(full)),
      (error) => error === full,
    );
    assert.ok(polled < 1_000, `${polled} were polled in vain`);
  });

  test('says of counters that went back and of clocks that are wrong that they did and are', async () => {
    let value = 10;
    const collector = memoryCollector(() => things('x'), [{
      name: 'memory.count',
      meters: [{ name: 'count', type: 'cumulative', unit: 'thing' }],
      poll: (unit) => [readingOf({
        meter: 'count',
        type: 'cumulative',
        resource_id: unit.id,
        timestamp: '2026-02-01T01:00:00.000000Z',
        volume: String(value),
      })],
    }]);
    const memory = createSourceMemory();
    assert.deepEqual((await poll(collector, { memory })).receipt.remarks, { clock_skew: 1 });
    value = 9;
    const nowMs = () => START_MS + HOUR_MS;
    const { receipt, end } = await poll(collector, { memory, nowMs });
    assert.deepEqual(receipt.remarks, { counter_reset: 1 });
    assert.equal(end.remarks[0]?.detail, "'count' of 'x' is now 9");
    assert.equal(receipt.samples, 1, 'it is kept all the same');
  });

  test('tells of a unit whose id cannot be kept, and stores the others', async () => {
    const ids = ['', 'x'.repeat(256), 'a\0b', '\ud800', 'good'];
    const collector = memoryCollector(() => things(...ids, ''), [gauge('a')]);
    const { intake, end } = await poll(collector);
    assert.deepEqual(intake.stored(), ['memory.a good']);
    assert.deepEqual([...new Set(intake.gaps.map(({ reason }) => reason))], ['value_invalid']);
    assert.equal(new Set(intake.gaps.map(({ unit }) => unit)).size, 4);
    assert.deepEqual(end.remark_counts, { listed_twice: 1 });
  });

  test('repairs from those alone that remember, and adds no gap to those on record', async () => {
    const asked: string[] = [];
    const remembering: Omit<Pollster, 'discovery'> = {
      ...gauge('a', () => assert.fail('the present is not asked for')),
      pollAt(unit, instant) {
        asked.push(`${unit.id} ${instant}`);
        if (unit.id === 'y') throw failure('resource_gone');
        return [readingOf({ meter: 'a.level', resource_id: unit.id, timestamp: instant })];
      },
    };
    const collector = memoryCollector(() => things('x', 'y'), [remembering, gauge('b')]);
    const nowMs = () => START_MS + 30 * 24 * HOUR_MS;
    const { intake, receipt } = await poll(collector, { source: { fromHistory: true }, nowMs });
    assert.deepEqual(asked, [`x ${HEAD.cycle}`, `y ${HEAD.cycle}`]);
    assert.deepEqual([intake.stored(), intake.gaps], [['memory.a x'], []]);
    assert.deepEqual(receipt.gaps, { resource_gone: 1 });
    assert.deepEqual(receipt.remarks, {}, 'a reading of the past is no clock that is wrong');
  });

  test('of a source that nothing can read is missing as a whole', async () => {
    const selection = compileMeterPatterns(['no.such.meter']);
    const collector = memoryCollector(() => things('x'), [gauge('a')]);
    const { intake } = await poll(collector, { source: { selection } });
    assert.deepEqual(intake.reasons(), ['* ×1 service_absent']);
    const unknown = collectorOf([], [pollsterOf('elsewhere', gauge('a'))]);
    const named = await poll(unknown, { source: { named: ['a.level'] } });
    assert.deepEqual(named.intake.reasons(), ['memory.a ×1 service_absent']);
    const wildcard = await poll(unknown);
    assert.deepEqual([wildcard.intake.gaps, wildcard.receipt.remarks], [[], { not_offered: 1 }]);
  });
});
