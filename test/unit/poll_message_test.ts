import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isNephoError } from '../../meters/errors.ts';
import { ExactNumber, type JsonObject, type JsonValue } from '../../meters/json.ts';
import { MAX_SAMPLES_PER_NOTIFICATION } from '../../meters/limits.ts';
import { GAP_REASONS, REMARK_CODES } from '../../meters/poll_gap.ts';
import {
  encodePollMessage,
  gapOrigin,
  isPollMessage,
  joinPollMessage,
  type PolledUnit,
  type PollGap,
  type PollHead,
  pollKey,
  type PollMessage,
  pollOrigin,
} from '../../meters/poll_message.ts';
import { readPollHead, readPollMessage } from '../../meters/poll_message_reader.ts';
import { METER_TYPES, type Reading } from '../../meters/sample.ts';

const CYCLE = '2026-02-01T00:00:00.000000Z';
const HEAD: PollHead = { cloud: 'c', source: 's', group: 0, cycle: CYCLE };

const text = new TextDecoder('utf-8', { fatal: true });
const read = (message: PollMessage) => readPollMessage(text.decode(encodePollMessage(message)));
const message = (changes: Partial<PollMessage>): PollMessage => ({
  head: HEAD,
  units: [],
  gaps: [],
  end: null,
  ...changes,
});

const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
  .filter((one) => !one.includes('\0') && one.length <= 255);
const id = fc.option(name, { nil: null });
const timestamp = fc.constantFrom(
  CYCLE,
  '2026-02-01T00:00:01.500000Z',
  '1999-12-31T23:59:59.999999Z',
);
const count = fc.nat(1_000_000);
const volume = fc.oneof(
  fc.integer().map(String),
  fc.constantFrom('0.1', '18446744073709551615', '-12.000000000000000000001'),
);
const metadata = fc.dictionary(name, fc.jsonValue({ maxDepth: 3 }), { maxKeys: 4 })
  // Neither can a JSON text bring them; nor does JSON.parse tell -0 from 0.
  .map((one) => JSON.parse(JSON.stringify(one)) as JsonObject);
const type = fc.constantFrom(...METER_TYPES);
const reading: fc.Arbitrary<Reading> = fc.record({
  meter: name,
  type,
  unit: fc.oneof(name, fc.constant('')),
  volume,
  resource_id: name,
  project_id: id,
  user_id: id,
  timestamp,
  metadata,
});
const unit: fc.Arbitrary<PolledUnit> = fc.record({
  pollster: name,
  unit: name,
  readings: fc.array(reading, { maxLength: 5 }),
});
const meters = fc.array(fc.record({ name, type }), { maxLength: 3 });
const gap: fc.Arbitrary<PollGap> = fc.record({
  pollster: name,
  unit: id,
  units: count,
  meters,
  partial: fc.boolean(),
  reason: fc.constantFrom(...GAP_REASONS),
  detail: fc.oneof(name, fc.constant('')),
});
const end = fc.record({
  started_at: fc.option(timestamp, { nil: null }),
  ended_at: timestamp,
  requests: count,
  pollsters: fc.array(
    fc.record({ name, discovered: count, listed: fc.boolean(), meters }),
    { maxLength: 3 },
  ),
  remark_counts: fc.dictionary(fc.constantFrom(...REMARK_CODES), count),
  remarks: fc.array(
    fc.record({ code: fc.constantFrom(...REMARK_CODES), unit: id, detail: name }),
    { maxLength: 3 },
  ),
});
const anyMessage: fc.Arbitrary<PollMessage> = fc.record({
  head: fc.record({ cloud: name, source: name, group: fc.nat(99), cycle: timestamp }),
  units: fc.array(unit, { maxLength: 4 }),
  gaps: fc.array(gap, { maxLength: 4 }),
  end: fc.option(end, { nil: null }),
  // Some of what fast-check makes has no prototype.
}).map((one) => structuredClone(one));

describe('a poll message', () => {
  test('is read as it was written, whatever is in it', () => {
    fc.assert(
      fc.property(anyMessage, (written) => {
        const bytes = encodePollMessage(written);
        assert.ok(isPollMessage(bytes));
        const { faulty, ...got } = readPollMessage(text.decode(bytes));
        assert.deepEqual(faulty, []);
        assert.equal(JSON.stringify(got.units), JSON.stringify(written.units.map(inOrder)));
        assert.deepEqual({ ...got, units: [] }, { ...written, units: [] });
        assert.deepEqual(readPollHead(bytes), written.head);
        // What is kept of one unit can be sent again and is the same.
        assert.deepEqual(read(got), { ...got, faulty });
      }),
      { numRuns: 150 },
    );
  });

  test('says once what the readings of a unit share', () => {
    const shared = { name: 'x'.repeat(1_000) };
    const other = { name: 'y' };
    const readings = Array.from({ length: 50 }, (_, index): Reading => ({
      meter: `m${index}`,
      type: 'gauge',
      unit: 'B',
      volume: String(index),
      resource_id: 'r',
      project_id: 'p',
      user_id: null,
      timestamp: CYCLE,
      metadata: index === 49 ? other : shared,
    }));
    const bytes = encodePollMessage(message({ units: [{ pollster: 'p', unit: 'u', readings }] }));
    assert.ok(bytes.length < 5_000, `${bytes.length} bytes`);
    const [got] = readPollMessage(text.decode(bytes)).units;
    assert.deepEqual(got?.readings, readings);
    assert.equal(got.readings[0]?.metadata, got.readings[1]?.metadata, 'one object for all');
  });

  test('keeps every digit of a volume, and of a number in metadata as text', () => {
    const big = '9007199254740993';
    const exact: JsonObject = {
      counters: [new ExactNumber('18446744073709551615'), 1],
      deep: { of: new ExactNumber('0.10000000000000000001') },
      plain: 7,
    };
    const readings = [{
      meter: 'm',
      type: 'cumulative' as const,
      unit: 'B',
      volume: big,
      resource_id: 'r',
      project_id: null,
      user_id: null,
      timestamp: CYCLE,
      metadata: exact,
    }];
    const [got] = read(message({ units: [{ pollster: 'p', unit: 'u', readings }] })).units;
    assert.equal(got?.readings[0]?.volume, big);
    assert.deepEqual(got.readings[0].metadata, {
      counters: ['18446744073709551615', 1],
      deep: { of: '0.10000000000000000001' },
      plain: 7,
    });
  });

  test('of ten thousand units is read in a second, and one unit has its limit', () => {
    const of = (samples: number): PolledUnit => ({
      pollster: 'p',
      unit: `u${samples}`,
      readings: Array.from({ length: samples }, (_, index) => ({
        meter: `m${index}`,
        type: 'gauge' as const,
        unit: '',
        volume: '1',
        resource_id: 'r',
        project_id: null,
        user_id: null,
        timestamp: CYCLE,
        metadata: {},
      })),
    });
    const units = Array.from({ length: 10_000 }, (_, index) => ({ ...of(3), unit: `u${index}` }));
    const started = performance.now();
    assert.equal(read(message({ units })).units.length, 10_000);
    assert.ok(performance.now() - started < 3_000);
    const { units: taken, faulty } = read(message({
      units: [of(MAX_SAMPLES_PER_NOTIFICATION), of(MAX_SAMPLES_PER_NOTIFICATION + 1)],
    }));
    assert.equal(taken.length, 1);
    assert.deepEqual(faulty.map(({ unit: which, error }) => [which, error.code]), [
      [`u${MAX_SAMPLES_PER_NOTIFICATION + 1}`, 'too_many_samples'],
    ]);
  });
});

describe('rubbish in place of a poll message', () => {
  const anything = fc.oneof(
    fc.string(),
    fc.json(),
    fc.jsonValue().map((value) => JSON.stringify(value)),
    // Almost right, which goes further.
    fc.tuple(anyMessage, fc.jsonValue({ maxDepth: 1 }), fc.nat(), fc.boolean()).map(
      ([almost, value, where, isGone]) => spoil(almost, { value, where, isGone }),
    ),
    fc.tuple(anyMessage, fc.nat()).map(([almost, length]) => {
      const whole = text.decode(encodePollMessage(almost));
      return whole.slice(0, length % whole.length);
    }),
  );

  test('throws nothing but an error of ours with its place', () => {
    fc.assert(
      fc.property(anything, (rubbish) => {
        try {
          for (const { error } of readPollMessage(rubbish).faulty) assert.ok(isNephoError(error));
        } catch (error) {
          assert.ok(isNephoError(error), String(error));
          assert.match(
            error.code,
            /^(?:not_json|too_deep|envelope_invalid|text_invalid|name_too_long|timestamp_invalid)$/,
          );
          assert.equal(typeof error.context['place'], 'string');
        }
      }),
      { numRuns: 1_500 },
    );
  });

  const faults: [string, (body: Record<string, JsonValue>) => void, string, string][] = [
    ['another version', (body) => body['nepho_poll'] = 2, 'envelope_invalid', 'nepho_poll'],
    ['a group that no source has', (body) => body['group'] = 100, 'envelope_invalid', 'group'],
    ['half a group', (body) => body['group'] = 0.5, 'envelope_invalid', 'group'],
    [
      'a cycle of local time',
      (body) => body['cycle'] = '2026-02-01T00:00:00',
      'timestamp_invalid',
      'cycle',
    ],
    ['no source', (body) => body['source'] = '', 'envelope_invalid', 'source'],
    ['a NUL', (body) => body['cloud'] = 'a\0', 'text_invalid', 'cloud'],
    ['a long name', (body) => body['cloud'] = 'a'.repeat(256), 'name_too_long', 'cloud'],
    ['no units', (body) => body['units'] = null, 'envelope_invalid', 'units'],
    ['gaps of another kind', (body) => body['gaps'] = [1], 'envelope_invalid', 'gaps[0]'],
    [
      'a reason that nobody knows',
      (body) =>
        body['gaps'] = [{ pollster: 'p', unit: null, units: 1, meters: [], reason: 'mood' }],
      'envelope_invalid',
      'gaps[0].reason',
    ],
    [
      'an end without its times',
      (body) => body['end'] = { started_at: CYCLE },
      'timestamp_invalid',
      'end.ended_at',
    ],
  ];
  for (const [what, change, code, place] of faults) {
    test(`with ${what} is refused as a whole`, () => {
      const body = JSON.parse(text.decode(encodePollMessage(message({})))) as Record<
        string,
        JsonValue
      >;
      change(body);
      assert.throws(() => readPollMessage(JSON.stringify(body)), (error) => {
        assert.ok(isNephoError(error));
        assert.deepEqual([error.code, error.context['place']], [code, place]);
        return true;
      });
    });
  }

  test('stands alone where it is one unit, and has no name that could not be kept', () => {
    const sample = '{"meter":"m","type":"gauge","unit":"B","volume":"1"}';
    const about = '"resource_id":"r","project_id":null,"user_id":null';
    const good = (unitId: string) =>
      `{"pollster":"p","unit":${unitId},${about},"timestamp":"${CYCLE}","metadata":[{}],"samples":[${sample}]}`;
    const cases: [string, string, string | null, string][] = [
      ['volume', good('"a"').replace('"1"', '"many"'), 'a', 'volume_invalid'],
      ['resource', good('"b"').replace('"resource_id":"r",', ''), 'b', 'resource_missing'],
      ['time', good('"c"').replace(CYCLE, 'yesterday'), 'c', 'timestamp_invalid'],
      ['type', good('"d"').replace('gauge', 'guess'), 'd', 'envelope_invalid'],
      ['metadata', good('"e"').replace('[{}]', '[]'), 'e', 'envelope_invalid'],
      ['NUL', good('"f\\u0000"'), null, 'text_invalid'],
      ['length', good(`"${'x'.repeat(300)}"`), null, 'name_too_long'],
      ['kind', '7', null, 'envelope_invalid'],
    ];
    const units = [...cases.map(([, unitText]) => unitText), good('"z"')];
    const bytes = joinPollMessage(HEAD, { units, gaps: [], end: null });
    const got = readPollMessage(text.decode(bytes));
    assert.deepEqual(got.units.map((one) => one.unit), ['z']);
    assert.deepEqual(
      got.faulty.map((one) => [one.unit, one.error.code]),
      cases.map(([, , unitName, code]) => [unitName, code]),
    );
  });

  test('is told from a notification by its first bytes', () => {
    const bytes = (json: string) => new TextEncoder().encode(json);
    assert.ok(isPollMessage(encodePollMessage(message({}))));
    assert.ok(!isPollMessage(bytes('{"message_id":"x"}')));
    assert.ok(!isPollMessage(bytes('{"nepho_poll"')));
    assert.ok(!isPollMessage(bytes('')));
  });
});

describe('the names of polling', () => {
  const of = (changes: Partial<PollGap>): PollGap => ({
    pollster: 'nova.diagnostics',
    unit: 'u1',
    units: 1,
    meters: [{ name: 'cpu', type: 'cumulative' }],
    partial: false,
    reason: 'timeout',
    detail: '',
    ...changes,
  });

  test('of a unit has the cycle, and neither group nor worker nor time', () => {
    const origin = pollOrigin({ ...HEAD, group: 3 }, { pollster: 'nova.diagnostics', unit: 'u1' });
    assert.equal(origin, `poll:c/s@${CYCLE}/nova.diagnostics/u1`);
    assert.equal(pollKey({ ...HEAD, group: 3 }), 'poll:c/s/3');
  });

  test('of a gap is that of the unit which closes it, unless it is of less or of more', () => {
    const unitOrigin = pollOrigin(HEAD, { pollster: 'nova.diagnostics', unit: 'u1' });
    assert.equal(gapOrigin(HEAD, of({})), unitOrigin);
    assert.equal(gapOrigin(HEAD, of({ reason: 'set_aside' })), unitOrigin);
    assert.equal(gapOrigin(HEAD, of({ partial: true })), `${unitOrigin}#cpu`);
    const listing = `poll:c/s@${CYCLE}/nova.diagnostics#0`;
    assert.equal(gapOrigin(HEAD, of({ unit: null })), listing);
    assert.equal(
      gapOrigin(HEAD, of({ unit: null, reason: 'below_expectation' })),
      `${listing}!expectation`,
    );
    assert.notEqual(gapOrigin({ ...HEAD, group: 1 }, of({ unit: null })), listing);
  });
});

/** A reading with its members in the order in which they are read. */
function inOrder({ pollster, unit: unitId, readings }: PolledUnit): PolledUnit {
  return {
    pollster,
    unit: unitId,
    readings: readings.map((one) => ({
      meter: one.meter,
      type: one.type,
      unit: one.unit,
      volume: one.volume,
      resource_id: one.resource_id,
      project_id: one.project_id,
      user_id: one.user_id,
      timestamp: one.timestamp,
      metadata: one.metadata,
    })),
  };
}

/** Puts a value in one place of a message, or takes that place away. */
function spoil(
  almost: PollMessage,
  { value, where, isGone }: { value: unknown; where: number; isGone: boolean },
): string {
  const body: unknown = JSON.parse(text.decode(encodePollMessage(almost)));
  const places: [Record<string, unknown>, string][] = [];
  const look = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const [key, child] of Object.entries(node)) {
      places.push([node as Record<string, unknown>, key]);
      look(child);
    }
  };
  look(body);
  const place = places[where % places.length];
  if (place !== undefined) {
    const [node, key] = place;
    if (isGone) delete node[key];
    else node[key] = value;
  }
  return JSON.stringify(body);
}
