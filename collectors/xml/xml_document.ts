import { NephoError } from '../../meters/errors.ts';

/** An element with its namespace resolved. */
export interface XmlElement {
  /** Without its prefix. */
  readonly name: string;
  /** The URI; null outside of any namespace. */
  readonly namespace: string | null;
  /** By the name as written, prefix included. Namespace declarations are among them. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  /** All text directly in it, in order, not trimmed. */
  readonly text: string;
}

/** UTF-16 units of one document. */
export const MAX_XML_LENGTH = 4 * 1024 * 1024;
/** Levels of nesting. */
export const MAX_XML_DEPTH = 64;
/** Elements of one document. */
export const MAX_XML_ELEMENTS = 100_000;

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
};
const NAME = /[A-Za-z_\u0080-\uffff][\w.\-:\u0080-\uffff]*/y;
const SPACE = /[ \t\r\n]*/y;
const REFERENCE = /&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|(\w{1,8}));|&/g;

interface OpenElement {
  readonly written: string;
  readonly element: XmlElement & { children: XmlElement[]; text: string };
  readonly namespaces: ReadonlyMap<string, string>;
}

/**
 * Reads an XML document. No document type is accepted, so there are neither entities of its own nor
 * anything that it could make the reader fetch or multiply.
 *
 * @throws {NephoError} `parse_error` with the place, `too_large` for more than this module's limits
 */
export function parseXml(text: string): XmlElement {
  if (text.length > MAX_XML_LENGTH) throw tooLarge(`${MAX_XML_LENGTH} characters`);
  return new XmlReader(text).read();
}

/** The first child of that name; of that namespace if one is given. */
export function childOf(
  element: XmlElement | undefined,
  name: string,
  namespace?: string,
): XmlElement | undefined {
  return element?.children.find((child) =>
    child.name === name && (namespace === undefined || child.namespace === namespace)
  );
}

export function childrenOf(element: XmlElement | undefined, name: string): XmlElement[] {
  return element?.children.filter((child) => child.name === name) ?? [];
}

class XmlReader {
  readonly #text: string;
  #at = 0;
  #elements = 0;
  readonly #open: OpenElement[] = [];
  #root: XmlElement | null = null;

  constructor(text: string) {
    this.#text = text;
  }

  read(): XmlElement {
    while (this.#at < this.#text.length) {
      const start = this.#text.indexOf('<', this.#at);
      this.#addText(this.#text.slice(this.#at, start < 0 ? this.#text.length : start));
      this.#at = start < 0 ? this.#text.length : start;
      if (start >= 0) this.#readMarkup();
    }
    const unclosed = this.#open.at(-1);
    if (unclosed !== undefined) throw this.#fault(`<${unclosed.written}> is not closed`);
    if (this.#root === null) throw this.#fault('there is no element');
    return this.#root;
  }

  #readMarkup(): void {
    if (this.#starts('<!--')) this.#skipPast('<!--', '-->');
    else if (this.#starts('<![CDATA[')) this.#addCharacters(this.#skipPast('<![CDATA[', ']]>'));
    else if (this.#starts('<?')) this.#skipPast('<?', '?>');
    else if (this.#starts('<!')) throw this.#fault('a document type is not accepted');
    else if (this.#starts('</')) this.#readEnd();
    else this.#readStart();
  }

  #readStart(): void {
    this.#at += 1;
    const written = this.#name();
    const attributes = new Map<string, string>();
    let namespaces = this.#open.at(-1)?.namespaces ?? new Map<string, string>();
    for (;;) {
      this.#space();
      const isEmpty = this.#starts('/>');
      if (isEmpty || this.#starts('>')) {
        this.#at += isEmpty ? 2 : 1;
        this.#begin(written, { attributes, namespaces, isEmpty });
        return;
      }
      const [name, value] = this.#attribute();
      if (attributes.has(name)) throw this.#fault(`the attribute ${name} stands twice`);
      attributes.set(name, value);
      const prefix = name === 'xmlns' ? '' : name.startsWith('xmlns:') ? name.slice(6) : null;
      if (prefix !== null) namespaces = new Map([...namespaces, [prefix, value]]);
    }
  }

  #begin(
    written: string,
    { attributes, namespaces, isEmpty }: {
      attributes: ReadonlyMap<string, string>;
      namespaces: ReadonlyMap<string, string>;
      isEmpty: boolean;
    },
  ): void {
    this.#elements += 1;
    if (this.#elements > MAX_XML_ELEMENTS) throw tooLarge(`${MAX_XML_ELEMENTS} elements`);
    if (this.#open.length >= MAX_XML_DEPTH) throw tooLarge(`${MAX_XML_DEPTH} levels`);
    const colon = written.indexOf(':');
    const element = {
      name: written.slice(colon + 1),
      namespace: namespaces.get(colon < 0 ? '' : written.slice(0, colon)) ?? null,
      attributes,
      children: [],
      text: '',
    };
    const parent = this.#open.at(-1);
    if (parent !== undefined) parent.element.children.push(element);
    else if (this.#root === null) this.#root = element;
    else throw this.#fault('there is a second root element');
    if (!isEmpty) this.#open.push({ written, element, namespaces });
  }

  #readEnd(): void {
    this.#at += 2;
    const written = this.#name();
    this.#space();
    this.#expect('>');
    const opened = this.#open.pop();
    if (opened?.written !== written) {
      throw this.#fault(`</${written}> ends ${opened ? `<${opened.written}>` : 'nothing'}`);
    }
  }

  #attribute(): [string, string] {
    const name = this.#name();
    this.#space();
    this.#expect('=');
    this.#space();
    const quote = this.#text.charAt(this.#at);
    if (quote !== '"' && quote !== "'") throw this.#fault(`the value of ${name} has no quotes`);
    const end = this.#text.indexOf(quote, this.#at + 1);
    if (end < 0) throw this.#fault(`the value of ${name} has no end`);
    const value = this.#text.slice(this.#at + 1, end);
    if (value.includes('<')) throw this.#fault(`the value of ${name} has a <`);
    this.#at = end + 1;
    return [name, this.#decode(value)];
  }

  #addText(text: string): void {
    if (text !== '') this.#addCharacters(this.#decode(text));
  }

  #addCharacters(text: string): void {
    const parent = this.#open.at(-1);
    if (parent !== undefined) parent.element.text += text;
    else if (text.replace(/^\ufeff/, '').trim() !== '') {
      throw this.#fault('there is text outside of the root element');
    }
  }

  #decode(text: string): string {
    if (!text.includes('&')) return text;
    return text.replace(REFERENCE, (whole, decimal, hex, name) => {
      const code = decimal !== undefined ? Number(decimal) : Number.parseInt(hex, 16);
      if (code >= 1 && code <= 0x10_ffff) return String.fromCodePoint(code);
      const entity = name === undefined ? undefined : ENTITIES[name];
      if (entity === undefined) throw this.#fault(`the reference '${whole}' is not known`);
      return entity;
    });
  }

  #name(): string {
    NAME.lastIndex = this.#at;
    const name = NAME.exec(this.#text)?.[0];
    if (name === undefined) throw this.#fault('a name is missing');
    this.#at += name.length;
    return name;
  }

  #space(): void {
    SPACE.lastIndex = this.#at;
    this.#at += SPACE.exec(this.#text)?.[0].length ?? 0;
  }

  #starts(text: string): boolean {
    return this.#text.startsWith(text, this.#at);
  }

  #expect(text: string): void {
    if (!this.#starts(text)) throw this.#fault(`'${text}' is missing`);
    this.#at += text.length;
  }

  /** What stands between the two, with the position behind the second. */
  #skipPast(start: string, end: string): string {
    const found = this.#text.indexOf(end, this.#at + start.length);
    if (found < 0) throw this.#fault(`'${start}' has no end`);
    const between = this.#text.slice(this.#at + start.length, found);
    this.#at = found + end.length;
    return between;
  }

  #fault(what: string): NephoError {
    const line = this.#text.slice(0, this.#at).split('\n').length;
    return new NephoError('parse_error', `Cannot read XML, line ${line}: ${what}`, {
      context: { line },
    });
  }
}

function tooLarge(limit: string): NephoError {
  return new NephoError('too_large', `Cannot read XML: it has more than ${limit}`);
}
