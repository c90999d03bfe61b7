import { parseSelector, type SeriesSelector } from '../../meters/exposition_selector.ts';
import { type LabelTemplate, parseTemplate } from '../../meters/exposition_template.ts';
import { formatQuantity, parseQuantity, type Quantity } from '../../meters/quantity.ts';
import type { MeterType } from '../../meters/sample.ts';
import type { PollsterMeter } from '../polling/pollster.ts';
import { declaredMeter } from './declared_meter.ts';
import type { MappingSettings } from './settings_schema.ts';

/** A mapping of the settings, ready to be asked about series. */
export interface Mapping {
  readonly declared: PollsterMeter;
  /** Null for all series of a query. */
  readonly selector: SeriesSelector | null;
  readonly meter: LabelTemplate;
  /** Null to go by the series. */
  readonly type: MeterType | null;
  readonly unit: string;
  readonly resourceId: LabelTemplate;
  readonly projectId: LabelTemplate | null;
  readonly userId: LabelTemplate | null;
  readonly metadata: 'all' | readonly { name: string; template: LabelTemplate }[];
  /** Null for 1. */
  readonly scale: Quantity | null;
  /** Canonical decimals, `NaN`, `+Inf`, `-Inf`. */
  readonly skip: ReadonlySet<string>;
  readonly sum: boolean;
  readonly atLeast: number;
  /** Names of endpoints and `endpoint/query`; null for all. */
  readonly endpoints: ReadonlySet<string> | null;
}

/** @throws {NephoError} `selector_invalid`, `template_invalid`, `quantity_invalid` */
export function compileMapping(settings: MappingSettings): Mapping {
  const { series, project_id: project, user_id: user, metadata, scale } = settings;
  const factor = parseQuantity(scale);
  return {
    declared: declaredMeter(settings),
    selector: series === undefined ? null : parseSelector(series),
    meter: parseTemplate(settings.meter),
    type: settings.type ?? null,
    unit: settings.unit,
    resourceId: parseTemplate(settings.resource_id),
    projectId: project === undefined ? null : parseTemplate(project),
    userId: user === undefined ? null : parseTemplate(user),
    metadata: metadata === 'all'
      ? 'all'
      : Array.isArray(metadata)
      ? metadata.map((label) => ({ name: label, template: parseTemplate(`\${${label}}`) }))
      : Object.entries(metadata).map(([name, text]) => ({ name, template: parseTemplate(text) })),
    scale: formatQuantity(factor) === '1' ? null : factor,
    skip: new Set(settings.skip.map(canonicalValue)),
    sum: settings.sum,
    atLeast: settings.at_least,
    endpoints: settings.endpoints === undefined ? null : new Set(settings.endpoints),
  };
}

/** True if the mapping is about what this unit, `endpoint` or `endpoint/query`, gives. */
export function isAbout(mapping: Mapping, unitId: string): boolean {
  const endpoint = unitId.split('/', 1)[0] ?? '';
  return mapping.endpoints === null || mapping.endpoints.has(unitId) ||
    mapping.endpoints.has(endpoint);
}

/** The mappings of one unit by the name of the series that they take. */
export class MappingIndex {
  readonly all: readonly Mapping[];
  readonly #byName = new Map<string, Mapping[]>();
  readonly #ofAnyName: readonly Mapping[];

  constructor(mappings: readonly Mapping[]) {
    this.all = mappings;
    this.#ofAnyName = mappings.filter(({ selector }) => (selector?.name ?? null) === null);
    for (const mapping of mappings) {
      const name = mapping.selector?.name ?? null;
      if (name === null) continue;
      const found = this.#byName.get(name);
      if (found === undefined) this.#byName.set(name, [mapping]);
      else found.push(mapping);
    }
  }

  /** Those that may take a series of this name. */
  of(name: string): readonly Mapping[] {
    const named = this.#byName.get(name);
    if (named === undefined) return this.#ofAnyName;
    return this.#ofAnyName.length === 0 ? named : [...named, ...this.#ofAnyName];
  }
}

/** The one text of a value: a canonical decimal, or the name of a value that is none. */
function canonicalValue(text: string): string {
  return /^(?:NaN|[+-]Inf)$/.test(text) ? text : formatQuantity(parseQuantity(text));
}
