import type { NephoInputs } from '../client/client.ts';
import type { SourceSpec } from '../meters/polling_config.ts';
import { pollingFileOf } from './cloud_set.ts';
import type { Settings } from './env.ts';
import { writeWarning } from './output.ts';
import { pollingInForce } from './polling_files.ts';

type WantedSource = NephoInputs['sources']['plan']['sources'][number];

/**
 * The sources of polling.yaml as the API takes them. Its warnings are said.
 *
 * @param file null for the configured one
 * @throws {NephoError} `polling_faulty`
 */
export async function wantedSources(
  settings: Settings,
  file: string | null,
): Promise<WantedSource[]> {
  const source = pollingFileOf(file === null ? settings : { ...settings, pollingFiles: [file] });
  const { config } = await pollingInForce(source, writeWarning);
  return config.sources.map(wireSource);
}

function wireSource(source: SourceSpec): WantedSource {
  return {
    cloud: source.cloud,
    name: source.name,
    interval: source.intervalSeconds,
    meters: [...source.meters],
    resources: [...source.resources],
    discovery: source.discovery.map(({ name, parameter }) => ({ name, parameter })),
    groups: source.groups,
    concurrency: source.concurrency,
    expect: source.expect.map(({ meter, atLeast }) => ({ meter, at_least: atLeast })),
  };
}
