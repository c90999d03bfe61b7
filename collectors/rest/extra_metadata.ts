import { errorMessage, isNephoError } from '../../meters/errors.ts';
import { NephoError } from '../../meters/errors.ts';
import type { JsonObject, JsonValue } from '../../meters/json.ts';
import { AnswerCache } from './answer_cache.ts';
import { holds } from './json_equality.ts';
import type { RestAsker } from './rest_asker.ts';
import type { ExtraMetadata, RestRequest, RestSampling, Template } from './rest_definition.ts';
import { identified, restPages } from './rest_pages.ts';
import { pickedMetadata, sampledValues } from './rest_sampling.ts';

/** What a cycle lends. */
export interface ExtraContext {
  readonly cycle: string;
  readonly signal: AbortSignal;
  now(): string;
}

/** Entries of one answer that enriches a sample. */
const MAX_ENTRIES = 10_000;

/** Asks other endpoints for metadata of samples, each answer once in its time. */
export class ExtraMetadataReader {
  readonly #asker: RestAsker;
  readonly #cache = new AnswerCache<readonly JsonValue[]>();

  constructor(asker: RestAsker) {
    this.#asker = asker;
  }

  /**
   * What `extra_metadata_fields` add to a sample. What cannot be had is left out.
   *
   * @param sample the entry with its ids, `value` and `metadata`
   * @param onMissing told the name of what is left out, and why
   * @throws {NephoError} `timeout` if the cycle's time is up
   */
  async read(
    sampling: RestSampling,
    sample: JsonObject,
    context: ExtraContext,
    onMissing: (name: string, detail: string) => void,
  ): Promise<JsonObject> {
    const captured = new Map<string, JsonValue>();
    const byName = new Map<string, JsonValue>();
    for (const extra of sampling.extra) {
      if (extra.skipSamples.some((skip) => holds(sample, skip))) continue;
      const names = {
        sample,
        extra_metadata_captured: Object.fromEntries(captured),
        extra_metadata_by_name: Object.fromEntries(byName),
      };
      try {
        for (const found of await this.#samples(extra, names, context, onMissing)) {
          capture(captured, found);
          byName.set(found.name, { value: found.value, metadata: found.metadata });
        }
      } catch (error) {
        if (!isNephoError(error) || context.signal.aborted) throw error;
        onMissing(extra.name, errorMessage(error));
      }
    }
    return Object.fromEntries(captured);
  }

  async #samples(
    extra: ExtraMetadata,
    names: JsonObject,
    context: ExtraContext,
    onMissing: (name: string, detail: string) => void,
  ): Promise<FoundMetadata[]> {
    const found: FoundMetadata[] = [];
    for (const entry of await this.#entries(extra, names, context)) {
      const place = { place: found.length + 1, readAt: context.now() };
      const { item } = identified(entry, extra.listing, place);
      for (const { name, value } of sampledValues(extra, item, onMissing)) {
        const metadata = pickedMetadata(extra, item);
        const sample = { ...item, value, metadata };
        const more = extra.extra.length === 0
          ? {}
          : await this.read(extra, sample, context, onMissing);
        // What the entry itself says goes before what was asked for it.
        found.push({ name, value, metadata: { ...more, ...metadata } });
      }
    }
    return found;
  }

  async #entries(
    { listing, cacheMs }: ExtraMetadata,
    names: JsonObject,
    context: ExtraContext,
  ): Promise<readonly JsonValue[]> {
    const target = filledIn(templateOf(listing.request), names);
    const key = JSON.stringify([listing.request, listing.handlers, listing.entries?.text, target]);
    const times = { cycle: context.cycle, nowMs: Date.parse(context.now()), keepMs: cacheMs };
    return await this.#cache.get(key, times, async () => {
      const entries: JsonValue[] = [];
      const asked = { asker: this.#asker, signal: context.signal };
      for await (const page of restPages(listing, target, asked)) {
        entries.push(...page);
        if (entries.length <= MAX_ENTRIES) continue;
        throw new NephoError('too_large', `Cannot keep more than ${MAX_ENTRIES} entries`, {
          retryable: true,
        });
      }
      return entries;
    });
  }
}

interface FoundMetadata {
  readonly name: string;
  readonly value: JsonValue;
  readonly metadata: JsonObject;
}

/** The last that is not null counts. */
function capture(captured: Map<string, JsonValue>, { name, value, metadata }: FoundMetadata): void {
  captured.set(name, value);
  for (const [key, each] of Object.entries(metadata)) {
    if (each !== null || !captured.has(key)) captured.set(key, each);
  }
}

/** What a request begins with. */
export function templateOf(request: RestRequest): Template {
  switch (request.kind) {
    case 'service':
      return request.path;
    case 'url':
      return request.url;
    case 'command':
      return request.command;
  }
}

function filledIn({ text, expression }: Template, names: JsonObject): string {
  if (expression === null) return text;
  const value = expression.evaluate(names);
  if (typeof value === 'string') return value;
  throw new NephoError('value_invalid', 'Cannot ask for metadata: the path gives no text', {
    retryable: true,
  });
}
