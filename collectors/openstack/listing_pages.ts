import { NephoError } from '../../meters/errors.ts';
import { isJsonObject, type JsonObject } from '../../meters/json.ts';
import type { HttpAnswer } from '../http/http_client.ts';
import { maskedUrl } from '../http/masked_url.ts';
import { readJson, unreadable } from './json_answer.ts';
import { namesNext, nextLink, withQuery } from './service_url.ts';
import type { ListingCall, Paging } from './session_interface.ts';

/** Pages of one listing: 10,000,000 entries of 1,000 a page. */
const MAX_PAGES = 10_000;

interface Page {
  url: string;
  /** The answer, an empty object if it is itself the list. */
  answer: JsonObject;
  entries: readonly JsonObject[];
}

/**
 * The pages of a listing, without the empty ones.
 *
 * @param ask gets one page
 * @throws {NephoError} see `OpenStackSession`
 */
export async function* listingPages(
  firstUrl: string,
  call: Pick<ListingCall, 'entriesKey' | 'paging'>,
  ask: (url: string) => Promise<HttpAnswer>,
): AsyncIterable<readonly JsonObject[]> {
  const { paging } = call;
  const seen = new Set<string>();
  let url: string | null = paging.by === 'marker'
    ? withQuery(firstUrl, { limit: String(paging.limit) })
    : firstUrl;
  while (url !== null) {
    if (seen.has(url) || seen.size >= MAX_PAGES) throw loop(firstUrl, seen.size);
    seen.add(url);
    const page = readPage(url, await ask(url), call.entriesKey);
    // Before it is given out: a service that ignores the marker answers with the first page again.
    const next = nextUrl(page, paging);
    if (next !== null && seen.has(next)) throw loop(firstUrl, seen.size);
    if (page.entries.length > 0) yield page.entries;
    url = next;
  }
}

function readPage(url: string, answer: HttpAnswer, entriesKey: string | null): Page {
  // Swift answers an account without containers with 204 and nothing.
  const value = answer.status === 204 ? [] : readJson(url, answer);
  const list = entriesKey === null ? value : isJsonObject(value) ? value[entriesKey] : undefined;
  if (!Array.isArray(list)) {
    throw unreadable(url, `there is no list${entriesKey === null ? '' : ` '${entriesKey}'`}`);
  }
  const entries: JsonObject[] = [];
  for (const entry of list) {
    if (!isJsonObject(entry)) throw unreadable(url, 'an entry of the list is no object');
    entries.push(entry);
  }
  return { url, answer: isJsonObject(value) ? value : {}, entries };
}

function nextUrl({ url, answer, entries }: Page, paging: Paging): string | null {
  if (paging.by === 'nothing') return null;
  if (paging.by === 'link') return nextLink(answer, paging.key, url);
  const last = entries.at(-1);
  if (last === undefined) return null;
  const { linksKey } = paging;
  if (linksKey !== undefined && !namesNext(answer, linksKey)) return null;
  const marker = last[paging.idKey];
  if (typeof marker !== 'string' || marker === '') {
    throw unreadable(url, `an entry of the list has no '${paging.idKey}'`);
  }
  return withQuery(url, { marker });
}

function loop(url: string, pages: number): NephoError {
  return new NephoError(
    'paging_loop',
    `Cannot list '${maskedUrl(url)}' to its end: after ${pages} pages it leads back, or never ends`,
    { context: { url: maskedUrl(url), pages } },
  );
}
