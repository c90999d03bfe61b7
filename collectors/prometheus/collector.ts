import type { Collector, Pollster, PollsterMeter } from '../polling/pollster.ts';
import { EXPORTERS, PrometheusDiscovery, type PrometheusUnit, QUERIES } from './discovery.ts';
import { EndpointCaller, type PrometheusDeps } from './endpoint_caller.ts';
import { compileMapping, isAbout, type Mapping, MappingIndex } from './mapping.ts';
import { evaluate } from './query.ts';
import { scrape } from './scrape.ts';
import type { PrometheusSettings } from './settings_schema.ts';

/**
 * Exporters' pages and queries of Prometheus servers, made meters by the mappings of the settings.
 *
 * @throws {NephoError} `selector_invalid`, `template_invalid`, `quantity_invalid` for settings that the
 * schema has not seen
 */
export function createPrometheusCollector(
  settings: PrometheusSettings,
  deps: PrometheusDeps,
): Collector {
  const callers = settings.endpoints.map((endpoint) => new EndpointCaller(endpoint, deps));
  const mappings = settings.mappings.map(compileMapping);
  const discovery = new PrometheusDiscovery(callers);
  const indexes = new Map<string, MappingIndex>();
  const indexOf = (unitId: string): MappingIndex => {
    let index = indexes.get(unitId);
    if (index === undefined) {
      index = new MappingIndex(mappings.filter((mapping) => isAbout(mapping, unitId)));
      indexes.set(unitId, index);
    }
    return index;
  };
  const unitIds = (isQuery: boolean): string[] =>
    settings.endpoints.flatMap(({ name, queries }) => {
      if (queries === undefined) return isQuery ? [] : [name];
      return isQuery ? queries.map((query) => `${name}/${query.name}`) : [];
    });
  const scraping: Pollster<PrometheusUnit> = {
    name: 'prometheus.scrape',
    meters: metersOf(mappings, unitIds(false)),
    discovery: `${discovery.name}:${EXPORTERS}`,
    poll: (unit, context) =>
      unit.data.query === null ? scrape(unit, indexOf(unit.id), context) : [],
  };
  const querying: Pollster<PrometheusUnit> = {
    name: 'prometheus.query',
    meters: metersOf(mappings, unitIds(true)),
    discovery: `${discovery.name}:${QUERIES}`,
    poll: (unit, context) =>
      evaluate(unit, context.cycle, { how: 'query', index: indexOf(unit.id), context }),
    pollAt: (unit, instant, context) =>
      evaluate(unit, instant, { how: 'query_range', index: indexOf(unit.id), context }),
  };
  return {
    name: 'prometheus',
    discoveries: [discovery],
    pollsters: [scraping, querying],
    async close() {
      await Promise.all(callers.map((caller) => caller.close()));
    },
  };
}

/** What the mappings declare that are about any of these units, each name once. */
function metersOf(mappings: readonly Mapping[], unitIds: readonly string[]): PollsterMeter[] {
  const meters = new Map<string, PollsterMeter>();
  for (const mapping of mappings) {
    if (!unitIds.some((unitId) => isAbout(mapping, unitId))) continue;
    meters.set(mapping.declared.name, mapping.declared);
  }
  return [...meters.values()];
}
