/** How long verifying a statement of many lines takes, offline, by the log's public key alone. */
import { createLogReaders } from '../api/log_reader.ts';
import { statementBundleOf } from '../api/statement_bundle.ts';
import { verifyStatement } from '../ledger/verify_statement.ts';
import { BillingWorld } from '../test/support/billing_world.ts';
import { testSigner } from '../test/support/test_signer.ts';
import { WindowWorld } from '../test/support/window_world.ts';
import { timed } from './timing.ts';

const START = '2026-06-01T00:00:00.000000Z';
const END = '2026-06-02T00:00:00.000000Z';
const ROUNDS = 21;

export async function benchStatement(
  { databaseUrl, lines }: { databaseUrl: string; lines: number },
  say: (line: string) => void,
): Promise<{ verify_statement_ms: number }> {
  const windows = await WindowWorld.on(databaseUrl, Date.parse('2026-06-02T03:00:00Z'), {
    span: { from: '2026-05-01T00:00:00.000000Z', to: '2026-09-01T00:00:00.000000Z' },
  });
  try {
    const world = new BillingWorld(windows);
    await windows.append(Array.from({ length: lines }, (_, n) => ({
      origin: `sample-${n}`,
      meter: 'requests',
      type: 'delta' as const,
      resource: `resource-${String(n).padStart(24, '0')}`,
      project: 'alpha',
      at: `2026-06-01T${String(n % 24).padStart(2, '0')}:10:00.000000Z`,
      volume: `${n}.25`,
    })));
    await world.seal(END);
    await world.open({ projectId: 'alpha', period: '2026-06-01', start: START, end: END });
    await world.close(await world.order({ project_id: 'alpha', period: '2026-06-01', number: 0 }));
    const row = await world.stored('alpha', '2026-06-01', 0);
    const db = windows.pool;
    const bundle = await statementBundleOf(
      { db, archives: null, openLog: createLogReaders(db, null) },
      row,
      { role: 'operator', keyId: 'bench' },
    );
    say(`verifying a statement of ${row.lines} lines`);
    const vkeys = [testSigner().vkey];
    const { p95 } = await timed(ROUNDS, async () => {
      const verdict = await verifyStatement(bundle, { vkeys });
      if (!verdict.ok) throw new Error(verdict.message);
    });
    return { verify_statement_ms: p95 };
  } finally {
    await windows.stop();
  }
}
