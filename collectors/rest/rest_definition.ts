/** A dynamic pollster as it was compiled from its file. */
import type { CompiledExpression } from '../../meters/expression.ts';
import type { CompiledAttribute } from '../../meters/expression_attribute.ts';
import type { Place } from '../../meters/definition_fault.ts';
import type { JsonObject, JsonValue } from '../../meters/json.ts';
import type { MeterType } from '../../meters/sample.ts';

export const RESPONSE_HANDLERS = ['json', 'xml', 'text'] as const;
export type ResponseHandler = (typeof RESPONSE_HANDLERS)[number];

/** How somebody else's API is told who asks. */
export const AUTHENTICATION_SCHEMES = ['basic', 'bearer', 's3'] as const;
export type AuthenticationScheme = (typeof AUTHENTICATION_SCHEMES)[number];

export type Authentication =
  | { kind: 'none' }
  /** One of the settings. */
  | { kind: 'named'; name: string }
  /** As Ceilometer has it: user and secret, with commas between, in the file itself. */
  | { kind: 'inline'; scheme: AuthenticationScheme; parameters: string }
  /** As above, kept by Barbican. */
  | { kind: 'barbican'; scheme: AuthenticationScheme; secretId: string };

/** A text, or an expression that gives one. */
export interface Template {
  readonly text: string;
  readonly expression: CompiledExpression | null;
}

/** What is asked, and where. */
export type RestRequest =
  | {
    kind: 'service';
    serviceType: string;
    /** Joined to the endpoint as a browser joins a link to the address of its page. */
    path: Template;
    headers: Readonly<Record<string, string>>;
    timeoutMs: number;
  }
  | {
    kind: 'url';
    url: Template;
    /** That of the URL, which neither a link nor data may lead away from. */
    origin: string;
    headers: Readonly<Record<string, string>>;
    authentication: Authentication;
    timeoutMs: number;
  }
  | { kind: 'command'; command: Template; timeoutMs: number };

/** What is asked, how its answer is read, and whose each entry is. */
export interface RestListing {
  readonly request: RestRequest;
  readonly handlers: readonly ResponseHandler[];
  /** Null for the first key of the answer. */
  readonly entries: CompiledAttribute | null;
  readonly next: CompiledAttribute | null;
  readonly userId: CompiledAttribute | null;
  readonly projectId: CompiledAttribute | null;
  readonly resourceId: CompiledAttribute | null;
}

/** How the value of an entry is read. */
export type RestValue =
  | { kind: 'one'; attribute: CompiledAttribute }
  /** A list of objects, each of which is a meter of its own, named by one of its fields. */
  | { kind: 'each'; list: CompiledAttribute; nameKey: string; attribute: CompiledAttribute };

/** What is read of an entry, whether it becomes a sample or the metadata of one. */
export interface RestSampling {
  readonly name: string;
  readonly place: Place;
  readonly value: RestValue;
  readonly metadata: readonly { readonly key: string; readonly attribute: CompiledAttribute }[];
  readonly metadataMapping: ReadonlyMap<string, string>;
  readonly preserveMapped: boolean;
  readonly skipValues: readonly JsonValue[];
  /** Null without one. */
  readonly valueMapping: ReadonlyMap<string, JsonValue> | null;
  readonly defaultValue: JsonValue;
  readonly extra: readonly ExtraMetadata[];
}

/** A pollster that is asked for each sample of another. */
export interface ExtraMetadata extends RestSampling {
  readonly listing: RestListing;
  readonly cacheMs: number;
  /** A sample that holds all of one of these is not enriched. */
  readonly skipSamples: readonly JsonObject[];
}

export interface RestDefinition extends RestSampling {
  readonly type: MeterType;
  readonly unit: string;
  readonly listing: RestListing;
  readonly namespaces: readonly string[];
}
