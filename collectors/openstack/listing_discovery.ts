import { isNephoError, NephoError } from '../../meters/errors.ts';
import type { JsonObject } from '../../meters/json.ts';
import { formatMicros, toMicros } from '../../meters/timestamp.ts';
import type { Discovery, PollContext, Unit } from '../polling/pollster.ts';
import { type Listed, listed } from './listed.ts';
import type { OpenStackSession, Paging, ServicePath } from './session_interface.ts';

/** Entries a page; what most services give at most, so that none answers with fewer than asked. */
export const PAGE_ENTRIES = 1_000;
/** For how long a listing that is not offered is not asked for again. */
const ABSENT_MICROS = 3_600_000_000n;

/** A listing of a service, and the name under which it finds what there is to poll. */
export interface ListingPlan {
  /** The discovery's name in polling.yaml. */
  name: string;
  /** As in Keystone's catalogue, the official name. */
  serviceType: string;
  path: ServicePath;
  /** Where the entries stand in the answer. */
  entriesKey: string;
  paging: Paging;
  /** Lower-case names. */
  headers?: Readonly<Record<string, string>>;
  /** Which field of an entry is its id; `id` without. */
  idKey?: string;
  /** Makes the id of entries that have none of their own, or null if it cannot. */
  identify?: (item: JsonObject) => string | null;
}

/** A discovery whose units are the entries of one listing. */
export function listingDiscovery(
  session: OpenStackSession,
  plan: ListingPlan,
): Discovery<Listed> {
  return offeredListing(plan, async function* (context) {
    const call = {
      signal: context.signal,
      entriesKey: plan.entriesKey,
      paging: plan.paging,
      ...(plan.headers === undefined ? {} : { headers: plan.headers }),
    };
    for await (const page of session.pages(plan.serviceType, plan.path, call)) {
      yield listed(identified(page, plan), context, plan.idKey);
    }
  });
}

/**
 * A discovery by a listing that not every cloud offers: one that answers 404, as an extension of
 * Neutron that is not loaded, is absent, and is asked for once an hour.
 */
export function offeredListing(
  plan: Pick<ListingPlan, 'name' | 'serviceType' | 'entriesKey'>,
  list: (context: PollContext) => AsyncIterable<readonly Unit<Listed>[]>,
): Discovery<Listed> {
  let absentUntil = '';
  return {
    name: plan.name,
    async *discover(context) {
      if (context.now() < absentUntil) throw notOffered(plan);
      let pages = 0;
      try {
        for await (const page of list(context)) {
          pages += 1;
          yield page;
        }
      } catch (error) {
        // After a first page it is the marker that is gone, not the listing.
        if (pages > 0 || !isNephoError(error) || error.code !== 'resource_gone') throw error;
        absentUntil = formatMicros(toMicros(context.now()) + ABSENT_MICROS);
        throw notOffered(plan, error);
      }
    },
  };
}

/**
 * The paging of most services: `limit` and `marker`, and a link where there is more.
 *
 * @param linksKey where the links stand, as `volumes_links`
 */
export function markerPaging(linksKey?: string, idKey = 'id'): Paging {
  const paging = { by: 'marker', limit: PAGE_ENTRIES, idKey } as const;
  return linksKey === undefined ? paging : { ...paging, linksKey };
}

/**
 * A path behind an endpoint that the catalogue may name with its version or without: both are common.
 *
 * @param version as `v2.0`
 * @param path begins with a slash
 */
export function versioned(version: string, path: string): ServicePath {
  return (endpoint) => {
    const base = endpoint.replace(/\/+$/, '').replace(/\/v\d+(?:\.\d+)?$/, '');
    return `${base}/${version}${path}`;
  };
}

function identified(page: readonly JsonObject[], plan: ListingPlan): readonly JsonObject[] {
  const { identify } = plan;
  if (identify === undefined) return page;
  return page.map((item) => ({ ...item, id: identify(item) }));
}

function notOffered(
  plan: Pick<ListingPlan, 'name' | 'serviceType' | 'entriesKey'>,
  cause?: unknown,
): NephoError {
  return new NephoError(
    'service_absent',
    `Cannot list '${plan.entriesKey}' of service '${plan.serviceType}': the cloud does not offer it; leave its meters out of the source, or install the extension`,
    { context: { discovery: plan.name, service: plan.serviceType }, cause },
  );
}
