import type { MeterSelection } from '../../meters/meter_patterns.ts';
import { type DiscoveryReference, parseDiscovery } from '../../meters/polling_config.ts';
import type { Pollster, PollsterMeter } from './pollster.ts';

export interface SelectedPollster {
  pollster: Pollster;
  /** Those of its meters that the source wants. */
  meters: readonly PollsterMeter[];
}

/** Pollsters that are fed by the same listing. */
export interface Feed {
  /** `name` of the discovery. */
  discovery: string;
  parameter: string;
  selected: SelectedPollster[];
}

/**
 * The pollsters that give what a source wants, by the listing that feeds them. A discovery that the
 * source names replaces the pollster's own of the same name, parameter and all: one of another name
 * would bring units that the pollster cannot read.
 *
 * A meter comes from one pollster, lest it counts twice: from the first that declares it, those before
 * all whose discovery the source names.
 */
export function selectFeeds(
  pollsters: readonly Pollster[],
  source: { selection: MeterSelection; discovery: readonly DiscoveryReference[] },
): Feed[] {
  const feeds = new Map<string, Feed>();
  const claimed = new Set<string>();
  const isNamed = (pollster: Pollster): boolean => namedFor(pollster, source.discovery).length > 0;
  const inOrder = [
    ...pollsters.filter(isNamed),
    ...pollsters.filter((pollster) => !isNamed(pollster)),
  ];
  for (const pollster of inOrder) {
    const meters = pollster.meters.filter(({ name }) =>
      source.selection.wants(name) && !claimed.has(name)
    );
    if (meters.length === 0) continue;
    for (const { name } of meters) claimed.add(name);
    const named = namedFor(pollster, source.discovery);
    for (
      const { name, parameter } of named.length > 0 ? named : [parseDiscovery(pollster.discovery)]
    ) {
      const key = `${name}:${parameter}`;
      const feed = feeds.get(key) ?? { discovery: name, parameter, selected: [] };
      feeds.set(key, feed);
      feed.selected.push({ pollster, meters });
    }
  }
  return [...feeds.values()];
}

/** True if a meter is among those that were selected of a pollster. */
export function isSelected({ meters }: SelectedPollster, meter: string): boolean {
  return meters.some(({ name }) =>
    name.endsWith('*') ? meter.startsWith(name.slice(0, -1)) : name === meter
  );
}

function namedFor(
  pollster: Pollster,
  discovery: readonly DiscoveryReference[],
): readonly DiscoveryReference[] {
  const own = parseDiscovery(pollster.discovery).name;
  return discovery.filter(({ name }) => name === own);
}
