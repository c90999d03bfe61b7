/** The audit finds nothing in windows that were sealed and revised as they should be, however samples came. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { AuditReport } from '../../activities/audit_report.ts';
import { auditRollup } from '../../activities/audit_rollups.ts';
import { auditHour } from '../../activities/audit_windows.ts';
import { hoursWithWindows, sealedHours } from '../../db/audit_rows.ts';
import { spansAround } from '../../db/rollups.ts';
import { formatMicros, HOUR_MICROS, toMicros } from '../../meters/timestamp.ts';
import { type PostgresServer, startPostgres } from '../support/postgres.ts';
import { testSigner } from '../support/test_signer.ts';
import { MODEL_HOURS, MODEL_START, modelSamples } from '../support/window_model.ts';
import { windowSkipReason, WindowWorld } from '../support/window_world.ts';

const SPAN = { from: '2026-10-01T00:00:00.000000Z', to: '2026-12-01T00:00:00.000000Z' };
const NOW = Date.parse('2026-11-02T00:00:00Z');

/** Samples that come, and hours that are sealed afterwards. */
const rounds = fc.array(
  fc.record({ samples: fc.integer({ min: 1, max: 15 }), hours: fc.integer({ min: 0, max: 20 }) }),
  { minLength: 2, maxLength: 6 },
);

describe('an audit of hours', { skip: windowSkipReason() }, () => {
  let postgres: PostgresServer;

  before(async () => {
    postgres = await startPostgres({ fsync: false, settings: ['jit=off'] });
    const template = await WindowWorld.on(postgres.url, NOW, { span: SPAN });
    await template.stop();
  });

  after(async () => {
    await postgres?.stop();
  });

  test('computes from samples alone what was sealed and revised step by step', async () => {
    let windows = 0;
    await fc.assert(
      fc.asyncProperty(modelSamples, rounds, async (samples, plan) => {
        const url = await postgres.createDatabase({ template: postgres.url });
        const world = await WindowWorld.on(url, NOW, { span: SPAN });
        try {
          let next = 0;
          for (const round of [...plan, { samples: samples.length, hours: MODEL_HOURS }]) {
            const fresh = samples.slice(next, next + round.samples);
            next += fresh.length;
            if (fresh.length > 0) await world.append(fresh);
            await sealHours(world, round.hours);
          }
          const report = await audit(world);
          assert.deepEqual(report.differences, []);
          windows += report.checked['windows'] ?? 0;
        } finally {
          await world.stop();
        }
      }),
      {
        numRuns: Number(process.env['NEPHO_TEST_RUNS'] ?? 6),
        seed: Number(process.env['NEPHO_TEST_SEED'] ?? 20_261_122),
      },
    );
    assert.ok(windows > 20, `${windows} windows`);
  });
});

async function sealHours(world: WindowWorld, hours: number): Promise<void> {
  const keeper = await world.begin();
  if (keeper === null) return;
  const { scanned_to: size } = await world.revise();
  const end = toMicros(MODEL_START) + BigInt(MODEL_HOURS) * HOUR_MICROS;
  const wanted = toMicros(keeper.sealedUntil) + BigInt(hours) * HOUR_MICROS;
  const to = formatMicros(wanted < end ? wanted : end);
  if (keeper.sealedUntil < to) await world.seal({ from: keeper.sealedUntil, to, size });
}

async function audit(world: WindowWorld): Promise<AuditReport> {
  const report = new AuditReport();
  const deps = { pool: world.pool, archives: null, vkeys: [testSigner().vkey] };
  const hours = new Map(
    [
      ...await sealedHours(world.pool, '9999-12-31T23:59:59.999999Z'),
      ...await hoursWithWindows(world.pool),
    ]
      .map((hour) => [hour.start, hour]),
  );
  const spans = new Map(
    [...hours.keys()].flatMap(spansAround).map((span) => [JSON.stringify(span), span]),
  );
  for (const hour of hours.values()) await auditHour(deps, hour, report);
  for (const span of spans.values()) await auditRollup(world.pool, { logId: 0, span }, report);
  return report;
}
