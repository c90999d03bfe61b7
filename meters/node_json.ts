import type { DefinitionNode } from './definition_document.ts';
import type { JsonValue } from './json.ts';

/**
 * The value of a node without its places. What aliases share stays one object, so look at
 * {@link expandedSize} before anything walks through it.
 */
export function jsonOfNode(node: DefinitionNode): JsonValue {
  const made = new Map<DefinitionNode, JsonValue>();
  const convert = (node: DefinitionNode): JsonValue => {
    const known = made.get(node);
    if (known !== undefined) return known;
    const value = node.kind === 'map'
      // Not by assignment: a key may be __proto__.
      ? Object.fromEntries([...node.entries].map(([key, entry]) => [key, convert(entry.value)]))
      : node.kind === 'list'
      ? node.items.map(convert)
      : node.kind === 'text'
      ? node.text
      : node.kind === 'null'
      ? null
      : node.value;
    made.set(node, value);
    return value;
  };
  return convert(node);
}

/** How many nodes there are once every alias is replaced by what it stands for; perhaps infinite. */
export function expandedSize(root: DefinitionNode): number {
  const sizes = new Map<DefinitionNode, number>();
  const measure = (node: DefinitionNode): number => {
    const known = sizes.get(node);
    if (known !== undefined) return known;
    const parts = node.kind === 'map'
      ? Array.from(node.entries.values(), ({ value }) => value)
      : node.kind === 'list'
      ? node.items
      : [];
    const size = parts.reduce((sum, part) => sum + measure(part), 1);
    sizes.set(node, size);
    return size;
  };
  return measure(root);
}
