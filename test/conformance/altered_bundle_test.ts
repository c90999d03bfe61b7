/**
 * Nobody can alter a bundle by one bit: every bit of each bundle is turned, and none of the results
 * passes. Whoever signs beside the trusted key is not asked, so that the vectors have one signature.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verifyStatement } from '../../ledger/verify_statement.ts';
import { verifyWindow } from '../../ledger/verify_window.ts';
import { usageVectors } from '../support/usage_vectors.ts';

const VECTORS = await usageVectors();
const VKEYS = { vkeys: [VECTORS.vkey] };
const FATAL = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

type Verdict = { ok: true } | { ok: false; step: string; code: string; message: string };

interface Alterations {
  /** Bits of each byte that are turned, 8 unless told: by turns if fewer. */
  bits?: number;
  verify: (text: string) => Promise<Verdict>;
}

/** Turns bits of the bundle, and counts the steps that refuse the results. */
async function refusals(
  bundle: string,
  { bits = 8, verify }: Alterations,
): Promise<Map<string, number>> {
  const bytes = new TextEncoder().encode(bundle);
  const steps = new Map<string, number>();
  for (let place = 0; place < bytes.length; place += 1) {
    for (let turn = 0; turn < bits; turn += 1) {
      const mask = 1 << ((place * bits + turn) % 8);
      bytes[place] = (bytes[place] ?? 0) ^ mask;
      const text = decode(bytes);
      bytes[place] = (bytes[place] ?? 0) ^ mask;
      const verdict = text === null ? null : await verify(text);
      assert(
        !(verdict?.ok ?? false),
        `bit ${mask} of byte ${place} is altered, and nobody noticed`,
      );
      if (verdict === null || verdict.ok) continue;
      assert.notEqual(verdict.message, '');
      steps.set(verdict.step, (steps.get(verdict.step) ?? 0) + 1);
    }
  }
  return steps;
}

/** Null for what is no text: no reader would get as far as to verify it. */
function decode(bytes: Uint8Array): string | null {
  try {
    return FATAL.decode(bytes);
  } catch {
    return null;
  }
}

test('no bit of the bundle of a sealed window can be altered', async (context) => {
  const verify = (text: string) => verifyWindow(text, VKEYS);
  const steps = await refusals(VECTORS.sealed_bundle, { verify });
  context.diagnostic(JSON.stringify(Object.fromEntries(steps)));
  const expected = ['format', 'window', 'receipt.signature', 'receipt.inclusion', 'inclusion'];
  assert.deepEqual(expected.filter((step) => !steps.has(step)), []);
});

test('no bit of the bundle of a revised window can be altered', async (context) => {
  const verify = (text: string) => verifyWindow(text, VKEYS);
  const steps = await refusals(VECTORS.revised_bundle, { bits: 1, verify });
  context.diagnostic(JSON.stringify(Object.fromEntries(steps)));
  assert.deepEqual(['span', 'inclusion'].filter((step) => !steps.has(step)), []);
});

test('no bit of the bundle of a statement can be altered', async (context) => {
  const verify = (text: string) => verifyStatement(text, VKEYS);
  const steps = await refusals(VECTORS.statement_bundle, { bits: 1, verify });
  context.diagnostic(JSON.stringify(Object.fromEntries(steps)));
  const expected = ['format', 'document', 'signature', 'receipt.signature', 'receipt.inclusion'];
  assert.deepEqual(expected.filter((step) => !steps.has(step)), []);
});

test('no bit of the bundle of an amendment can be altered', async () => {
  const former = VECTORS.statements[0]?.document ?? '';
  const verify = (text: string) => verifyStatement(text, { ...VKEYS, former });
  await refusals(VECTORS.amendment_bundle, { bits: 1, verify });
});
