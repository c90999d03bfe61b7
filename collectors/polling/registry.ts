import { NephoError } from '../../meters/errors.ts';
import type { Collector, Discovery, Pollster } from './pollster.ts';

/** The pollsters and discoveries that a source can use: those of its cloud and those of no cloud. */
export class CollectorRegistry {
  readonly pollsters: readonly Pollster[];
  readonly #discoveries: ReadonlyMap<string, Discovery>;

  /** @throws {NephoError} `name_taken` if two have the same name */
  constructor(collectors: readonly Collector[]) {
    this.pollsters = collectors.flatMap((collector) => collector.pollsters);
    const discoveries = collectors.flatMap((collector) => collector.discoveries);
    refuseTaken('pollster', this.pollsters);
    refuseTaken('discovery', discoveries);
    this.#discoveries = new Map(discoveries.map((one) => [one.name, one]));
  }

  /** @throws {NephoError} `service_absent` */
  discovery(name: string): Discovery {
    const found = this.#discoveries.get(name);
    if (found !== undefined) return found;
    throw new NephoError(
      'service_absent',
      `Cannot discover '${name}': no collector offers it, correct the name or configure its collector`,
    );
  }
}

function refuseTaken(kind: string, named: readonly { name: string }[]): void {
  const names = named.map(({ name }) => name);
  const taken = [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
  if (taken.length === 0) return;
  throw new NephoError(
    'name_taken',
    `Cannot use two of a ${kind} with the same name: '${taken.join("', '")}', rename one of each`,
  );
}
