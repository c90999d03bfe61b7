/** The collectors that polling.yaml may configure below `collectors:`, by their names. */
import { hostname } from 'node:os';
import { z } from 'zod';
import type { HttpClient } from '../collectors/http/http_client.ts';
import { createIpmiCollector } from '../collectors/ipmi/collector.ts';
import { ipmiSettingsSchema } from '../collectors/ipmi/settings_schema.ts';
import { createLibvirtCollector } from '../collectors/libvirt/collector.ts';
import { libvirtSettingsSchema } from '../collectors/libvirt/settings_schema.ts';
import { loadModules } from '../collectors/modules/load_modules.ts';
import type { OpenStackAnswers } from '../collectors/openstack/session_interface.ts';
import type { Collector } from '../collectors/polling/pollster.ts';
import { createPrometheusCollector } from '../collectors/prometheus/collector.ts';
import { prometheusSettingsSchema } from '../collectors/prometheus/settings_schema.ts';
import { createRadosgwCollector } from '../collectors/radosgw/collector.ts';
import { radosgwSettingsSchema } from '../collectors/radosgw/settings_schema.ts';
import { createRestCollector } from '../collectors/rest/collector.ts';
import { loadRestDefinitions } from '../collectors/rest/load_definitions.ts';
import { restSettingsSchema } from '../collectors/rest/settings_schema.ts';
import type { ReadSecret } from '../collectors/secret_reference.ts';
import { createSnmpCollector } from '../collectors/snmp/collector.ts';
import { snmpSettingsSchema } from '../collectors/snmp/settings_schema.ts';
import type { Fault } from '../meters/definition_fault.ts';
import type { RawSetting } from '../meters/raw_setting.ts';
import { parseSetting } from '../meters/setting_schema.ts';

/** What collectors get from outside. */
export interface FamilyDeps {
  /** The folder of polling.yaml: what relative paths are beside. */
  base: string;
  secret: ReadSecret;
  readText(path: string): Promise<string>;
  nowMs(): number;
  onRequest(): void;
  /** For what has no client of its own. */
  http: HttpClient;
  /** Of the cloud that is polled; null where none is configured. */
  session: OpenStackAnswers | null;
}

export type CreatedFamily = { ok: true; collectors: Collector[] } | { ok: false; faults: Fault[] };

/** Makes the collectors of a setting, or says all that is wrong with it. Asks no endpoint. */
type Family = (setting: RawSetting, deps: FamilyDeps) => CreatedFamily | Promise<CreatedFamily>;

export const COLLECTOR_FAMILIES: Readonly<Record<string, Family>> = {
  ipmi: family(
    ipmiSettingsSchema,
    (settings, deps) => createIpmiCollector(settings, { ...deps, hostname: hostname() }),
  ),
  libvirt: family(
    libvirtSettingsSchema,
    (settings) => createLibvirtCollector(settings, { hostname: hostname() }),
  ),
  modules: loadOwnModules,
  prometheus: family(prometheusSettingsSchema, createPrometheusCollector),
  radosgw: family(radosgwSettingsSchema, createRadosgwCollector),
  rest: loadDeclared,
  snmp: family(snmpSettingsSchema, createSnmpCollector),
};

function family<Settings>(
  schema: z.ZodType<Settings>,
  create: (settings: Settings, deps: FamilyDeps) => Collector,
): Family {
  return (setting, deps) => {
    const parsed = parseSetting(schema, setting);
    return parsed.ok ? { ok: true, collectors: [create(parsed.value, deps)] } : parsed;
  };
}

/** Ceilometer's dynamic pollsters: those that ask the cloud, and those that need none. */
async function loadDeclared(setting: RawSetting, deps: FamilyDeps): Promise<CreatedFamily> {
  const parsed = parseSetting(restSettingsSchema, setting);
  if (!parsed.ok) return parsed;
  const loaded = await loadRestDefinitions(parsed.value, deps.base);
  if (!loaded.ok) return loaded;
  const sessions = deps.session === null ? [null] : [deps.session, null];
  const collectors = sessions.map((session) =>
    createRestCollector(loaded.definitions, parsed.value, { ...deps, session })
  );
  return { ok: true, collectors };
}

async function loadOwnModules(setting: RawSetting, deps: FamilyDeps): Promise<CreatedFamily> {
  const parsed = parseSetting(z.array(z.string().min(1).max(4_096)).max(256), setting);
  if (!parsed.ok) return parsed;
  return await loadModules(parsed.value, { base: deps.base, deps });
}
