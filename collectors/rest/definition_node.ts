import type { DefinitionNode, MapNode } from '../../meters/definition_document.ts';
import type { FaultCode, FaultList, Place } from '../../meters/definition_fault.ts';
import { isNephoError } from '../../meters/errors.ts';
import { compileAttribute, type CompiledAttribute } from '../../meters/expression_attribute.ts';
import type { JsonValue } from '../../meters/json.ts';

/** The keys of one definition as they are read, with what is wrong about them. */
export class DefinitionKeys {
  readonly node: MapNode;
  readonly faults: FaultList;
  /** Of the definition, for messages: `The pollster 'x' `. */
  readonly subject: string;

  constructor(node: MapNode, faults: FaultList) {
    this.node = node;
    this.faults = faults;
    const name = node.entries.get('name')?.value;
    this.subject = name?.kind === 'text' ? `The pollster '${name.text}'` : 'A pollster';
  }

  /** What stands under a key; undefined if nothing does. */
  get(key: string): DefinitionNode | undefined {
    const found = this.node.entries.get(key)?.value;
    return found === undefined || found.kind === 'null' ? undefined : found;
  }

  fault(code: FaultCode, place: Place, message: string, remedy: string): void {
    this.faults.fault(code, place, message, remedy);
  }

  missing(key: string, remedy: string): void {
    this.fault('key_missing', this.node.place, `${this.subject} has no '${key}'`, remedy);
  }

  /** A text that is not empty; undefined without one or after a fault. */
  text(key: string): { text: string; place: Place; placeAt(offset: number): Place } | undefined {
    const node = this.get(key);
    if (node === undefined || (node.kind === 'text' && node.text === '')) return undefined;
    if (node.kind === 'text') return node;
    // What YAML takes for a number or a truth value, and who wrote it for a text.
    if (node.kind === 'number' || node.kind === 'bool') {
      const text = node.kind === 'number' ? node.text : String(node.value);
      return { text, place: node.place, placeAt: () => node.place };
    }
    this.wrong(key, node, 'is no text', 'Write a text');
    return undefined;
  }

  attribute(key: string): CompiledAttribute | null {
    const found = this.text(key);
    return found === undefined ? null : this.compileAttribute(found);
  }

  compileAttribute(
    found: { text: string; placeAt(offset: number): Place },
  ): CompiledAttribute | null {
    return this.compile(found, compileAttribute);
  }

  bool(key: string, absent: boolean): boolean {
    const node = this.get(key);
    if (node === undefined) return absent;
    if (node.kind === 'bool') return node.value;
    this.wrong(key, node, 'is neither true nor false', 'Write true or false');
    return absent;
  }

  /** Seconds as milliseconds. */
  seconds(key: string, absent: number, { least, most }: { least: number; most: number }): number {
    const node = this.get(key);
    if (node === undefined) return absent * 1_000;
    const value = node.kind === 'number' && typeof node.value === 'number' ? node.value : NaN;
    if (value >= least && value <= most) return Math.round(value * 1_000);
    this.wrong(key, node, 'is no number of seconds', `Write ${least} to ${most}`);
    return absent * 1_000;
  }

  /** A list, or one entry without its list. */
  list(key: string): readonly DefinitionNode[] {
    const node = this.get(key);
    if (node === undefined) return [];
    return node.kind === 'list' ? node.items : [node];
  }

  /** Names and texts; undefined entries are faults that were told. */
  texts(key: string): { key: string; value: string; place: Place }[] {
    const node = this.get(key);
    if (node === undefined) return [];
    const maps = node.kind === 'list' ? node.items : [node];
    return maps.flatMap((map) => {
      if (map.kind !== 'map') {
        this.wrong(key, map, 'is no mapping', 'Write name: text');
        return [];
      }
      return [...map.entries].flatMap(([name, { value }]) => {
        if (value.kind === 'text') return [{ key: name, value: value.text, place: value.place }];
        if (value.kind === 'number') return [{ key: name, value: value.text, place: value.place }];
        this.wrong(`${key}.${name}`, value, 'is no text', 'Write a text');
        return [];
      });
    });
  }

  wrong(key: string, node: DefinitionNode, what: string, remedy: string): void {
    this.fault('value_invalid', node.place, `'${key}' ${what}`, remedy);
  }

  /** Compiles a text; what is wrong is told at its place in the file. */
  compile<Result>(
    found: { text: string; placeAt(offset: number): Place },
    compiler: (text: string) => Result,
  ): Result | null {
    try {
      return compiler(found.text);
    } catch (error) {
      if (!isNephoError(error)) throw error;
      const { offset, remedy } = error.context;
      this.fault(
        'expression_invalid',
        found.placeAt(typeof offset === 'number' ? offset : 0),
        error.message,
        typeof remedy === 'string' ? remedy : 'Correct it',
      );
      return null;
    }
  }
}

/** The value that a node is, exact. */
export function nodeValue(node: DefinitionNode): JsonValue {
  switch (node.kind) {
    case 'map':
      return Object.fromEntries(
        [...node.entries].map(([key, { value }]) => [key, nodeValue(value)]),
      );
    case 'list':
      return node.items.map(nodeValue);
    case 'text':
      return node.text;
    case 'number':
    case 'bool':
      return node.value;
    case 'null':
      return null;
  }
}
