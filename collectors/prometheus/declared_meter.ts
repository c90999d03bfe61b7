import { parseSelector } from '../../meters/exposition_selector.ts';
import { parseTemplate } from '../../meters/exposition_template.ts';
import { meterTypeOfName } from '../../meters/exposition_type.ts';
import type { PollsterMeter } from '../polling/pollster.ts';
import type { MappingSettings } from './settings_schema.ts';

/**
 * The meter that a mapping declares before anything was read: its name up to the first label, then `*`;
 * its type by the end of the series' name where the settings leave it to the endpoint.
 *
 * @throws {NephoError} `template_invalid`, `selector_invalid`
 */
export function declaredMeter(mapping: MappingSettings): PollsterMeter {
  const template = parseTemplate(mapping.meter);
  const name = template.labels.length === 0 ? template.prefix : `${template.prefix}*`;
  const series = mapping.series === undefined ? null : parseSelector(mapping.series).name;
  const type = mapping.type ?? (series === null ? 'gauge' : meterTypeOfName(series));
  return { name, type, unit: mapping.unit };
}
