import { isNephoError } from '../../meters/errors.ts';
import { ExactNumber, type JsonObject } from '../../meters/json.ts';
import type { Reading } from '../../meters/sample.ts';
import type { Discovery, PollContext, Pollster } from '../polling/pollster.ts';
import { declared, idText, type ItemMeter, readMeters } from './item_pollster.ts';
import { PAGE_ENTRIES } from './listing_discovery.ts';
import type { OpenStackSession, ServicePath } from './session_interface.ts';

const SERVICE_TYPE = 'object-store';
/** Swift's own default, where the catalogue's path does not show the cloud's. */
const RESELLER_PREFIX = 'AUTH_';

const ACCOUNT_METERS: readonly ItemMeter[] = [
  account('storage.objects', 'object', 'x-account-object-count'),
  account('storage.objects.size', 'B', 'x-account-bytes-used'),
  account('storage.objects.containers', 'container', 'x-account-container-count'),
];
const CONTAINER_METERS: readonly ItemMeter[] = [
  {
    name: 'storage.containers.objects',
    type: 'gauge',
    unit: 'object',
    value: (item) => item['count'],
  },
  {
    name: 'storage.containers.objects.size',
    type: 'gauge',
    unit: 'B',
    value: (item) => item['bytes'],
  },
];

/** Accounts are found by the discovery `tenant`: Swift lists none. */
export function swiftDiscoveries(_session: OpenStackSession): Discovery[] {
  return [];
}

export function swiftPollsters(session: OpenStackSession): Pollster[] {
  return [accountPollster(session), containerPollster(session)];
}

/** One HEAD a project. A project that never used Swift may have no account, and then no reading. */
function accountPollster(session: OpenStackSession): Pollster {
  return {
    name: 'swift.account',
    discovery: 'tenant',
    meters: ACCOUNT_METERS.map(declared),
    async poll(unit, context) {
      const path = await accountPath(session, unit.id, context);
      try {
        const headers = await session.head(SERVICE_TYPE, path, { signal: context.signal });
        const subject = subjectOf(unit.id, unit.id, context.now());
        return readMeters(ACCOUNT_METERS, asRead(headers), subject, context);
      } catch (error) {
        if (isNephoError(error) && error.code === 'resource_gone') return [];
        throw error;
      }
    },
  };
}

/** The containers of one project, by pages of its listing. */
function containerPollster(session: OpenStackSession): Pollster {
  return {
    name: 'swift.container',
    discovery: 'tenant',
    meters: CONTAINER_METERS.map(declared),
    async poll(unit, context) {
      const path = await accountPath(session, unit.id, context, '?format=json');
      const paging = { by: 'marker', limit: PAGE_ENTRIES, idKey: 'name' } as const;
      const call = { signal: context.signal, entriesKey: null, paging };
      const readings: Reading[] = [];
      try {
        for await (const page of session.pages(SERVICE_TYPE, path, call)) {
          const readAt = context.now();
          for (const item of page) {
            const name = idText(item['name']);
            // What stands for a folder of containers, `{subdir}`, comes only if a delimiter is asked for.
            if (name === null) continue;
            const subject = subjectOf(unit.id, `${unit.id}/${name}`, readAt);
            readings.push(...readMeters(CONTAINER_METERS, item, subject, context));
          }
        }
      } catch (error) {
        if (readings.length > 0 || !isNephoError(error) || error.code !== 'resource_gone') {
          throw error;
        }
      }
      return readings;
    },
  };
}

/**
 * The catalogue names the account of the token's project, `…/v1/AUTH_<project>`: what stands before the
 * project is the reseller's prefix, and another project's account is its neighbour.
 */
async function accountPath(
  session: OpenStackSession,
  project: string,
  context: PollContext,
  query = '',
): Promise<ServicePath> {
  const own = await session.projectId({ signal: context.signal });
  return (endpoint) => {
    const base = endpoint.replace(/\/+$/, '');
    const versionAt = base.search(/\/v1(?:\/|$)/);
    const root = versionAt === -1 ? base : base.slice(0, versionAt);
    const last = base.slice(base.lastIndexOf('/') + 1);
    const prefix = last !== own && last.endsWith(own)
      ? last.slice(0, -own.length)
      : RESELLER_PREFIX;
    return `${root}/v1/${prefix}${encodeURIComponent(project)}${query}`;
  };
}

/** A header is text by nature: its numbers are no numbers as text. */
function asRead(headers: Readonly<Record<string, string>>): JsonObject {
  return Object.fromEntries(
    Object.entries(headers).map(([name, text]) => [name, new ExactNumber(text)]),
  );
}

function subjectOf(project: string, resource: string, readAt: string) {
  return {
    unitId: project,
    resourceId: resource,
    projectId: project,
    userId: null,
    metadata: {},
    readAt,
  };
}

function account(name: string, unit: string, header: string): ItemMeter {
  return { name, type: 'gauge', unit, value: (item) => item[header] };
}
