import type { JsonObject, JsonValue } from '../../meters/json.ts';
import { parseXml, type XmlElement } from '../xml/xml_document.ts';

/**
 * A document as `xmltodict`, which Ceilometer uses, has it: an element is its text, or an object of its
 * attributes (`@name`), children and text (`#text`); children of one name are a list; an empty element is
 * null. Names are without their prefix, and there are no entities and document types.
 *
 * @throws {NephoError} `parse_error`, `too_large`
 */
export function readXmlValue(text: string): JsonObject {
  const root = parseXml(text);
  return Object.fromEntries([[root.name, valueOf(root)]]);
}

function valueOf(element: XmlElement): JsonValue {
  const text = element.text.trim();
  if (element.attributes.size === 0 && element.children.length === 0) return text || null;
  const entries = new Map<string, JsonValue>();
  for (const [name, value] of element.attributes) entries.set(`@${name}`, value);
  const named = new Map<string, JsonValue[]>();
  for (const child of element.children) {
    const values = named.get(child.name) ?? [];
    named.set(child.name, values);
    values.push(valueOf(child));
  }
  for (const [name, values] of named) {
    entries.set(name, values.length > 1 ? values : values[0] ?? null);
  }
  if (text !== '') entries.set('#text', text);
  return Object.fromEntries(entries);
}
