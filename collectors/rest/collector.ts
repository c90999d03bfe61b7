import { createHash } from 'node:crypto';
import { readVolume } from '../../meters/definition_volume.ts';
import { isNephoError, NephoError } from '../../meters/errors.ts';
import type { JsonObject, JsonValue } from '../../meters/json.ts';
import type { Reading } from '../../meters/sample.ts';
import type { Collector, Discovery, PollContext, Pollster, Unit } from '../polling/pollster.ts';
import { checkMetadata } from '../polling/storable_metadata.ts';
import { commandWords } from './command_words.ts';
import { meterName } from './definition_value.ts';
import { ExtraMetadataReader, templateOf } from './extra_metadata.ts';
import { RestAsker, type RestPorts } from './rest_asker.ts';
import type { RestDefinition, RestListing, RestSampling } from './rest_definition.ts';
import { identified, type RestEntry, restPages } from './rest_pages.ts';
import { pickedMetadata, type Sampled, sampledValues } from './rest_sampling.ts';
import type { RestSettings } from './settings_schema.ts';

export type RestDeps = Omit<RestPorts, 'commands' | 'authentications'>;

/** Entries that are handed on at once. */
const PAGE = 1_000;

/**
 * The dynamic pollsters of one cloud, or, without a session, those that need none. Definitions that ask
 * the same and name their entries in the same way share one listing a cycle.
 *
 * @param definitions of which those are taken that are for the cloud, or for none
 */
export function createRestCollector(
  definitions: readonly RestDefinition[],
  settings: Pick<RestSettings, 'host_commands' | 'authentications'>,
  deps: RestDeps,
): Collector {
  const inCloud = deps.session !== null;
  const ours = definitions.filter((definition) => needsCloud(definition) === inCloud);
  const asker = new RestAsker({
    ...deps,
    authentications: settings.authentications,
    commands: settings.host_commands.map(commandWords),
  });
  const discovery = new RestDiscovery(inCloud ? 'rest' : 'rest_local', asker, ours);
  const extra = new ExtraMetadataReader(asker);
  return {
    name: discovery.name,
    discoveries: [discovery],
    pollsters: ours.map((definition) =>
      new RestPollster(definition, discovery.callOf(definition.listing), extra)
    ),
    close: () => Promise.resolve(),
  };
}

/** True if a pollster, or what enriches its samples, asks a service of the cloud. */
export function needsCloud(definition: RestSampling & { listing: RestListing }): boolean {
  const { request } = definition.listing;
  return request.kind === 'service' ||
    (request.kind === 'url' && request.authentication.kind === 'barbican') ||
    definition.extra.some(needsCloud);
}

class RestDiscovery implements Discovery<RestEntry> {
  readonly name: string;
  readonly #asker: RestAsker;
  readonly #listings = new Map<string, RestListing>();

  constructor(name: string, asker: RestAsker, definitions: readonly RestDefinition[]) {
    this.name = name;
    this.#asker = asker;
    for (const { listing } of definitions) this.#listings.set(listingId(listing), listing);
  }

  /** As a pollster names it: `rest:<what is asked>`. */
  callOf(listing: RestListing): string {
    return `${this.name}:${listingId(listing)}`;
  }

  async *discover(
    context: PollContext,
    parameter: string,
  ): AsyncIterable<readonly Unit<RestEntry>[]> {
    const listing = this.#listings.get(parameter);
    if (listing === undefined) {
      throw new NephoError(
        'request_refused',
        `Cannot discover '${this.name}:${parameter}': no pollster file asks for it; leave '${this.name}' out of 'discovery'`,
      );
    }
    const { signal } = context;
    let count = 0;
    const target = templateOf(listing.request).text;
    for await (const page of restPages(listing, target, { asker: this.#asker, signal })) {
      const readAt = context.now();
      for (let start = 0; start < page.length; start += PAGE) {
        yield page.slice(start, start + PAGE).map((entry) => {
          count += 1;
          const data = identified(entry, listing, { place: count, readAt });
          return { id: data.resourceId, data };
        });
      }
    }
  }
}

/** Says what is asked, for people, and tells it from all else, by a digest. */
function listingId(listing: RestListing): string {
  const { request, handlers, entries, next, userId, projectId, resourceId } = listing;
  const texts = [entries, next, userId, projectId, resourceId].map((each) => each?.text ?? null);
  const digest = createHash('sha256').update(JSON.stringify([request, handlers, texts]))
    .digest('hex').slice(0, 12);
  const whose = request.kind === 'service'
    ? request.serviceType
    : request.kind === 'url'
    ? request.origin
    : 'command';
  return `${whose}#${digest}`;
}

class RestPollster implements Pollster<RestEntry> {
  readonly name: string;
  readonly meters: Pollster['meters'];
  readonly discovery: string;
  readonly #definition: RestDefinition;
  readonly #extra: ExtraMetadataReader;

  constructor(definition: RestDefinition, discovery: string, extra: ExtraMetadataReader) {
    this.name = `rest.${definition.name}`;
    const { type, unit } = definition;
    this.meters = [{ name: meterName(definition.name), type, unit }];
    this.discovery = discovery;
    this.#definition = definition;
    this.#extra = extra;
  }

  poll(
    { id, data }: Unit<RestEntry>,
    context: PollContext,
  ): readonly Reading[] | Promise<readonly Reading[]> {
    if (data.failure !== null) throw data.failure;
    const definition = this.#definition;
    const missing = (meter: string, detail: string) =>
      context.missing(id, meter, 'value_invalid', detail);
    const sampled = sampledValues(definition, data.item, missing)
      .filter(({ name }) => context.wants(name));
    if (sampled.length === 0) return [];
    const metadata = pickedMetadata(definition, data.item);
    checkMetadata(metadata);
    const readings = sampled.flatMap((each) => {
      const volume = this.#volume(each, sampled.length > 1 ? missing : null);
      if (volume === null) return [];
      this.#remark(id, each, context);
      return [this.#reading(each.name, { volume, data, metadata })];
    });
    if (definition.extra.length === 0) return readings;
    return this.#enriched(readings, sampled, data, context);
  }

  /** Null after telling that this one of several meters is missing. */
  #volume(
    { name, value }: Sampled,
    onMissing: ((meter: string, detail: string) => void) | null,
  ): string | null {
    try {
      if (value !== null) return readVolume(value);
      throw new NephoError('value_invalid', `Cannot read a volume: '${name}' has none`);
    } catch (error) {
      if (!isNephoError(error)) throw error;
      if (onMissing === null) {
        throw new NephoError('value_invalid', error.message, { retryable: true, cause: error });
      }
      onMissing(name, error.message);
      return null;
    }
  }

  #reading(
    meter: string,
    { volume, data, metadata }: { volume: string; data: RestEntry; metadata: JsonObject },
  ): Reading {
    const { type, unit } = this.#definition;
    return {
      meter,
      type,
      unit,
      volume,
      resource_id: data.resourceId,
      project_id: data.projectId,
      user_id: data.userId,
      timestamp: data.readAt,
      metadata,
    };
  }

  /** In XML and text every number is text. */
  #remark(unit: string, { name, value }: Sampled, context: PollContext): void {
    const { valueMapping, listing } = this.#definition;
    if (typeof value !== 'string' || valueMapping !== null || listing.handlers[0] !== 'json') {
      return;
    }
    context.remark('number_as_text', unit, `'${name}' came as text`);
  }

  async #enriched(
    readings: readonly Reading[],
    sampled: readonly Sampled[],
    data: RestEntry,
    context: PollContext,
  ): Promise<readonly Reading[]> {
    const values = new Map<string, JsonValue>(sampled.map(({ name, value }) => [name, value]));
    const enriched: Reading[] = [];
    for (const reading of readings) {
      const value = values.get(reading.meter) ?? null;
      const sample = { ...data.item, value, metadata: reading.metadata };
      const more = await this.#extra.read(this.#definition, sample, context, (name, detail) => {
        context.remark('metadata_missing', data.resourceId, `'${name}': ${detail}`);
      });
      // What the entry itself says goes before what was asked for it, as in Ceilometer.
      const metadata = { ...more, ...reading.metadata };
      checkMetadata(metadata);
      enriched.push({ ...reading, metadata });
    }
    return enriched;
  }
}
