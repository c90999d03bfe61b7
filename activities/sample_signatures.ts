import { verifyCeilometerSignature } from '../ledger/ceilometer_signature.ts';
import { publishedSamples } from '../meters/ceilometer_samples.ts';
import { NephoError } from '../meters/errors.ts';
import { parseNumbersAsText } from '../meters/exact_json.ts';
import type { JsonObject } from '../meters/json.ts';
import { decodeNotification } from '../meters/notification.ts';

/** What a deployer says of the samples that Ceilometer's agents sign. */
export interface SampleSignaturePolicy {
  /** The agents' `telemetry_secret`; several while it is being changed. */
  secrets: readonly string[];
  /** Takes samples that bear no signature, or whose signature no secret is there to verify. */
  acceptUnsigned: boolean;
}

/** Checks the signatures of the samples in a message. @throws {NephoError} as {@link sampleSignatures} */
export type CheckSampleSignatures = (bytes: Uint8Array) => void;

/**
 * A check of every sample in a message that carries Ceilometer's samples. Nothing unverified passes
 * unless the deployer said so.
 *
 * @returns a function that throws `signature_unverifiable` if there is no secret, and
 * `signature_invalid` if a sample's signature is missing or is no secret's; context `place` as in
 * `samples[3].message_signature`
 */
export function sampleSignatures(policy: SampleSignaturePolicy): CheckSampleSignatures {
  const { secrets, acceptUnsigned } = policy;
  if (secrets.length === 0) return acceptUnsigned ? () => {} : refuseUnverifiable;
  return (bytes) => {
    // Again and with every number as its text: to the signature, 1.0 is not 1.
    const { eventType, payload } = decodeNotification(bytes, parseNumbersAsText);
    publishedSamples(eventType, payload).forEach((sample, index) => {
      if (acceptUnsigned && isUnsigned(sample)) return;
      if (secrets.some((secret) => verifyCeilometerSignature(sample, secret))) return;
      throw invalid(sample, `samples[${index}].message_signature`);
    });
  };
}

/** Ceilometer without a secret writes an empty signature; its direct publisher wrote none. */
function isUnsigned(sample: JsonObject): boolean {
  const signature = sample['message_signature'];
  return signature === undefined || signature === null || signature === '';
}

function refuseUnverifiable(): void {
  throw new NephoError(
    'signature_unverifiable',
    "Cannot verify the samples of a Ceilometer agent: set NEPHO_TELEMETRY_SECRET to the agents' " +
      'telemetry_secret, or NEPHO_TELEMETRY_UNSIGNED=accept to take them unverified, then retry',
    { context: { place: 'samples[0].message_signature' } },
  );
}

function invalid(sample: JsonObject, place: string): NephoError {
  const what = isUnsigned(sample)
    ? 'it is not signed'
    : 'its signature is not that of a configured secret';
  return new NephoError(
    'signature_invalid',
    `Cannot take the samples of a Ceilometer agent: '${place}': ${what}, give the agent the ` +
      'telemetry_secret that NEPHO_TELEMETRY_SECRET names; its message is kept here as it came',
    { context: { place } },
  );
}
