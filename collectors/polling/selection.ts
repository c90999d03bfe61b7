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
 */
export function selectFeeds(
  pollsters: readonly Pollster[],
  source: { selection: MeterSelection; discovery: readonly DiscoveryReference[] },
): Feed[] {
  const feeds = new Map<string, Feed>();
  for (const pollster of pollsters) {
    const meters = pollster.meters.filter(({ name }) => source.selection.wants(name));
    if (meters.length === 0) continue;
    const own = parseDiscovery(pollster.discovery);
    const replaced = source.discovery.filter(({ name }) => name === own.name);
    for (const { name, parameter } of replaced.length > 0 ? replaced : [own]) {
      const key = `${name}:${parameter}`;
      const feed = feeds.get(key) ?? { discovery: name, parameter, selected: [] };
      feeds.set(key, feed);
      feed.selected.push({ pollster, meters });
    }
  }
  return [...feeds.values()];
}
