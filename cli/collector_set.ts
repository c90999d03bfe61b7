/** The collectors of a cloud as polling.yaml configures them. */
import { readFile } from 'node:fs/promises';
import type { CloudCollectors } from '../activities/poll_deps.ts';
import { createHttpClient } from '../collectors/http/create_http_client.ts';
import { DEFAULT_LIMITS } from '../collectors/http/http_client.ts';
import {
  createOpenStackCollector,
  type OpenStackCollector,
} from '../collectors/openstack/collector.ts';
import {
  openStackSettingsFrom,
  openStackSettingsSchema,
} from '../collectors/openstack/settings_schema.ts';
import type { Collector } from '../collectors/polling/pollster.ts';
import { CollectorRegistry } from '../collectors/polling/registry.ts';
import type { ReadSecret } from '../collectors/secret_reference.ts';
import { type Fault, formatFault } from '../meters/definition_fault.ts';
import { NephoError } from '../meters/errors.ts';
import { DEFAULT_CLOUD, type PollingConfig } from '../meters/polling_config.ts';
import { unknownSetting } from '../meters/raw_setting.ts';
import { parseSetting } from '../meters/setting_schema.ts';
import { COLLECTOR_FAMILIES, type CreatedFamily, type FamilyDeps } from './collector_families.ts';

export interface CollectorSetOptions {
  /** The folder of polling.yaml. */
  base: string;
  secret: ReadSecret;
  /** The `OS_*` variables, for a file that names no cloud. */
  openStackEnvironment: Readonly<Record<string, string | undefined>>;
  nowMs(): number;
}

/** The collectors of one cloud, to be closed together. */
export interface OwnedCollectors extends CloudCollectors {
  close(): Promise<void>;
}

/** What only the schemas of the collectors, and what these load, see in a polling.yaml. */
export async function collectorFaults(
  config: PollingConfig,
  options: CollectorSetOptions,
): Promise<Fault[]> {
  const faults: Fault[] = [];
  for (const setting of config.clouds.values()) {
    const parsed = parseSetting(openStackSettingsSchema, setting);
    if (!parsed.ok) faults.push(...parsed.faults);
  }
  const { deps, close } = familyDeps(options, null);
  const created = await createFamilies(config, deps);
  for (const one of created) if (!one.ok) faults.push(...one.faults);
  await closeAll(created.flatMap((one) => one.ok ? one.collectors : []));
  await close();
  return faults;
}

/**
 * Makes the collectors of a cloud. Nothing is asked of it before its first cycle.
 *
 * @throws {NephoError} `cloud_unknown`, `cloud_invalid`, `polling_faulty`, `name_taken`
 */
export async function createCollectors(
  config: PollingConfig,
  cloud: string,
  options: CollectorSetOptions,
): Promise<OwnedCollectors> {
  const settings = cloudSettings(config, cloud, options.openStackEnvironment);
  const own = familyDeps(options, null);
  const openstack: OpenStackCollector | null = settings === null
    ? null
    : createOpenStackCollector(settings, { ...own.deps, cloud });
  const created = await createFamilies(config, {
    ...own.deps,
    session: openstack?.session ?? null,
  });
  const collectors = [
    ...openstack === null ? [] : [openstack],
    ...created.flatMap((one) => one.ok ? one.collectors : []),
  ];
  const close = async (): Promise<void> => {
    await closeAll(collectors);
    await own.close();
  };
  try {
    const faults = created.flatMap((one) => one.ok ? [] : one.faults);
    if (faults.length > 0) {
      throw new NephoError('polling_faulty', faults.map(formatFault).join('\n'));
    }
    return { registry: new CollectorRegistry(collectors), requests: own.requests, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function familyDeps(options: CollectorSetOptions, session: FamilyDeps['session']) {
  let requests = 0;
  const onRequest = (): void => {
    requests += 1;
  };
  const nowMs = (): number => options.nowMs();
  const http = createHttpClient({ limitsOf: () => DEFAULT_LIMITS, nowMs, onRequest });
  const deps: FamilyDeps = {
    base: options.base,
    secret: options.secret,
    readText: (file) => readFile(file, 'utf8'),
    nowMs,
    onRequest,
    http,
    session,
  };
  return { deps, requests: () => requests, close: () => http.close() };
}

async function createFamilies(config: PollingConfig, deps: FamilyDeps): Promise<CreatedFamily[]> {
  const known = Object.keys(COLLECTOR_FAMILIES);
  return await Promise.all(
    [...config.collectors].map(async ([name, setting]): Promise<CreatedFamily> =>
      await COLLECTOR_FAMILIES[name]?.(setting, deps) ??
        { ok: false, faults: [unknownSetting(setting, known)] }
    ),
  );
}

async function closeAll(collectors: readonly Collector[]): Promise<void> {
  await Promise.allSettled(collectors.map((collector) => collector.close()));
}

/** Null where no OpenStack is configured: other collectors may be. */
function cloudSettings(
  config: PollingConfig,
  cloud: string,
  environment: Readonly<Record<string, string | undefined>>,
) {
  const setting = config.clouds.get(cloud);
  const isDefault = config.clouds.size === 0 && cloud === DEFAULT_CLOUD;
  if (setting === undefined && !isDefault) {
    throw new NephoError(
      'cloud_unknown',
      `Cannot poll the cloud '${cloud}': polling.yaml of this worker does not name it below clouds:`,
    );
  }
  const given = setting?.value ?? openStackSettingsFrom(environment);
  if (setting === undefined && Object.keys(given).length === 0) return null;
  const parsed = openStackSettingsSchema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new NephoError(
    'cloud_invalid',
    `Cannot poll the cloud '${cloud}' by the OS_* variables: ${
      parsed.error.issues.map(({ message }) => message).join(', ')
    }`,
  );
}
