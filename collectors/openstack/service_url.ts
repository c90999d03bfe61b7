import { NephoError } from '../../meters/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../meters/json.ts';
import { maskedUrl } from '../http/masked_url.ts';
import type { ServicePath } from './session_interface.ts';

/** The URL of a path of a service. @throws {NephoError} `redirected` if it leaves the origin */
export function serviceUrl(endpoint: string, path: ServicePath): string {
  // A path cannot leave: this spares the thousands of calls a minute the look.
  if (typeof path === 'string' && path.startsWith('/')) return endpoint + path;
  return onOrigin(typeof path === 'string' ? `${endpoint}/${path}` : path(endpoint), endpoint);
}

/** The URL with these values in its query, in place of those of the same names. */
export function withQuery(url: string, values: Readonly<Record<string, string>>): string {
  const parsed = new URL(url);
  for (const [name, value] of Object.entries(values)) parsed.searchParams.set(name, value);
  return parsed.href;
}

/**
 * The link to the next page.
 *
 * @param key a dotted path to a URL or to a list of `{rel, href}`
 * @returns null if there is none
 * @throws {NephoError} `redirected` if it leads to another origin, where the token must not go
 */
export function nextLink(answer: JsonObject, key: string, currentUrl: string): string | null {
  const href = hrefOf(valueAt(answer, key));
  return href === null ? null : onOrigin(href, currentUrl);
}

/** Whether the answer names a next page, wherever that leads. */
export function namesNext(answer: JsonObject, key: string): boolean {
  return hrefOf(valueAt(answer, key)) !== null;
}

function onOrigin(link: string, baseUrl: string): string {
  const base = new URL(baseUrl);
  const url = URL.canParse(link, base) ? new URL(link, base) : null;
  if (url?.origin === base.origin) return url.href;
  throw new NephoError(
    'redirected',
    `Cannot follow a link from '${maskedUrl(baseUrl)}': it leads to '${maskedUrl(link)}'`,
    { context: { url: maskedUrl(baseUrl) } },
  );
}

function valueAt(answer: JsonObject, key: string): JsonValue | undefined {
  const whole = answer[key];
  if (whole !== undefined) return whole;
  return key.split('.').reduce<JsonValue | undefined>(
    (value, part) => isJsonObject(value) ? value[part] : undefined,
    answer,
  );
}

function hrefOf(value: JsonValue | undefined): string | null {
  if (typeof value === 'string') return value === '' ? null : value;
  if (!Array.isArray(value)) return null;
  const next = value.find((each) => isJsonObject(each) && each['rel'] === 'next');
  return isJsonObject(next) && typeof next['href'] === 'string' ? next['href'] : null;
}
