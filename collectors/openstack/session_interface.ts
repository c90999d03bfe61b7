/** What discoveries and pollsters of OpenStack's services ask of the session with their cloud. */
import type { JsonObject } from '../../meters/json.ts';
import type { HttpAnswer } from '../http/http_client.ts';

/**
 * Behind the endpoint that the catalogue names, as `/servers/detail?limit=1000`; or the whole URL made
 * from that endpoint, where the catalogue's path is another's (Swift). It must stay on its origin.
 */
export type ServicePath = string | ((endpoint: string) => string);

export interface OpenStackCall {
  signal: AbortSignal;
  /** Lower-case names, as `openstack-api-version`. The session adds the token. */
  headers?: Readonly<Record<string, string>>;
}

/** How a listing says that there is more. */
export type Paging =
  /** All in one answer. */
  | { by: 'nothing' }
  /**
   * A link in the answer: `key` is where it stands, with dots (`next`, `links.next`) or a list of
   * `{rel, href}` (`volumes_links`). Absolute, or behind the endpoint's origin.
   */
  | { by: 'link'; key: string }
  /**
   * `limit` and `marker` in the query, which the session sets: the marker is the last entry's `idKey`.
   * Ends with an empty page, or, where `linksKey` is given (as `key` above), with a page in which it
   * names none. Better than to follow links: a proxy in front of many clouds makes these wrong.
   */
  | { by: 'marker'; limit: number; idKey: string; linksKey?: string };

export interface ListingCall extends OpenStackCall {
  /** Where the entries stand in the answer; null if the answer is itself the list. */
  entriesKey: string | null;
  paging: Paging;
}

/**
 * A session with one cloud. Every method may fail with a reason of a gap as the error's code: those of
 * `HttpClient` and
 * `service_absent` (the catalogue has no such service in this region and interface),
 * `parse_error` (no JSON, half of it, HTML, another shape),
 * `error_in_body` (a success whose body is an error),
 * `paging_loop` (a page that was read before, or more than a listing may have),
 * `redirected` (a link of a page to another origin).
 * Numbers that a double does not hold are `ExactNumber`.
 */
export interface OpenStackSession {
  /** The name of the cloud in polling.yaml. */
  readonly cloud: string;
  /**
   * @param serviceType as in the catalogue, or one of its official aliases (`block-storage`, `volumev3`)
   * @throws {NephoError} see {@link OpenStackSession}
   */
  get(serviceType: string, path: ServicePath, call: OpenStackCall): Promise<JsonObject>;
  /**
   * The headers of the answer, lower-case names.
   *
   * @throws {NephoError} see {@link OpenStackSession}
   */
  head(
    serviceType: string,
    path: ServicePath,
    call: OpenStackCall,
  ): Promise<Readonly<Record<string, string>>>;
  /**
   * The entries of a listing, a page at a time; empty pages are not yielded.
   *
   * @throws {NephoError} see {@link OpenStackSession}
   */
  pages(
    serviceType: string,
    path: ServicePath,
    call: ListingCall,
  ): AsyncIterable<readonly JsonObject[]>;
  /**
   * All projects of all domains that the user may see, disabled ones included.
   *
   * @throws {NephoError} see {@link OpenStackSession}
   */
  projects(call: OpenStackCall): AsyncIterable<readonly JsonObject[]>;
  /**
   * Where the catalogue, or the settings, have a service: without a slash at the end.
   *
   * @throws {NephoError} see {@link OpenStackSession}
   */
  endpoint(serviceType: string, call: OpenStackCall): Promise<string>;
  /** The project that the token is for. @throws {NephoError} see {@link OpenStackSession} */
  projectId(call: OpenStackCall): Promise<string>;
}

/** For what declares its requests itself, and reads answers that need not be JSON. */
export interface OpenStackAnswers {
  /**
   * An answer as it came, and the URL that was asked.
   *
   * @throws {NephoError} see {@link OpenStackSession}
   */
  answer(
    serviceType: string,
    path: ServicePath,
    call: OpenStackCall,
  ): Promise<{ url: string; answer: HttpAnswer }>;
}
