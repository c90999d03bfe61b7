import { NephoError } from '../../meters/errors.ts';
import type { Discovery, PollContext, Unit } from '../polling/pollster.ts';
import type { EndpointCaller } from './endpoint_caller.ts';
import type { QuerySettings } from './settings_schema.ts';

/** One exporter's page, or one query of a Prometheus server. */
export interface PrometheusUnit {
  readonly caller: EndpointCaller;
  /** Null for an exporter. */
  readonly query: QuerySettings | null;
}

export const EXPORTERS = 'exporters';
export const QUERIES = 'queries';

/**
 * The endpoints and queries of the settings. As a parameter it takes the name of an endpoint,
 * `endpoint/query`, or one of the words `exporters` and `queries`.
 */
export class PrometheusDiscovery implements Discovery<PrometheusUnit> {
  readonly name = 'prometheus';
  readonly #units: readonly Unit<PrometheusUnit>[];

  constructor(callers: readonly EndpointCaller[]) {
    this.#units = callers.flatMap((caller): Unit<PrometheusUnit>[] => {
      const { name, queries } = caller.settings;
      if (queries === undefined) return [{ id: name, data: { caller, query: null } }];
      return queries.map((query) => ({ id: `${name}/${query.name}`, data: { caller, query } }));
    });
  }

  // Nothing is awaited: what there is to poll stands in the settings.
  // oxlint-disable-next-line require-await
  async *discover(
    _context: PollContext,
    parameter: string,
  ): AsyncIterable<readonly Unit<PrometheusUnit>[]> {
    const units = this.#find(parameter);
    if (
      units.length === 0 && parameter !== EXPORTERS && parameter !== QUERIES && parameter !== ''
    ) {
      throw new NephoError(
        'request_refused',
        `Cannot discover '${this.name}:${parameter}': no endpoint or query has this name, correct it or add it to the settings`,
      );
    }
    yield units;
  }

  /** Static resources are names of endpoints and queries too. */
  resource(text: string): Unit<PrometheusUnit> | null {
    return this.#units.find(({ id }) => id === text) ?? null;
  }

  #find(parameter: string): readonly Unit<PrometheusUnit>[] {
    switch (parameter) {
      case '':
        return this.#units;
      case EXPORTERS:
        return this.#units.filter(({ data }) => data.query === null);
      case QUERIES:
        return this.#units.filter(({ data }) => data.query !== null);
      default:
        return this.#units.filter(({ id }) => id === parameter || id.startsWith(`${parameter}/`));
    }
  }
}
