import { NephoError } from '../../meters/errors.ts';
import type { JsonObject } from '../../meters/json.ts';
import type { PollContext, Unit } from '../polling/pollster.ts';

/** An entry of a listing, with the time of its page: that is when all its values were read. */
export interface Listed {
  readonly item: JsonObject;
  /** Canonical UTC timestamp. */
  readonly readAt: string;
}

/**
 * The units of a page just read. An entry without a usable id under `idKey` fails the listing: what it
 * holds is not what the service documents, and nothing could be named as missing.
 *
 * @throws {NephoError} `parse_error`
 */
export function listed(
  page: readonly JsonObject[],
  context: Pick<PollContext, 'now'>,
  idKey = 'id',
): Unit<Listed>[] {
  const readAt = context.now();
  return page.map((item) => {
    const id = item[idKey];
    if (typeof id !== 'string' || id === '' || id.length > 255) {
      throw new NephoError('parse_error', `Cannot use an entry of a listing: it has no '${idKey}'`);
    }
    return { id, data: { item, readAt } };
  });
}
