/** The collectors that polling.yaml may configure below `collectors:`, by their names. */
import { hostname } from 'node:os';
import type { z } from 'zod';
import { createLibvirtCollector } from '../collectors/libvirt/collector.ts';
import { libvirtSettingsSchema } from '../collectors/libvirt/settings_schema.ts';
import type { Collector } from '../collectors/polling/pollster.ts';
import { createPrometheusCollector } from '../collectors/prometheus/collector.ts';
import { prometheusSettingsSchema } from '../collectors/prometheus/settings_schema.ts';
import { createRadosgwCollector } from '../collectors/radosgw/collector.ts';
import { radosgwSettingsSchema } from '../collectors/radosgw/settings_schema.ts';
import type { ReadSecret } from '../collectors/secret_reference.ts';
import { createSnmpCollector } from '../collectors/snmp/collector.ts';
import { snmpSettingsSchema } from '../collectors/snmp/settings_schema.ts';
import type { Fault } from '../meters/definition_fault.ts';
import type { RawSetting } from '../meters/raw_setting.ts';
import { parseSetting } from '../meters/setting_schema.ts';

/** What collectors get from outside. */
export interface FamilyDeps {
  secret: ReadSecret;
  readText(path: string): Promise<string>;
  nowMs(): number;
  onRequest(): void;
}

export type ParsedFamily =
  | { ok: true; create(deps: FamilyDeps): Collector | Promise<Collector> }
  | { ok: false; faults: Fault[] };

type Family = (setting: RawSetting) => ParsedFamily;

export const COLLECTOR_FAMILIES: Readonly<Record<string, Family>> = {
  libvirt: family(
    libvirtSettingsSchema,
    (settings) => createLibvirtCollector(settings, { hostname: hostname() }),
  ),
  prometheus: family(prometheusSettingsSchema, createPrometheusCollector),
  radosgw: family(radosgwSettingsSchema, createRadosgwCollector),
  snmp: family(snmpSettingsSchema, createSnmpCollector),
};

function family<Settings>(
  schema: z.ZodType<Settings>,
  create: (settings: Settings, deps: FamilyDeps) => Collector,
): Family {
  return (setting) => {
    const parsed = parseSetting(schema, setting);
    return parsed.ok ? { ok: true, create: (deps) => create(parsed.value, deps) } : parsed;
  };
}
