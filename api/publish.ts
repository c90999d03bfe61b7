import { Buffer } from 'node:buffer';
import { z } from 'zod';
import { MAX_NOTIFICATION_BYTES } from '../meters/limits.ts';
import type { Intake, IntakeMessage, IntakeOutcome } from './deps.ts';
import { apiError, publicError } from './errors.ts';
import { countOutput } from './wire_schema.ts';

/** Messages in one call. Their bytes are bound by the request's body. */
export const MAX_PUBLISHED_MESSAGES = 1_000;

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** A message as it is to be stored: its text, or in base64 what is not UTF-8. */
export const messageInput = z.union([
  z.object({ text: z.string().max(MAX_NOTIFICATION_BYTES) }),
  z.object({ base64: z.string().max(2 * MAX_NOTIFICATION_BYTES).regex(BASE64) }),
]);

export const publishOutput = z.object({
  stored: countOutput,
  /** The stream had the same bytes within its window. */
  duplicates: countOutput,
  refused: countOutput,
  outcomes: z.array(z.discriminatedUnion('status', [
    z.object({
      status: z.enum(['stored', 'duplicate']),
      shard: countOutput,
      sequence: countOutput,
    }),
    z.object({ status: z.literal('refused'), error_code: z.string(), message: z.string() }),
  ])),
});

/** The bytes of a message. @throws {NephoError} `input_invalid` for half a surrogate pair, or too many */
export function bytesOf(message: z.output<typeof messageInput>): Uint8Array {
  if ('text' in message && !message.text.isWellFormed()) {
    throw apiError('input_invalid', 'Cannot send a text with half a surrogate pair: use base64');
  }
  const bytes = 'text' in message
    ? Buffer.from(message.text, 'utf8')
    : Buffer.from(message.base64, 'base64');
  if (bytes.length > MAX_NOTIFICATION_BYTES) {
    throw apiError(
      'body_too_large',
      `Cannot send a message of ${bytes.length} bytes: the limit is ${MAX_NOTIFICATION_BYTES}`,
    );
  }
  return bytes;
}

/** Publishes and tells what became of each. @throws {NephoError} `intake_unavailable` without intake */
export async function publish(
  intake: Intake | null,
  messages: readonly IntakeMessage[],
): Promise<z.output<typeof publishOutput>> {
  if (intake === null) {
    throw apiError('intake_unavailable', 'Cannot publish: this API has no intake');
  }
  const outcomes = await intake.publishAll(messages);
  const count = (status: IntakeOutcome['status']) =>
    outcomes.filter((outcome) => outcome.status === status).length;
  return {
    stored: count('stored'),
    duplicates: count('duplicate'),
    refused: count('refused'),
    outcomes: outcomes.map((outcome) => {
      if (outcome.status !== 'refused') return outcome;
      const { code, message } = publicError(outcome.error);
      return { status: 'refused', error_code: code, message };
    }),
  };
}
