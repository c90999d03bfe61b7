/** The collectors of a cloud as polling.yaml configures them, made when the first cycle needs them. */
import { readFile } from 'node:fs/promises';
import type { CloudCollectors } from '../activities/poll_deps.ts';
import { createOpenStackCollector } from '../collectors/openstack/collector.ts';
import {
  openStackSettingsFrom,
  openStackSettingsSchema,
} from '../collectors/openstack/settings_schema.ts';
import type { Collector } from '../collectors/polling/pollster.ts';
import { CollectorRegistry } from '../collectors/polling/registry.ts';
import type { ReadSecret } from '../collectors/secret_reference.ts';
import type { Fault } from '../meters/definition_fault.ts';
import { NephoError } from '../meters/errors.ts';
import { DEFAULT_CLOUD, type PollingConfig } from '../meters/polling_config.ts';
import { parseSetting } from '../meters/setting_schema.ts';
import { keyRemedy } from '../meters/raw_setting.ts';
import { COLLECTOR_FAMILIES, type FamilyDeps } from './collector_families.ts';

/** What only the schemas of the collectors see in a polling.yaml. */
export function collectorFaults(config: PollingConfig): Fault[] {
  const faults: Fault[] = [];
  for (const setting of config.clouds.values()) {
    const parsed = parseSetting(openStackSettingsSchema, setting);
    if (!parsed.ok) faults.push(...parsed.faults);
  }
  for (const [name, setting] of config.collectors) {
    const parsed = COLLECTOR_FAMILIES[name]?.(setting);
    if (parsed === undefined) {
      const { file, line, column } = setting.node.place;
      faults.push({
        file,
        line,
        column,
        code: 'key_unknown',
        message: `There is no collector '${name}'`,
        remedy: keyRemedy(name, Object.keys(COLLECTOR_FAMILIES)),
      });
    } else if (!parsed.ok) faults.push(...parsed.faults);
  }
  return faults;
}

export interface CollectorSetOptions {
  secret: ReadSecret;
  /** The `OS_*` variables, for a file that names no cloud. */
  openStackEnvironment: Readonly<Record<string, string | undefined>>;
  nowMs(): number;
}

/** The collectors of one cloud, to be closed together. */
export interface OwnedCollectors extends CloudCollectors {
  close(): Promise<void>;
}

/**
 * Makes the collectors of a cloud. Nothing is asked of it before its first cycle.
 *
 * @throws {NephoError} `cloud_unknown`, `cloud_invalid`, `name_taken`
 */
export async function createCollectors(
  config: PollingConfig,
  cloud: string,
  options: CollectorSetOptions,
): Promise<OwnedCollectors> {
  let requests = 0;
  const deps: FamilyDeps = {
    secret: options.secret,
    readText: (file) => readFile(file, 'utf8'),
    nowMs: () => options.nowMs(),
    onRequest: () => {
      requests += 1;
    },
  };
  const collectors: Collector[] = [];
  const settings = cloudSettings(config, cloud, options.openStackEnvironment);
  if (settings !== null) collectors.push(createOpenStackCollector(settings, { ...deps, cloud }));
  for (const [name, setting] of config.collectors) {
    const parsed = COLLECTOR_FAMILIES[name]?.(setting);
    if (parsed?.ok === true) collectors.push(await parsed.create(deps));
  }
  return {
    registry: new CollectorRegistry(collectors),
    requests: () => requests,
    close: async () => {
      await Promise.all(collectors.map((collector) => collector.close()));
    },
  };
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
