import type { DomainDescription } from './domain_description.ts';
import type { DomainStats, ListedDomain } from './domstats.ts';

interface Entry {
  description: DomainDescription;
  readMs: number;
  /** What has changed if the description has. */
  domain: ListedDomain;
  devices: Readonly<Record<'block' | 'net', string | null>>;
}

/**
 * The descriptions of domains, as long as nothing that can be seen without them has changed: the name, the
 * number that each start gives, the names of the devices. What cannot be seen (a renamed instance) is seen
 * when the description is too old.
 */
export class DescriptionCache {
  readonly #entries = new Map<string, Entry>();
  readonly #maxAgeMs: number;

  constructor(maxAgeMs: number) {
    this.#maxAgeMs = maxAgeMs;
  }

  get(domain: ListedDomain, stats: DomainStats, nowMs: number): DomainDescription | null {
    const entry = this.#entries.get(domain.uuid);
    if (entry === undefined) return null;
    const isOld = nowMs - entry.readMs >= this.#maxAgeMs || nowMs < entry.readMs;
    const isOther = entry.domain.id !== domain.id || entry.domain.name !== domain.name ||
      differ(entry.devices.block, deviceNames(stats, 'block')) ||
      differ(entry.devices.net, deviceNames(stats, 'net'));
    return isOld || isOther ? null : entry.description;
  }

  set(
    domain: ListedDomain,
    stats: DomainStats,
    { description, nowMs }: { description: DomainDescription; nowMs: number },
  ): void {
    const devices = { block: deviceNames(stats, 'block'), net: deviceNames(stats, 'net') };
    this.#entries.set(domain.uuid, { description, readMs: nowMs, domain, devices });
  }

  /** Forgets all domains but those that are there. */
  keepOnly(domains: readonly ListedDomain[]): void {
    const there = new Set(domains.map(({ uuid }) => uuid));
    for (const uuid of this.#entries.keys()) if (!there.has(uuid)) this.#entries.delete(uuid);
  }
}

/** Null where the statistics of this cycle do not tell. */
function deviceNames(stats: DomainStats, group: 'block' | 'net'): string | null {
  return stats.has(`${group}.count`) ? [...stats.devices(group).keys()].join('\n') : null;
}

function differ(before: string | null, now: string | null): boolean {
  return before !== null && now !== null && before !== now;
}
