/** One sample's receipt, fetched over HTTP and verified with the public key alone. */
import type { NephoClient } from '../client/client.ts';
import { type VerifiedReceipt, verifyReceipt } from '../ledger/verify_receipt.ts';
import { assert } from '../meters/assert.ts';
import { NephoError } from '../meters/errors.ts';

export interface FirstReceipt {
  sampleId: string;
  verified: VerifiedReceipt;
}

/**
 * Takes a sample that has a volume worth showing, or whichever there is.
 *
 * @param vkeys the public keys that are believed: of the key files here, not of the API's answer
 * @returns null if there is no sample
 * @throws {NephoError} `receipt_refused` if the receipt does not verify
 */
export async function verifyOneReceipt(
  nepho: NephoClient,
  vkeys: readonly string[],
): Promise<FirstReceipt | null> {
  const sample = await newestSample(nepho, 'vcpus') ?? await newestSample(nepho);
  if (sample === null) return null;
  const { receipt } = await nepho.receipts.sample.query({ id: sample.id });
  const verified = await verifyReceipt(receipt, { vkeys });
  if (!verified.ok) {
    throw new NephoError(
      'receipt_refused',
      `Cannot verify the receipt of sample '${sample.id}': ${verified.message}, at step '${verified.step}'`,
    );
  }
  assert(
    verified.entry.kind === 'sample' && verified.entry.id === sample.id,
    'a receipt is of the sample that it was asked for',
  );
  return { sampleId: sample.id, verified };
}

export function formatReceipt({ sampleId, verified }: FirstReceipt): string {
  const { entry, index, origin, size, root, signedBy } = verified;
  const what = entry.kind === 'sample'
    ? `${entry.meter} ${entry.volume} ${entry.unit} of ${entry.resource_id} at ${entry.timestamp}`
    : entry.kind;
  return [
    `Receipt of sample ${sampleId}: verified`,
    `  what      ${what}`,
    `  where     entry ${index} of ${size} in ${origin}`,
    `  root      ${root}`,
    ...signedBy.map((vkey) => `  signed    ${vkey}`),
    '',
  ].join('\n');
}

async function newestSample(nepho: NephoClient, meter?: string) {
  const filter = meter === undefined ? {} : { meter };
  const { samples } = await nepho.samples.list.query({ ...filter, limit: 1 });
  return samples[0] ?? null;
}
