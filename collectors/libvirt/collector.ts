import { isNephoError, NephoError } from '../../meters/errors.ts';
import type { Collector, Discovery, PollContext, Pollster, Unit } from '../polling/pollster.ts';
import { DescriptionCache } from './description_cache.ts';
import { type DomainDescription, parseDomainDescription } from './domain_description.ts';
import { groupsFor } from './domain_meters.ts';
import { DOMAIN_METERS, domainReadings } from './domain_readings.ts';
import { type DomainStats, type ListedDomain, parseDomainList, parseDomstats } from './domstats.ts';
import type { LibvirtSettings } from './settings_schema.ts';
import { Virsh } from './virsh.ts';

export interface LibvirtDeps {
  /** The name of this host, for settings that do not name it. */
  hostname: string;
}

/** A domain of one cycle; without a description, why there is none. */
interface DomainUnit {
  stats: DomainStats;
  description: DomainDescription | NephoError;
  /** When libvirt was asked: canonical UTC timestamp. */
  readAt: string;
}

interface FoundDomain {
  domain: ListedDomain;
  stats: DomainStats;
}

/**
 * The domains of libvirt on this host, with the instances of Nova that they are. Two calls of `virsh` a
 * cycle for all domains, and one for each domain that is new or has changed.
 */
export function createLibvirtCollector(settings: LibvirtSettings, deps: LibvirtDeps): Collector {
  const host = settings.host ?? deps.hostname;
  const discovery = new LocalInstances(settings);
  const pollster: Pollster<DomainUnit> = {
    name: 'libvirt.domain',
    meters: DOMAIN_METERS,
    discovery: discovery.name,
    poll: ({ data }, context) => {
      const { stats, description, readAt } = data;
      if (isNephoError(description)) throw description;
      refuseForeign(description, settings);
      return domainReadings({ stats, description }, context, { readAt, host });
    },
  };
  return {
    name: 'libvirt',
    discoveries: [discovery],
    pollsters: [pollster],
    close: () => Promise.resolve(),
  };
}

function refuseForeign(description: DomainDescription, settings: LibvirtSettings): void {
  if (description.nova !== null || settings.foreign_domains === 'take') return;
  throw new NephoError(
    'parse_error',
    `Cannot tell whose the domain '${description.name}' is: it has no metadata of Nova: set foreign_domains to take or skip`,
    { context: { domain: description.name } },
  );
}

class LocalInstances implements Discovery<DomainUnit> {
  readonly name = 'local_instances';
  readonly #settings: LibvirtSettings;
  readonly #virsh: Virsh;
  readonly #cache: DescriptionCache;

  constructor(settings: LibvirtSettings) {
    this.#settings = settings;
    this.#virsh = new Virsh(settings);
    this.#cache = new DescriptionCache(settings.refresh * 1_000);
  }

  async *discover(
    context: PollContext,
    parameter: string,
  ): AsyncIterable<readonly Unit<DomainUnit>[]> {
    if (parameter !== '') {
      throw new NephoError(
        'request_refused',
        `Cannot discover '${this.name}:${parameter}': it takes no parameter, write '${this.name}'`,
      );
    }
    const { signal } = context;
    // The list first: a domain that is only in one of both is new or gone, and none is without its name.
    const listed = parseDomainList(await this.#virsh.list(signal));
    const groups = groupsFor((meter) => context.wants(meter));
    const stats = parseDomstats(await this.#virsh.domstats(groups, signal));
    const readAt = context.now();
    this.#cache.keepOnly(listed);
    const found = listed.flatMap((domain) => {
      const one = stats.get(domain.name);
      return one === undefined ? [] : [{ domain, stats: one }];
    });
    const size = this.#settings.concurrency;
    for (let start = 0; start < found.length; start += size) {
      const page = await Promise.all(
        found.slice(start, start + size).map(async (each) => ({
          id: each.domain.uuid,
          data: { stats: each.stats, readAt, description: await this.#describe(each, context) },
        })),
      );
      const ours = page.filter(({ data }) => !this.#isSkipped(data.description));
      if (ours.length > 0) yield ours;
    }
  }

  #isSkipped(description: DomainDescription | NephoError): boolean {
    return this.#settings.foreign_domains === 'skip' && !isNephoError(description) &&
      description.nova === null;
  }

  /** What is wrong with one domain is that domain's matter. */
  async #describe(
    { domain, stats }: FoundDomain,
    context: PollContext,
  ): Promise<DomainDescription | NephoError> {
    const nowMs = Date.parse(context.now());
    const kept = this.#cache.get(domain, stats, nowMs);
    if (kept !== null) return kept;
    try {
      const description = parseDomainDescription(
        await this.#virsh.dumpxml(domain.uuid, context.signal),
      );
      this.#cache.set(domain, stats, { description, nowMs });
      return description;
    } catch (error) {
      if (isNephoError(error)) return error;
      throw error;
    }
  }
}
