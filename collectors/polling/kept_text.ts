/** What is kept of texts that an endpoint may have had a hand in: they may be anything. */
import { MAX_NAME_LENGTH } from '../../meters/limits.ts';
import { stableHash } from '../../meters/stable_hash.ts';
import { asStorableText, isStorableText } from '../../meters/storable_text.ts';

/** UTF-16 units. */
const DETAIL_LENGTH = 300;
const UNFIT_ID_LENGTH = 200;

/** A detail as PostgreSQL can keep it. */
export function storable(text: string): string {
  return asStorableText(text, DETAIL_LENGTH);
}

/** True if a unit can be told by this id in origins and gaps. */
export function isUnitId(id: string): boolean {
  return id !== '' && isStorableText(id, MAX_NAME_LENGTH);
}

/** The id, or what can be kept of one that is unfit: other ids give other names. */
export function nameOfUnit(id: string): string {
  if (isUnitId(id)) return id;
  return `${storable(id.slice(0, UNFIT_ID_LENGTH))}~${stableHash(id).toString(16)}`;
}
