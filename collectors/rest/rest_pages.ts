import { errorMessage, isNephoError, NephoError } from '../../meters/errors.ts';
import type { CompiledAttribute } from '../../meters/expression_attribute.ts';
import { ExactNumber, isJsonObject, type JsonObject, type JsonValue } from '../../meters/json.ts';
import { MAX_NAME_LENGTH } from '../../meters/limits.ts';
import { isStorableText } from '../../meters/storable_text.ts';
import type { RestListing } from './rest_definition.ts';
import type { RestAsker } from './rest_asker.ts';
import { readAnswer } from './response_handlers.ts';

/** Pages of one listing. */
const MAX_PAGES = 10_000;

/**
 * The entries of a listing, a page at a time.
 *
 * @param target where it begins: the path, URL or command
 * @throws {NephoError} a reason of a gap: `paging_loop` if its pages lead back or never end
 */
export async function* restPages(
  listing: RestListing,
  target: string,
  { asker, signal }: { asker: RestAsker; signal: AbortSignal },
): AsyncIterable<readonly JsonValue[]> {
  const seen = new Set<string>();
  for (let next: string | null = target; next !== null;) {
    const { asked, answer } = await asker.ask(listing.request, next, signal);
    if (seen.has(asked) || seen.size >= MAX_PAGES) {
      throw new NephoError(
        'paging_loop',
        `Cannot list to the end: after ${seen.size} pages it leads back, or never ends`,
        { retryable: true },
      );
    }
    seen.add(asked);
    const response = readAnswer(labelOf(listing, asked), answer, listing.handlers);
    const entries = entriesOf(listing, response);
    next = nextOf(listing.next, response);
    yield entries;
  }
}

function labelOf({ request }: RestListing, asked: string): string {
  return request.kind === 'command' ? '/host_command' : asked;
}

function entriesOf({ entries, handlers }: RestListing, response: JsonValue): readonly JsonValue[] {
  if (Array.isArray(response)) return response;
  if (!isJsonObject(response)) throw misshapen('it is neither an object nor a list');
  const [first] = Object.keys(response);
  if (first === undefined) return [];
  const found = entries === null
    ? response[first] ?? null
    : attempt(() => entries.read(response), 'response_entries_key');
  if (Array.isArray(found)) return found;
  if (isJsonObject(found)) return [found];
  // An XML element without content is null: a list of nothing.
  if (found === null && handlers.includes('xml')) return [];
  throw misshapen('there is no list where the entries should be');
}

/** Null at the end: where there is nothing, or no key or place that leads further. */
function nextOf(attribute: CompiledAttribute | null, response: JsonValue): string | null {
  if (attribute === null || Array.isArray(response)) return null;
  let found: JsonValue;
  try {
    found = attribute.read(response);
  } catch (error) {
    const failure = isNephoError(error) ? error.context['failure'] : null;
    if (failure === 'key_missing' || failure === 'index_missing') return null;
    throw misshapen(`next_sample_url_attribute: ${errorMessage(error)}`);
  }
  if (found === null || found === '' || found === false) return null;
  if (Array.isArray(found) && found.length === 0) return null;
  if (typeof found === 'string') return found;
  throw misshapen('next_sample_url_attribute gives no text');
}

function attempt(read: () => JsonValue, what: string): JsonValue {
  try {
    return read();
  } catch (error) {
    if (!isNephoError(error)) throw error;
    throw misshapen(`${what}: ${error.message}`);
  }
}

function misshapen(why: string): NephoError {
  return new NephoError('parse_error', `Cannot understand an answer: ${why}`, { retryable: true });
}

/** An entry with what says whose it is, or why that cannot be said. */
export interface RestEntry {
  readonly item: JsonObject;
  readonly resourceId: string;
  readonly projectId: string | null;
  readonly userId: string | null;
  /** Canonical UTC timestamp. */
  readonly readAt: string;
  readonly failure: NephoError | null;
}

/**
 * Puts user, project and id into an entry, in Ceilometer's order: each sees those before it.
 *
 * @param place which entry it is, for one that has no id
 */
export function identified(
  entry: JsonValue,
  listing: Pick<RestListing, 'userId' | 'projectId' | 'resourceId'>,
  { place, readAt }: { place: number; readAt: string },
): RestEntry {
  const unnamed = { resourceId: `(entry ${place})`, projectId: null, userId: null, readAt };
  if (!isJsonObject(entry)) {
    return { ...unnamed, item: {}, failure: misshapen('an entry is no object') };
  }
  let item = entry;
  let failure: NephoError | null = null;
  const take = (attribute: CompiledAttribute | null, key: string): string | null => {
    let found: JsonValue;
    try {
      if (attribute === null) found = Object.hasOwn(item, key) ? item[key] ?? null : null;
      else {
        found = attribute.read(item);
        item = { ...item, [key]: found };
      }
    } catch (error) {
      if (!isNephoError(error)) throw error;
      failure ??= misshapen(`the attribute of '${key}': ${error.message}`);
      return null;
    }
    const text = idText(found);
    if (text === undefined) failure ??= misshapen(`what stands for '${key}' is no id`);
    return text ?? null;
  };
  const userId = take(listing.userId, 'user_id');
  const projectId = take(listing.projectId, 'project_id');
  const resourceId = take(listing.resourceId, 'id');
  if (resourceId === null) {
    failure ??= misshapen('an entry has no id, name one by resource_id_attribute');
    return { ...unnamed, item, projectId, userId, failure };
  }
  return { item, resourceId, projectId, userId, readAt, failure };
}

/** Null for none, undefined for what is no id. */
function idText(value: JsonValue): string | null | undefined {
  if (value === null || value === '') return null;
  const text = typeof value === 'number'
    ? String(value)
    : value instanceof ExactNumber
    ? value.text
    : value;
  return typeof text === 'string' && isStorableText(text, MAX_NAME_LENGTH) ? text : undefined;
}
