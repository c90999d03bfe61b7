import { isNephoError } from '../../meters/errors.ts';
import type { Reading } from '../../meters/sample.ts';
import { formatMicros, toMicros } from '../../meters/timestamp.ts';
import type { Discovery, PollContext, Pollster } from '../polling/pollster.ts';
import { declared, idText, type ItemMeter, readMeters } from './item_pollster.ts';
import { listed } from './listed.ts';
import { PAGE_ENTRIES } from './listing_discovery.ts';
import { novaDiagnostics } from './nova_diagnostics.ts';
import { NOVA_HEADERS, novaPath } from './nova_path.ts';
import {
  flavorOf,
  type Flavors,
  type ListedServer,
  serverMetadata,
  serverOf,
} from './nova_server.ts';
import type { ListingCall, OpenStackSession } from './session_interface.ts';

/** Flavors change rarely: they are read this often, and this long after they could not be. */
const FLAVORS_MICROS = 600_000_000n;
const FLAVORS_AGAIN_MICROS = 120_000_000n;
const MAX_METER_NAME = 255;

const METERS: readonly ItemMeter[] = [
  { name: 'instance', type: 'gauge', unit: 'instance', value: () => 1 },
  { name: 'memory', type: 'gauge', unit: 'MiB', value: (server) => flavorOf(server)['ram'] },
  { name: 'vcpus', type: 'gauge', unit: 'vcpu', value: (server) => flavorOf(server)['vcpus'] },
  {
    name: 'disk.root.size',
    type: 'gauge',
    unit: 'GiB',
    value: (server) => flavorOf(server)['disk'],
  },
  {
    name: 'disk.ephemeral.size',
    type: 'gauge',
    unit: 'GiB',
    value: (server) => flavorOf(server)['ephemeral'],
  },
  {
    // Nova's own numbers, which are libvirt's but for 4, shut down.
    name: 'power.state',
    type: 'gauge',
    unit: 'state',
    value: (server) => server['OS-EXT-STS:power_state'],
  },
];

/** The servers of all projects. */
export function novaDiscoveries(session: OpenStackSession): Discovery[] {
  const flavors = new FlavorCache(session);
  const servers: Discovery<ListedServer> = {
    name: 'servers',
    async *discover(context) {
      const known = await flavors.read(context);
      const path = novaPath('/servers/detail?all_tenants=1');
      const call = listingOf('servers', context);
      for await (const page of session.pages('compute', path, call)) {
        yield listed(page, context).map(({ id, data }) => ({
          id,
          data: { ...data, metadata: serverMetadata(data.item, known) },
        }));
      }
    },
  };
  return [servers];
}

export function novaPollsters(session: OpenStackSession): Pollster[] {
  const servers: Pollster = {
    name: 'nova.servers',
    discovery: 'servers',
    meters: [...METERS.map(declared), { name: 'instance:*', type: 'gauge', unit: 'instance' }],
    poll(unit, context) {
      const { item, metadata, readAt } = serverOf(unit);
      const subject = {
        unitId: unit.id,
        resourceId: unit.id,
        projectId: idText(item['tenant_id']),
        userId: idText(item['user_id']),
        metadata,
        readAt,
      };
      const meters = [...METERS, ...flavorMeter(item)];
      return readMeters(meters, item, subject, context) satisfies readonly Reading[];
    },
  };
  return [servers, novaDiagnostics(session)];
}

/** `instance:m1.tiny`, as Ceilometer had it to Kilo; none for a name too long for a meter. */
function flavorMeter(server: ListedServer['item']): ItemMeter[] {
  const flavor = flavorOf(server)['original_name'];
  const name = `instance:${typeof flavor === 'string' ? flavor : ''}`;
  if (typeof flavor !== 'string' || flavor === '' || name.length > MAX_METER_NAME) return [];
  return [{ name, type: 'gauge', unit: 'instance', value: () => 1 }];
}

function listingOf(entriesKey: string, { signal }: PollContext): ListingCall {
  const linksKey = `${entriesKey}_links`;
  return {
    signal,
    headers: NOVA_HEADERS,
    entriesKey,
    paging: { by: 'marker', limit: PAGE_ENTRIES, idKey: 'id', linksKey },
  };
}

/** Flavors by their name, public or not. Without them samples lack but the flavor's id. */
class FlavorCache {
  readonly #session: OpenStackSession;
  #flavors: Flavors = new Map();
  #until = '';

  constructor(session: OpenStackSession) {
    this.#session = session;
  }

  async read(context: PollContext): Promise<Flavors> {
    if (context.now() < this.#until) return this.#flavors;
    const found = new Map<string, ListedServer['item']>();
    let restMicros = FLAVORS_MICROS;
    try {
      const path = novaPath('/flavors/detail?is_public=None');
      for await (
        const page of this.#session.pages('compute', path, listingOf('flavors', context))
      ) {
        for (const flavor of page) {
          if (typeof flavor['name'] === 'string') found.set(flavor['name'], flavor);
        }
      }
      this.#flavors = found;
    } catch (error) {
      // The listing of servers will say what is wrong, if it is more than this.
      if (!isNephoError(error)) throw error;
      restMicros = FLAVORS_AGAIN_MICROS;
    }
    this.#until = formatMicros(toMicros(context.now()) + restMicros);
    return this.#flavors;
  }
}
