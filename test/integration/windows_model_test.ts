/** Sealed windows against a model that sees the whole history at once. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { brokenInvariants } from '../../db/invariants.ts';
import { figuresOf } from '../../db/window_columns.ts';
import {
  WINDOW_WITH_SERIES,
  windowsOfEntry,
  windowText,
  type WindowWithSeries,
} from '../../db/window_records.ts';
import { inForceBefore } from '../../db/windows.ts';
import { encodeHex } from '../../ledger/bytes.ts';
import { parseEntry } from '../../ledger/entry.ts';
import { leafHash } from '../../ledger/merkle.ts';
import type { WindowChange } from '../../ledger/revision_entry.ts';
import { appendLeaves, EMPTY_TREE, rootOf } from '../../ledger/tree.ts';
import {
  addQuantities,
  formatQuantity,
  parseQuantity,
  type Quantity,
  subtractQuantities,
} from '../../meters/quantity.ts';
import { formatMicros, HOUR_MICROS, toMicros } from '../../meters/timestamp.ts';
import { usageQuantity } from '../../meters/usage_quantity.ts';
import { type PostgresServer, startPostgres } from '../support/postgres.ts';
import {
  MODEL_HOURS,
  MODEL_START,
  modelSamples,
  naiveWindows,
  storedWindows,
} from '../support/window_model.ts';
import { windowSkipReason, WindowWorld, type WorldSample } from '../support/window_world.ts';

const SPAN = { from: '2026-10-01T00:00:00.000000Z', to: '2026-12-01T00:00:00.000000Z' };
const NOW = Date.parse('2026-11-02T00:00:00Z');

/** What happens to a log, in steps. */
type Step =
  | { kind: 'append'; samples: number; again: boolean }
  | { kind: 'revise' }
  | { kind: 'seal'; hours: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant('append' as const),
      samples: fc.integer({ min: 1, max: 12 }),
      again: fc.boolean(),
    }),
    fc.record({ kind: fc.constant('revise' as const) }),
    fc.record({ kind: fc.constant('seal' as const), hours: fc.integer({ min: 1, max: 16 }) }),
  ),
  { minLength: 4, maxLength: 14 },
);

describe('sealed and revised windows', { skip: windowSkipReason() }, () => {
  let postgres: PostgresServer;

  before(async () => {
    postgres = await startPostgres({ fsync: false });
    const template = await WindowWorld.on(postgres.url, NOW, { span: SPAN });
    await template.stop();
  });

  after(async () => {
    await postgres?.stop();
  });

  test('are what the whole history comes to, in whatever order and however often it came', async () => {
    await fc.assert(
      fc.asyncProperty(modelSamples, steps, async (samples, plan) => {
        const url = await postgres.createDatabase({ template: postgres.url });
        const world = await WindowWorld.on(url, NOW, { span: SPAN });
        try {
          await play(world, samples, plan);
        } finally {
          await world.stop();
        }
      }),
      {
        numRuns: Number(process.env['NEPHO_TEST_RUNS'] ?? 10),
        seed: Number(process.env['NEPHO_TEST_SEED'] ?? 20_261_122),
      },
    );
  });
});

async function play(
  world: WindowWorld,
  samples: readonly WorldSample[],
  plan: readonly Step[],
): Promise<void> {
  const came: WorldSample[] = [];
  let next = 0;
  for (const step of [...plan, { kind: 'append', samples: 1_000, again: true } as const]) {
    if (step.kind === 'append') {
      const fresh = samples.slice(next, next + step.samples);
      next += fresh.length;
      const again = step.again ? came.slice(0, 3) : [];
      if (fresh.length + again.length > 0) await world.append([...again, ...fresh]);
      came.push(...fresh);
    } else {
      await sealRound(world, step.kind === 'seal' ? step.hours : 0);
      await check(world, came);
    }
  }
  await sealRound(world, MODEL_HOURS);
  await check(world, came);
}

/** What one run of `sealWindows` does. */
async function sealRound(world: WindowWorld, hours: number): Promise<void> {
  const keeper = await world.begin();
  if (keeper === null) return;
  const { scanned_to: size } = await world.revise();
  const from = toMicros(keeper.sealedUntil);
  const last = toMicros(MODEL_START) + BigInt(MODEL_HOURS) * HOUR_MICROS;
  const to = from + BigInt(hours) * HOUR_MICROS;
  const until = formatMicros(to < last ? to : last);
  await world.seal({ from: keeper.sealedUntil, to: until, size });
}

async function check(world: WindowWorld, came: readonly WorldSample[]): Promise<void> {
  const keeper = await world.begin();
  if (keeper === null) return;
  const naive = naiveWindows(came, world.rules, keeper.sealedUntil);
  const stored = await storedWindows(world.pool);
  assert.deepEqual(stored, naive);
  assert.deepEqual(await brokenInvariants(world.pool), []);
  await checkEntries(world);
}

/** What each seal and revision vouches for is in the rows, and the differences add up to what is in force. */
async function checkEntries(world: WindowWorld): Promise<void> {
  const { rows } = await world.pool.query<{ position: bigint; entry: string }>(
    "SELECT position, entry FROM records WHERE kind IN ('seal', 'revision') ORDER BY position",
  );
  const inForce = new Map<string, { hash: string; quantity: Quantity }>();
  for (const { position, entry: text } of rows) {
    const windows = await windowsOfEntry(world.pool, position);
    const hashes = windows.map((window) => leafHash(windowText(window)));
    const entry = parseEntry(text);
    if (entry.kind === 'seal') {
      assert.equal(encodeHex(rootOf(appendLeaves(EMPTY_TREE, hashes).state)), entry.root);
      windows.forEach((window, index) => {
        const quantity = usageQuantity(window.type, figuresOf(window)).quantity;
        const hash = encodeHex(hashes[index] ?? new Uint8Array());
        inForce.set(`${window.key} ${window.start}`, { hash, quantity });
      });
    } else if (entry.kind === 'revision') {
      assert.deepEqual(entry.changes.map(({ after }) => after), hashes.map(encodeHex));
      assert.ok(windows.every((window) => window.project_id === entry.project_id));
      for (const change of entry.changes) applyChange(inForce, change);
    }
  }
  const stored = await world.pool.query<WindowWithSeries>(
    `SELECT ${WINDOW_WITH_SERIES} FROM windows w JOIN series r USING (series_id)
     WHERE ${inForceBefore(null)}`,
  );
  const quantities = stored.rows.map((row) => [
    `${row.key} ${row.start}`,
    formatQuantity(usageQuantity(row.type, figuresOf(row)).quantity),
  ]);
  const summed = [...inForce].map(([name, { quantity }]) => [name, formatQuantity(quantity)]);
  assert.deepEqual(summed.sort(byName), quantities.sort(byName));
}

function applyChange(
  inForce: Map<string, { hash: string; quantity: Quantity }>,
  change: WindowChange,
): void {
  const name = `${change.series} ${change.start}`;
  const known = inForce.get(name);
  assert.equal(change.before, known?.hash ?? null);
  const before = known?.quantity ?? parseQuantity('0');
  assert.equal(change.quantity_before, known === undefined ? null : formatQuantity(before));
  const after = parseQuantity(change.quantity_after);
  const difference = subtractQuantities(after, before);
  inForce.set(name, { hash: change.after, quantity: addQuantities(before, difference) });
}

function byName([left = '']: string[], [right = '']: string[]): number {
  return left < right ? -1 : 1;
}
