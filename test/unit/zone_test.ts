/** Calendars of time zones: days of 23, 24, 24.5 and 25 hours, skipped days, midnights that come twice. */
import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import {
  nextPeriod,
  type Period,
  periodNamed,
  periodOf,
  type PeriodRule,
} from '../../meters/billing_period.ts';
import { isNephoError } from '../../meters/errors.ts';
import { coverRange } from '../../meters/range_cover.ts';
import { parseTimestamp, toMicros } from '../../meters/timestamp.ts';
import {
  CALENDAR_UNITS,
  calendarSpans,
  type CalendarUnit,
  isKnownZone,
  localTimeOf,
  offsetSecondsOf,
  type Span,
} from '../../meters/zone.ts';

const MINUTE = 60_000_000n;
const HOUR = 60n * MINUTE;
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'America/St_Johns',
  'America/Sao_Paulo',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'Pacific/Apia',
  'Africa/Casablanca',
];

function at(text: string): bigint {
  return toMicros(parseTimestamp(text));
}

function hoursOf(spans: readonly Span[]): number[] {
  return spans.map(({ start, end }) => Number(end - start) / Number(HOUR));
}

function hoursOfDays(zone: string, from: string, to: string): number[] {
  return hoursOf(calendarSpans({ from: at(from), to: at(to), every: 'day', zone }));
}

test('a day is as long as its zone makes it', () => {
  assert.deepEqual(hoursOfDays('Europe/Berlin', '2026-03-28T00:00+01', '2026-03-31T00:00+02'), [
    24,
    23,
    24,
  ]);
  assert.deepEqual(hoursOfDays('Europe/Berlin', '2026-10-24T00:00+02', '2026-10-27T00:00+01'), [
    24,
    25,
    24,
  ]);
  assert.deepEqual(hoursOfDays('America/New_York', '2026-03-08T00:00-05', '2026-03-09T00:00-04'), [
    23,
  ]);
  assert.deepEqual(hoursOfDays('America/New_York', '2026-11-01T00:00-04', '2026-11-02T00:00-05'), [
    25,
  ]);
  assert.deepEqual(hoursOfDays('Australia/Lord_Howe', '2026-04-04T13:00Z', '2026-04-05T13:30Z'), [
    24.5,
  ]);
  assert.deepEqual(hoursOfDays('Australia/Lord_Howe', '2026-10-03T13:30Z', '2026-10-04T13:00Z'), [
    23.5,
  ]);
  assert.deepEqual(hoursOfDays('Asia/Kathmandu', '2026-10-03T18:15Z', '2026-10-05T18:15Z'), [
    24,
    24,
  ]);
});

test('a day without a midnight begins where its clock goes on, and a skipped day has no span', () => {
  // 2018-11-04 began at 01:00 in São Paulo, and 2018-02-17 had its last hour twice.
  assert.deepEqual(hoursOfDays('America/Sao_Paulo', '2018-11-03T03:00Z', '2018-11-06T02:00Z'), [
    24,
    23,
    24,
  ]);
  assert.deepEqual(hoursOfDays('America/Sao_Paulo', '2018-02-16T02:00Z', '2018-02-19T03:00Z'), [
    24,
    25,
    24,
  ]);
  // Samoa went from 2011-12-29 to 2011-12-31.
  assert.deepEqual(hoursOfDays('Pacific/Apia', '2011-12-29T10:00Z', '2012-01-01T10:00Z'), [
    24,
    24,
    24,
  ]);
  assert.equal(localTimeOf('Pacific/Apia', at('2011-12-30T09:59:59Z')).day, 29);
  assert.equal(localTimeOf('Pacific/Apia', at('2011-12-30T10:00Z')).day, 31);
});

test('an hour that comes twice is two, and half an hour is cut where the clock is set by half', () => {
  const hours = (zone: string, from: string, to: string) =>
    hoursOf(calendarSpans({ from: at(from), to: at(to), every: 'hour', zone }));
  assert.deepEqual(hours('Europe/Berlin', '2026-10-24T22:00Z', '2026-10-25T03:00Z'), [
    1,
    1,
    1,
    1,
    1,
  ]);
  assert.deepEqual(hours('Asia/Kathmandu', '2026-10-03T13:00Z', '2026-10-03T15:00Z'), [
    0.25,
    1,
    0.75,
  ]);
  assert.deepEqual(hours('Australia/Lord_Howe', '2026-10-03T14:30Z', '2026-10-03T18:00Z'), [
    1,
    0.5,
    1,
    1,
  ]);
  assert.deepEqual(hours('Australia/Lord_Howe', '2026-04-04T14:00Z', '2026-04-04T16:30Z'), [
    1,
    0.5,
    1,
  ]);
});

const zone = fc.constantFrom(...ZONES);
const instant = fc.integer({ min: -200_000_000, max: 2_200_000_000 }).map((seconds) =>
  BigInt(seconds) * 1_000_000n
);

test('the spans of a range follow each other without gaps, and end where the calendar says', () => {
  const lengths: Record<CalendarUnit, bigint> = {
    hour: 300n * HOUR,
    day: 3_000n * HOUR,
    week: 10_000n * HOUR,
    month: 20_000n * HOUR,
  };
  fc.assert(
    fc.property(zone, instant, fc.constantFrom(...CALENDAR_UNITS), (zone, from, every) => {
      const to = from + lengths[every];
      const spans = calendarSpans({ from, to, every, zone });
      assert.equal(spans[0]?.start, from);
      assert.equal(spans.at(-1)?.end, to);
      for (const [index, { start, end }] of spans.entries()) {
        assert.ok(start < end);
        if (index === 0) continue;
        assert.equal(spans[index - 1]?.end, start);
        const before = localTimeOf(zone, start - 1_000_000n);
        const first = localTimeOf(zone, start);
        if (every === 'hour') {
          const isSet = offsetSecondsOf(zone, start) !== offsetSecondsOf(zone, start - 1_000_000n);
          assert.ok(isSet || (first.minute === 0 && first.second === 0));
        } else {
          assert.notEqual(before.day, first.day);
          if (every === 'month') assert.notEqual(before.month, first.month);
        }
      }
    }),
    { numRuns: 60 },
  );
});

test('days begin where, minute by minute, a date is first seen on the clock', () => {
  const changes = [
    ['Europe/Berlin', '2026-03-28T12:00Z'],
    ['America/New_York', '2026-10-31T12:00Z'],
    ['Australia/Lord_Howe', '2026-04-04T00:00Z'],
    ['America/Sao_Paulo', '2018-11-03T12:00Z'],
    ['America/St_Johns', '2008-11-01T12:00Z'],
    ['Pacific/Apia', '2011-12-29T00:00Z'],
  ] as const;
  for (const [zone, start] of changes) {
    const dates = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short' });
    const from = at(start);
    const to = from + 40n * HOUR;
    let latest = dates.format(Number(from / 1_000n));
    const seen: bigint[] = [];
    for (let minute = from; minute < to; minute += MINUTE) {
      const date = dates.format(Number(minute / 1_000n));
      if (date <= latest) continue;
      latest = date;
      seen.push(minute);
    }
    const spans = calendarSpans({ from, to, every: 'day', zone });
    assert.deepEqual(spans.slice(1).map((span) => span.start), seen, zone);
  }
});

test('a zone that is not in the database is refused by name', () => {
  for (const name of ['', 'Mars/Olympus', '+01:00', 'UTC+1', 'Europe/Berlin ', 'a'.repeat(100)]) {
    assert.equal(isKnownZone(name), false, name);
    assert.throws(
      () => localTimeOf(name, 0n),
      (error) => isNephoError(error) && error.code === 'zone_unknown',
    );
  }
  for (const name of ZONES) assert.equal(isKnownZone(name), true, name);
});

test('a range of more spans than anybody reads is refused', () => {
  assert.throws(
    () => calendarSpans({ from: 0n, to: at('2026-01-01'), every: 'hour', zone: 'UTC' }),
    (error) => isNephoError(error) && error.code === 'too_many_spans',
  );
});

const rule: fc.Arbitrary<PeriodRule> = fc.oneof(
  fc.record({
    length: fc.constant('month' as const),
    zone,
    startDay: fc.integer({ min: 1, max: 28 }),
  }),
  fc.record({
    length: fc.constant('week' as const),
    zone,
    startDay: fc.integer({ min: 1, max: 7 }),
  }),
  fc.record({ length: fc.constant('day' as const), zone, startDay: fc.constant(1) }),
);

test('every instant has one period, which its name finds again, and the next one follows it', () => {
  fc.assert(
    fc.property(rule, instant, (rule, instant) => {
      const period = periodOf(rule, instant);
      assert.ok(period.start <= instant && instant < period.end);
      assert.deepEqual(periodNamed(rule, period.name), period);
      const next = nextPeriod(rule, period);
      assert.equal(next.start, period.end);
      assert.notEqual(next.name, period.name);
      assert.deepEqual(periodOf(rule, next.start - 1n), period);
    }),
    { numRuns: 150 },
  );
});

test('periods are months, weeks and days of their zone', () => {
  const berlin: PeriodRule = { length: 'month', zone: 'Europe/Berlin', startDay: 1 };
  const october: Period = {
    name: '2026-10',
    start: at('2026-10-01T00:00+02'),
    end: at('2026-11-01T00:00+01'),
  };
  assert.deepEqual(periodNamed(berlin, '2026-10'), october);
  assert.equal(periodOf({ ...berlin, startDay: 15 }, at('2026-10-14T21:59:59Z')).name, '2026-09');
  assert.equal(periodOf({ ...berlin, startDay: 15 }, at('2026-10-14T22:00:00Z')).name, '2026-10');
  const week: PeriodRule = { length: 'week', zone: 'UTC', startDay: 1 };
  const named = ['2026-01-01', '2024-12-30', '2027-01-03', '2021-01-03', '2026-10-07']
    .map((date) => periodOf(week, at(date)).name);
  assert.deepEqual(named, ['2026-W01', '2025-W01', '2026-W53', '2020-W53', '2026-W41']);
});

test('a name that no period has is refused', () => {
  const refused: [PeriodRule['length'], string][] = [
    ['month', '2026-13'],
    ['month', '2026-1'],
    ['month', '2026-W01'],
    ['week', '2025-W53'],
    ['week', '2026-W00'],
    ['day', '2026-02-30'],
    ['day', '2011-12-30'],
    ['day', ''],
  ];
  for (const [length, name] of refused) {
    assert.throws(
      () => periodNamed({ length, zone: 'Pacific/Apia', startDay: 1 }, name),
      (error) => isNephoError(error) && error.code === 'period_invalid',
      name,
    );
  }
});

test('a range is covered once by months, days, hours and what it cuts of hours', () => {
  fc.assert(
    fc.property(
      instant,
      fc.integer({ min: 0, max: 20_000_000 }),
      fc.boolean(),
      (from, length, whole) => {
        const start = whole ? from - from % HOUR : from;
        const end = start + BigInt(length) * (whole ? HOUR / 1_000n : 1_000_000n);
        const { months, days, hours, cuts } = coverRange(start, end);
        const runs = [...months, ...days, ...hours, ...cuts]
          .sort((left, right) => left.start < right.start ? -1 : 1);
        assert.equal(runs.at(0)?.start ?? start, start);
        assert.equal(runs.at(-1)?.end ?? end, end);
        runs.slice(1).forEach((run, index) => assert.equal(run.start, runs[index]?.end));
        const isAligned = (unit: CalendarUnit) => ({ start, end }: Span) =>
          [start, end].every((edge) =>
            calendarSpans({ from: edge - 1n, to: edge + 1n, every: unit, zone: 'UTC' }).length === 2
          );
        assert.ok(months.every(isAligned('month')) && months.length <= 1);
        assert.ok(days.every(isAligned('day')) && days.length <= 2);
        assert.ok(hours.every(isAligned('hour')) && hours.length <= 2);
        // A range may be longer than an hour and hold no whole one.
        const holdsHour = ({ start, end }: Span) =>
          start + (HOUR - start % HOUR) % HOUR + HOUR <= end;
        assert.ok(!cuts.some(holdsHour) && cuts.length <= 2);
        assert.ok(
          days.every((run) => run.end - run.start < 31n * 24n * HOUR || months.length === 0),
        );
      },
    ),
    { numRuns: 200 },
  );
});
