import { DEFAULT_LIMITS, type EndpointLimits } from '../http/http_client.ts';
import { serviceNames } from './catalogue.ts';
import type { OpenStackSettings } from './settings_schema.ts';

/**
 * Tells by a URL which service it belongs to, so that services behind one proxy have limits of their
 * own, and one that fails is left alone without the others.
 */
export class EndpointTable {
  readonly #settings: NonNullable<OpenStackSettings['endpoints']>;
  /** By origin: base path and service, the longest path first. */
  readonly #services = new Map<string, { base: string; serviceType: string }[]>();

  constructor(settings: OpenStackSettings) {
    this.#settings = settings.endpoints ?? {};
  }

  /** The service's own URL, where the settings name one. */
  override(serviceType: string): string | undefined {
    return this.#of(serviceType)?.url?.replace(/\/+$/, '');
  }

  learn(serviceType: string, endpoint: string): void {
    const { origin, pathname } = new URL(endpoint);
    // The project at the end of a path differs from token to token, and Swift's from call to call.
    const base = pathname.replace(/\/v\d+(?:\.\d+)?(?:\/.*)?$/, '').replace(/\/+$/, '');
    const known = this.#services.get(origin) ?? [];
    if (known.some((each) => each.base === base)) return;
    known.push({ base, serviceType });
    known.sort((left, right) => right.base.length - left.base.length);
    this.#services.set(origin, known);
  }

  /** What has limits of its own; the origin for what nobody knows. */
  keyOf(url: URL): string {
    const serviceType = this.#serviceOf(url);
    return serviceType === null ? url.origin : `${url.origin} ${serviceType}`;
  }

  limitsOf(url: URL): EndpointLimits {
    const serviceType = this.#serviceOf(url);
    const own = {
      ...this.#settings['*'],
      ...(serviceType === null ? {} : this.#of(serviceType)),
    };
    return {
      ...DEFAULT_LIMITS,
      concurrency: own.concurrency ?? DEFAULT_LIMITS.concurrency,
      requestsPerSecond: own.requests_per_second ?? DEFAULT_LIMITS.requestsPerSecond,
      timeoutMs: own.timeout === undefined ? DEFAULT_LIMITS.timeoutMs : own.timeout * 1_000,
      maxBytes: own.max_bytes ?? DEFAULT_LIMITS.maxBytes,
    };
  }

  #serviceOf(url: URL): string | null {
    const services = this.#services.get(url.origin);
    if (services?.length === 1) return services[0]?.serviceType ?? null;
    return services?.find(({ base }) => url.pathname.startsWith(`${base}/`))?.serviceType ?? null;
  }

  #of(serviceType: string) {
    for (const name of serviceNames(serviceType)) {
      const settings = this.#settings[name];
      if (settings !== undefined) return settings;
    }
    return undefined;
  }
}
