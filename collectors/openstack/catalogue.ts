import { NephoError } from '../../meters/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../meters/json.ts';

/**
 * The official service types with the older names under which catalogues still have them, best first.
 * Source: the service types authority, https://service-types.openstack.org/service-types.json
 */
const ALIASES: readonly (readonly string[])[] = [
  ['block-storage', 'volumev3', 'block-store', 'volumev2', 'volume'],
  ['object-store', 'object-storage'],
  ['container-infrastructure-management', 'container-infra'],
  ['shared-file-system', 'sharev2', 'share'],
  ['load-balancer'],
  ['orchestration'],
  ['workflow', 'workflowv2'],
  ['metric', 'telemetry-metric'],
  ['alarm', 'alarming'],
  ['key-manager'],
  ['baremetal', 'bare-metal'],
  ['instance-ha', 'ha'],
  ['reservation'],
  ['resource-optimization', 'infra-optim'],
  ['root-cause-analysis', 'rca'],
];

export interface CatalogueChoice {
  /** Null if the cloud has but one. */
  region: string | null;
  interface: string;
}

/** Service type to the URL of its endpoint, without slashes at the end. */
export type Catalogue = ReadonlyMap<string, string | RegionUnknown>;

/** The service has endpoints in several regions, and nobody said which. */
export interface RegionUnknown {
  regions: readonly string[];
}

/**
 * The endpoints of one region and interface. Entries that are not as Keystone documents them are left
 * out: the services that they were for are absent then.
 *
 * @param catalog `token.catalog`
 */
export function readCatalogue(catalog: JsonValue | undefined, choice: CatalogueChoice): Catalogue {
  const urls = new Map<string, string | RegionUnknown>();
  for (const service of objectsOf(catalog)) {
    const type = service['type'];
    if (typeof type !== 'string' || urls.has(type)) continue;
    const byRegion = new Map<string, string>();
    for (const endpoint of objectsOf(service['endpoints'])) {
      const { url, interface: side } = endpoint;
      const region = endpoint['region_id'] ?? endpoint['region'];
      if (side !== choice.interface || typeof url !== 'string' || !isHttp(url)) continue;
      const regionName = typeof region === 'string' ? region : '';
      if (choice.region !== null && regionName !== choice.region) continue;
      if (!byRegion.has(regionName)) byRegion.set(regionName, url.replace(/\/+$/, ''));
    }
    const [first] = byRegion.values();
    if (first === undefined) continue;
    const several = new Set(byRegion.values()).size > 1;
    urls.set(type, several ? { regions: [...byRegion.keys()] } : first);
  }
  return urls;
}

/**
 * Where a service is.
 *
 * @param serviceType an official name or one of its aliases
 * @throws {NephoError} `service_absent`
 */
export function findEndpoint(
  catalogue: Catalogue,
  serviceType: string,
  choice: CatalogueChoice,
): string {
  for (const name of serviceNames(serviceType)) {
    const found = catalogue.get(name);
    if (typeof found === 'string') return found;
    if (found !== undefined) {
      throw new NephoError(
        'service_absent',
        `Cannot choose the '${serviceType}' of a region: the catalogue has it in '${
          found.regions.join("', '")
        }'; write 'region_name'`,
        { context: { service: serviceType } },
      );
    }
  }
  const where = choice.region === null ? '' : ` in region '${choice.region}'`;
  throw new NephoError(
    'service_absent',
    `Cannot find service '${serviceType}': the catalogue has no ${choice.interface} endpoint of it${where}`,
    { context: { service: serviceType } },
  );
}

/** All names of a service, best first: itself alone if it is not known. */
export function serviceNames(serviceType: string): readonly string[] {
  return ALIASES.find((names) => names.includes(serviceType)) ?? [serviceType];
}

function objectsOf(value: JsonValue | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter((each) => isJsonObject(each)) : [];
}

function isHttp(url: string): boolean {
  return /^https?:\/\//i.test(url) && URL.canParse(url);
}
