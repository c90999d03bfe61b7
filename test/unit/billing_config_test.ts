import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { type AgreedPeriod, periodFor } from '../../meters/billing_calendar.ts';
import { DEFAULT_BILLING, endpointsOf, ofProject } from '../../meters/billing_config.ts';
import { parseBilling } from '../../meters/billing_parse.ts';
import { periodOf, type PeriodRule } from '../../meters/billing_period.ts';
import { formatFault } from '../../meters/definition_fault.ts';
import { formatMicros, toMicros } from '../../meters/timestamp.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/billing/', import.meta.url));
const FAULTY = `${FIXTURES}faulty/`;

function configOf(text: string) {
  const parsed = parseBilling(text, { file: 'billing.yaml' });
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.faults.map(formatFault).join('\n'));
  return parsed.config;
}

test('parseBilling reads periods, approval, lines and webhooks with their defaults', () => {
  const config = configOf(readFileSync(`${FIXTURES}billing.yaml`, 'utf8'));
  const berlin = { length: 'month', zone: 'Europe/Berlin', startDay: 1 };
  assert.deepEqual(ofProject(config.periods, 'any'), berlin);
  assert.deepEqual(ofProject(config.periods, '3ac8c9d1f0a84b0f8b5d9f1f6f7b2a10'), {
    length: 'month',
    zone: 'America/New_York',
    startDay: 15,
  });
  assert.deepEqual(ofProject(config.periods, 'internal'), {
    length: 'week',
    zone: 'Europe/Berlin',
    startDay: 7,
  });
  assert.deepEqual([config.graceSeconds, config.amendSeconds], [259_200, 7_776_000]);
  assert.deepEqual(['internal', 'any'].map((id) => ofProject(config.approval, id)), [true, false]);
  assert.deepEqual(config.webhooks[0], {
    name: 'billing',
    url: 'https://billing.example/hooks/nepho?from=cloud',
    secrets: [{ env: 'BILLING_SECRET' }, { env: 'BILLING_SECRET_BEFORE' }],
    projects: ['*'],
    events: ['statement.final', 'statement.amended'],
    allowPrivateAddresses: false,
    caFile: null,
    timeoutMs: 20_000,
  });
  const told = (projectId: string, event: 'statement.final' | 'statement.amended') =>
    endpointsOf(config, { projectId, event }).map(({ name }) => name);
  assert.deepEqual(told('3ac8ff', 'statement.final'), ['billing']);
  assert.deepEqual(told('3ac8ff', 'statement.amended'), ['billing', 'crm']);
  assert.deepEqual(told('other', 'statement.amended'), ['billing']);
});

test('an empty billing.yaml is one of defaults', () => {
  for (const text of ['', '# nothing yet\n', '{}', 'periods:\nwebhooks: []\n']) {
    const parsed = parseBilling(text, { file: 'billing.yaml' });
    if (text.startsWith('periods')) assert.equal(parsed.ok, false);
    else assert.deepEqual(configOf(text), DEFAULT_BILLING);
  }
});

// Each file has its faults beside it. NEPHO_RECORD_FAULTS=1 writes them anew: read the change.
for (const name of readdirSync(FAULTY).filter((file) => file.endsWith('.yaml'))) {
  test(`parseBilling tells all faults of ${name} with their places, and no secret`, () => {
    const result = parseBilling(readFileSync(`${FAULTY}${name}`, 'utf8'), { file: name });
    const told = (result.ok ? [] : result.faults).map((fault) => `${formatFault(fault)}\n`).join(
      '',
    );
    const expected = `${FAULTY}${name.replace('.yaml', '.txt')}`;
    if (process.env['NEPHO_RECORD_FAULTS'] === '1') writeFileSync(expected, told);
    assert.equal(told, readFileSync(expected, 'utf8'));
    assert.doesNotMatch(told, /hunter2|MfKQ9r8/);
  });
}

test('parseBilling answers whatever text it is given', () => {
  const word = fc.constantFrom(
    'periods',
    'default',
    'zone',
    'grace',
    '2d',
    'webhooks',
    'name',
    ':',
    '\n',
    '  ',
    '- ',
    '{',
    '}',
    '[',
    '&a',
    '*a',
    '<<: ',
    "'",
  );
  fc.assert(fc.property(fc.array(word, { maxLength: 40 }), (words) => {
    const parsed = parseBilling(words.join(' '), { file: 'billing.yaml' });
    assert.ok(parsed.ok || parsed.faults.length > 0);
  }));
});

const MONTHS: PeriodRule = { length: 'month', zone: 'UTC', startDay: 1 };
const at = (text: string) => toMicros(text.padEnd(10, '-01').concat('T00:00:00.000000Z'));
const shown = ({ name, start, end }: AgreedPeriod) =>
  `${name} ${formatMicros(start).slice(0, 13)} ${formatMicros(end).slice(0, 13)}`;

test('periodFor goes on from what was agreed when the zone changes', () => {
  const october: AgreedPeriod = { name: '2026-10', start: at('2026-10-01'), end: at('2026-11-01') };
  const newYork: PeriodRule = { ...MONTHS, zone: 'America/New_York' };
  // Midnight of New York comes four hours later: they belong to the month that begins.
  for (
    const instant of [at('2026-11-01') + 1n, at('2026-11-01') + 7_200_000_000n, at('2026-11-20')]
  ) {
    assert.equal(
      shown(periodFor([october], newYork, instant)),
      '2026-11 2026-11-01T00 2026-12-01T05',
    );
  }
  const tokyo: PeriodRule = { ...MONTHS, zone: 'Asia/Tokyo' };
  assert.equal(
    shown(periodFor([october], tokyo, at('2026-11-20'))),
    '2026-11 2026-11-01T00 2026-11-30T15',
  );
  assert.equal(
    shown(periodFor([october], tokyo, at('2026-10-31') + 80_000_000_000n)),
    shown(october),
  );
  // Late data of the month before.
  assert.equal(
    shown(periodFor([october], newYork, at('2026-09-10'))),
    '2026-09 2026-09-01T04 2026-10-01T00',
  );
});

test('periodFor leaves days out in which nothing was agreed', () => {
  const days: PeriodRule = { ...MONTHS, length: 'day' };
  const fifth: AgreedPeriod = {
    name: '2026-10-05',
    start: at('2026-10-05'),
    end: at('2026-10-06'),
  };
  assert.equal(
    shown(periodFor([fifth], days, at('2026-10-07'))),
    '2026-10-07 2026-10-07T00 2026-10-08T00',
  );
  const october: AgreedPeriod = { name: '2026-10', start: at('2026-10-01'), end: at('2026-11-01') };
  assert.equal(shown(periodFor([october], days, at('2026-10-07'))), shown(october));
  assert.equal(
    shown(periodFor([october], days, at('2026-11-01'))),
    '2026-11-01 2026-11-01T00 2026-11-02T00',
  );
});

test('periods never overlap and never leave a used hour out, however the rule changes', () => {
  const rule = fc.record({
    length: fc.constantFrom('month', 'week', 'day'),
    zone: fc.constantFrom(
      'UTC',
      'Europe/Berlin',
      'America/New_York',
      'Asia/Kolkata',
      'Pacific/Kiritimati',
      'Pacific/Pago_Pago',
    ),
    startDay: fc.integer({ min: 1, max: 7 }),
  }) as fc.Arbitrary<PeriodRule>;
  const hour = fc.integer({ min: 0, max: 24 * 120 }).map((hours) =>
    at('2026-08-01') + BigInt(hours) * 3_600_000_000n
  );
  const use = fc.tuple(rule, fc.array(hour, { minLength: 1, maxLength: 8 }));
  fc.assert(
    fc.property(fc.array(use, { minLength: 1, maxLength: 4 }), (uses) => {
      const agreed: AgreedPeriod[] = [];
      for (const [inForce, instants] of uses) {
        for (const instant of instants) {
          const period = periodFor(agreed, inForce, instant);
          assert.ok(period.start <= instant && instant < period.end);
          if (!agreed.includes(period)) agreed.push(period);
        }
      }
      agreed.sort((a, b) => a.start < b.start ? -1 : 1);
      agreed.forEach(({ end }, index) => assert.ok(end <= (agreed[index + 1]?.start ?? end)));
      assert.equal(new Set(agreed.map(({ name }) => name)).size, agreed.length);
    }),
    { numRuns: 100 },
  );
});

test('periodFor is the rule where nothing was agreed', () => {
  assert.deepEqual(periodFor([], MONTHS, at('2026-10-07')), periodOf(MONTHS, at('2026-10-07')));
});
