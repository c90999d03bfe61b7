/**
 * A JSON value as read from outside. Objects may have any own key, `__proto__` among them, so copy them
 * with `Object.fromEntries` or a spread, never by assignment of keys that come from outside.
 */
export type JsonValue = null | boolean | number | string | ExactNumber | JsonValue[] | JsonObject;
export interface JsonObject {
  [key: string]: JsonValue;
}

/** A number that a double cannot hold exactly, with its text as it stood in the source. */
export class ExactNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** True for a JSON object: not null, not a list, not a number kept as text. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) &&
    !(value instanceof ExactNumber);
}
