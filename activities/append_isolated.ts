import { isRejectedValue } from '../db/log_writer.ts';
import type { LogWriter } from '../db/log_writer.ts';
import type { AppendOutcome, PreparedBatch, PreparedOrigin } from '../db/prepared_batch.ts';
import { isNephoError } from '../meters/errors.ts';
import type { NephoError } from '../meters/errors.ts';
import { gapOfRejected } from './understand_poll.ts';

/**
 * Appends a batch; if the database refuses a value in it, finds the notification by halving and sets it
 * aside, so that the rest of the batch goes on.
 */
export async function appendIsolated(
  writer: LogWriter,
  batch: PreparedBatch,
): Promise<AppendOutcome> {
  try {
    return await writer.append(batch);
  } catch (error) {
    if (!isNephoError(error) || !isRejectedValue(error) || batch.origins.length === 0) throw error;
    const [first] = batch.origins;
    if (batch.origins.length === 1 && first !== undefined) {
      const rejected = refused(first, error);
      const { key, poll } = first;
      return await writer.append({
        ...batch,
        origins: [],
        rejects: [...batch.rejects, rejected],
        polls: poll === null
          ? batch.polls
          : [gapOfRejected({ key, poll }, rejected), ...batch.polls],
      });
    }
    const middle = Math.ceil(batch.origins.length / 2);
    const left = await appendIsolated(writer, {
      ...batch,
      origins: batch.origins.slice(0, middle),
      // A gap is none if its readings are here, so it is recorded after them.
      polls: [],
    });
    const right = await appendIsolated(writer, {
      ...batch,
      origins: batch.origins.slice(middle),
      rejects: [],
    });
    return addOutcomes(left, right);
  }
}

function refused(origin: PreparedOrigin, error: NephoError): PreparedBatch['rejects'][number] {
  return {
    bytes: origin.bytes,
    reason: 'storage_refused',
    place: null,
    detail: error.message.slice(0, 1_000),
    eventType: origin.eventType,
    origin: origin.origin,
    via: origin.via,
    streamSequence: origin.streamSequence,
  };
}

function addOutcomes(left: AppendOutcome, right: AppendOutcome): AppendOutcome {
  return {
    samples: left.samples + right.samples,
    origins: left.origins + right.origins,
    duplicates: left.duplicates + right.duplicates,
    conflicts: left.conflicts + right.conflicts,
    unmatched: left.unmatched + right.unmatched,
    withoutVolume: left.withoutVolume + right.withoutVolume,
    quarantined: left.quarantined + right.quarantined,
    firstLeaf: left.firstLeaf,
    size: right.size,
  };
}
