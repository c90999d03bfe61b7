/** The parts of a cycle each by itself; together they are in run_cycle_test.ts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { CounterMemory } from '../../collectors/polling/counter_memory.ts';
import { CycleRecord, failureOf, SeenMeters } from '../../collectors/polling/cycle_record.ts';
import { isUnitId, nameOfUnit } from '../../collectors/polling/kept_text.ts';
import { Outbox } from '../../collectors/polling/outbox.ts';
import type { Collector, Pollster, PollsterMeter } from '../../collectors/polling/pollster.ts';
import { CollectorRegistry } from '../../collectors/polling/registry.ts';
import { selectFeeds } from '../../collectors/polling/selection.ts';
import { SetAside } from '../../collectors/polling/set_aside.ts';
import { isNephoError, NephoError } from '../../meters/errors.ts';
import { compileMeterPatterns } from '../../meters/meter_patterns.ts';
import type { PollEnd, PollGap, PollHead } from '../../meters/poll_message.ts';
import { readPollMessage } from '../../meters/poll_message_reader.ts';
import { compareQuantities, parseQuantity } from '../../meters/quantity.ts';
import { readingOf } from '../support/poll_world.ts';

const HEAD: PollHead = {
  cloud: 'c',
  source: 's',
  group: 0,
  cycle: '2026-02-01T00:00:00.000000Z',
};
const END: PollEnd = {
  started_at: HEAD.cycle,
  ended_at: HEAD.cycle,
  pollsters: [],
  requests: 0,
  remark_counts: {},
  remarks: [],
};
const GAP: PollGap = {
  pollster: 'p',
  unit: 'u',
  units: 1,
  meters: [{ name: 'm', type: 'gauge' }],
  partial: false,
  reason: 'timeout',
  detail: '',
};
const HOUR_MS = 3_600_000;

function meter(name: string, type: PollsterMeter['type'] = 'gauge'): PollsterMeter {
  return { name, type, unit: 'thing' };
}

function pollster(name: string, discovery: string, meters: readonly string[]): Pollster {
  return { name, discovery, meters: meters.map((one) => meter(one)), poll: () => [] };
}

function collector(parts: Partial<Collector>): Collector {
  return { name: 'x', discoveries: [], pollsters: [], close: () => Promise.resolve(), ...parts };
}

/** An intake that stores a message when it is told to. */
class ManualIntake {
  readonly waiting: { units: number; isEnd: boolean; store(): void; refuse(error: Error): void }[] =
    [];
  stored = 0;

  readonly publish = (bytes: Uint8Array): Promise<void> => {
    const { units, end } = readPollMessage(new TextDecoder().decode(bytes));
    const published = new Promise<void>((store, refuse) => {
      this.waiting.push({ units: units.length, isEnd: end !== null, store, refuse });
    });
    return published.then(() => {
      this.stored += 1;
    });
  };
}

describe('the outbox', () => {
  const long = {
    pollster: 'p',
    unit: 'u',
    readings: [readingOf({
      meter: 'm',
      resource_id: 'r',
      timestamp: HEAD.cycle,
      metadata: { long: 'x'.repeat(200_000) },
    })],
  };
  const short = {
    ...long,
    readings: [readingOf({ meter: 'm', resource_id: 'r', timestamp: HEAD.cycle })],
  };

  test('packs many units into one message, and sends a full one at once', async () => {
    const intake = new ManualIntake();
    const outbox = new Outbox(HEAD, intake);
    for (let unit = 0; unit < 500; unit += 1) outbox.addUnit({ ...short, unit: `u${unit}` });
    assert.equal(intake.waiting.length, 0);
    outbox.addUnit(long);
    assert.deepEqual(intake.waiting.map(({ units }) => units), [501]);
    intake.waiting[0]?.store();
    await outbox.room();
  });

  test('says the end only when everything else is stored', async () => {
    const intake = new ManualIntake();
    const outbox = new Outbox(HEAD, intake);
    outbox.addUnit(short);
    outbox.addGap(GAP);
    const ended = outbox.end(END);
    assert.deepEqual(intake.waiting.map(({ isEnd }) => isEnd), [false]);
    intake.waiting[0]?.store();
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(intake.waiting.map(({ isEnd }) => isEnd), [false, true]);
    intake.waiting[1]?.store();
    await ended;
    assert.equal(intake.stored, 2);
  });

  test('has room for four messages on their way, and then for as many as were stored', async () => {
    const intake = new ManualIntake();
    const outbox = new Outbox(HEAD, intake);
    for (let sent = 0; sent < 4; sent += 1) {
      assert.ok(!outbox.isFull);
      await outbox.room();
      outbox.addUnit(long);
    }
    assert.ok(outbox.isFull);
    let hasRoom = false;
    const room = outbox.room().then(() => hasRoom = true);
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(!hasRoom);
    intake.waiting[2]?.store();
    await room;
    assert.ok(!outbox.isFull);
  });

  test('passes on what the intake refuses, and says no end then', async () => {
    const intake = new ManualIntake();
    const outbox = new Outbox(HEAD, intake);
    outbox.addUnit(long);
    intake.waiting[0]?.refuse(new NephoError('intake_full', 'Cannot publish: it is full'));
    await assert.rejects(outbox.end(END), /it is full/);
    await assert.rejects(outbox.room(), /it is full/);
    assert.equal(intake.waiting.length, 1);
  });

  test('does not gather gaps without end', () => {
    const intake = new ManualIntake();
    const outbox = new Outbox(HEAD, intake);
    for (let gap = 0; gap < 1_000; gap += 1) outbox.addGap({ ...GAP, unit: `u${gap}` });
    assert.equal(intake.waiting.length, 2);
  });
});

describe('what a source asks for', () => {
  const pollsters = [
    pollster('nova.servers', 'instances', ['instance', 'vcpus']),
    pollster('nova.diagnostics', 'instances', ['cpu', 'disk.read.bytes']),
    pollster('glance.images', 'images', ['image', 'image.size']),
    pollster('octavia.listeners', 'endpoint:load-balancer', ['listener']),
  ];
  const select = (meters: string[], discovery: { name: string; parameter: string }[] = []) =>
    selectFeeds(pollsters, { selection: compileMeterPatterns(meters), discovery })
      .map(({ discovery: name, parameter, selected }) => [
        `${name}:${parameter}`,
        ...selected.map((one) => `${one.pollster.name} ${one.meters.map((m) => m.name).join()}`),
      ]);

  test('is polled by the pollsters that have it, those of one listing together', () => {
    assert.deepEqual(select(['instance', 'disk.*', 'image']), [
      ['instances:', 'nova.servers instance', 'nova.diagnostics disk.read.bytes'],
      ['images:', 'glance.images image'],
    ]);
    assert.deepEqual(select(['!image*', '!listener', '!cpu', '!disk.*']), [
      ['instances:', 'nova.servers instance,vcpus'],
    ]);
    assert.deepEqual(select(['none.of.these']), []);
  });

  test('comes of the discoveries that it names, where they are those of a pollster', () => {
    assert.deepEqual(select(['listener']), [
      ['endpoint:load-balancer', 'octavia.listeners listener'],
    ]);
    const discovery = [
      { name: 'endpoint', parameter: 'lb-1' },
      { name: 'endpoint', parameter: 'lb-2' },
      { name: 'nobody', parameter: '' },
    ];
    assert.deepEqual(
      select(['listener', 'image'], discovery).toSorted((a, b) => a[0]! < b[0]! ? -1 : 1),
      [
        ['endpoint:lb-1', 'octavia.listeners listener'],
        ['endpoint:lb-2', 'octavia.listeners listener'],
        ['images:', 'glance.images image'],
      ],
    );
  });

  test('is had from one pollster where two have it', () => {
    const both = [
      pollster('first', 'a', ['cpu', 'memory']),
      pollster('second', 'b', ['cpu', 'disk']),
    ];
    const feeds = selectFeeds(both, { selection: compileMeterPatterns(['*']), discovery: [] });
    assert.deepEqual(
      feeds.map(({ selected }) => selected.map(({ meters }) => meters.map(({ name }) => name))),
      [[['cpu', 'memory']], [['disk']]],
    );
  });
});

describe('units set aside', () => {
  const failure = { reason: 'forbidden', detail: 'No' } as const;

  test('are those with a permanent error, each of its pollster, for an hour', () => {
    const aside = new SetAside();
    aside.note('p', 'u', failure, 1_000);
    aside.note('p', 'v', { reason: 'request_refused', detail: '' }, 1_000);
    aside.note('p', 'w', { reason: 'server_error', detail: '' }, 1_000);
    assert.deepEqual(aside.get('p', 'u', 1_000 + HOUR_MS - 1), {
      ...failure,
      untilMs: 1_000 + HOUR_MS,
    });
    assert.notEqual(aside.get('p', 'v', 1_001), null);
    assert.equal(aside.get('p', 'w', 1_001), null);
    assert.equal(aside.get('q', 'u', 1_001), null);
    assert.equal(aside.get('p', 'u', 1_000 + HOUR_MS), null);
    assert.equal(aside.get('p', 'u', 1_001), null, 'it is forgotten when it was asked again');
  });

  test('are so many at most: the oldest is asked again', () => {
    const aside = new SetAside();
    for (let unit = 0; unit <= 100_000; unit += 1) aside.note('p', `u${unit}`, failure, 0);
    assert.equal(aside.get('p', 'u0', 1), null);
    assert.notEqual(aside.get('p', 'u1', 1), null);
    assert.notEqual(aside.get('p', 'u100000', 1), null);
  });
});

describe('the memory of counters', () => {
  const volumes = fc.oneof(
    fc.bigInt({ min: 0n, max: 2n ** 70n }).map(String),
    fc.tuple(fc.nat(), fc.integer({ min: 1, max: 999 })).map(([whole, rest]) =>
      `${whole}.${rest}1`
    ),
  );

  test('tells a counter that went back as exact arithmetic does, at any size', () => {
    fc.assert(fc.property(volumes, volumes, (before, after) => {
      const memory = new CounterMemory();
      assert.equal(memory.wentBack('cpu', 'r', before), false);
      assert.equal(
        memory.wentBack('cpu', 'r', after),
        compareQuantities(parseQuantity(after), parseQuantity(before)) < 0,
      );
    }));
  });

  test('keeps resources and meters apart', () => {
    const memory = new CounterMemory();
    memory.wentBack('cpu', 'r', '9007199254740993');
    assert.equal(memory.wentBack('cpu', 'q', '1'), false);
    assert.equal(memory.wentBack('net', 'r', '1'), false);
    assert.equal(memory.wentBack('cpu', 'r', '9007199254740993'), false);
    assert.equal(memory.wentBack('cpu', 'r', '9007199254740992'), true);
  });
});

describe('what a cycle notes down', () => {
  test('has the reason that an error names, and the fault of the pollster for all others', () => {
    assert.deepEqual(failureOf(new NephoError('timeout', 'Too late')), {
      reason: 'timeout',
      detail: 'Too late',
    });
    assert.equal(failureOf(new NephoError('no_reason_of_a_gap', 'x')).reason, 'pollster_failed');
    assert.equal(failureOf('a text').reason, 'pollster_failed');
    assert.equal(failureOf(new Error('x\0\ud800'.repeat(500))).detail.length, 300);
    assert.ok(failureOf(new Error('x\0\ud800')).detail.isWellFormed());
    assert.ok(!failureOf(new Error('x\0')).detail.includes('\0'));
  });

  test('keeps the first fifty remarks and counts them all', () => {
    const record = new CycleRecord();
    for (let i = 0; i < 60; i += 1) record.remark('clock_skew', `u${i}`, 'late');
    record.remark('listed_twice', 'a\0', '');
    assert.deepEqual(record.remarkCounts, { clock_skew: 60, listed_twice: 1 });
    assert.equal(record.remarks.length, 50);
  });

  test('expects of a unit what its pollster has given so far, and all before it gave any', () => {
    const seen = new SeenMeters();
    const selected = {
      pollster: pollster('p', 'd', []),
      meters: [meter('cpu'), meter('never'), meter('instance:*')],
    };
    const names = () => seen.expected(selected).map(({ name }) => name);
    assert.deepEqual(names(), ['cpu', 'never', 'instance:*']);
    seen.note('p', 'cpu');
    assert.deepEqual(names(), ['cpu']);
    seen.note('p', 'instance:m1.small');
    assert.deepEqual(names(), ['cpu', 'instance:*']);
    seen.note('other', 'never');
    assert.deepEqual(names(), ['cpu', 'instance:*']);
  });

  test('names a unit by its id, and one whose id cannot be kept by what can be', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (id) => {
      const name = nameOfUnit(id);
      assert.ok(isUnitId(name));
      if (isUnitId(id)) assert.equal(name, id);
    }));
    assert.notEqual(nameOfUnit(`${'x'.repeat(300)}a`), nameOfUnit(`${'x'.repeat(300)}b`));
  });
});

describe('the registry', () => {
  const discovery = { name: 'things', discover: () => assert.fail('not asked for') };

  test('finds a discovery by its name', () => {
    const registry = new CollectorRegistry([collector({ discoveries: [discovery] })]);
    assert.equal(registry.discovery('things'), discovery);
    assert.throws(
      () => registry.discovery('others'),
      (error) => isNephoError(error) && error.code === 'service_absent',
    );
  });

  test('refuses two of a name, whichever collectors they are of', () => {
    const one = collector({ pollsters: [pollster('p', 'd', [])], discoveries: [discovery] });
    for (const other of [{ pollsters: one.pollsters }, { discoveries: [discovery] }]) {
      assert.throws(
        () => new CollectorRegistry([one, collector(other)]),
        (error) => isNephoError(error) && error.code === 'name_taken',
      );
    }
  });
});
