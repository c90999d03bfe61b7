import type { DefinitionNode, MapNode } from './definition_document.ts';
import type { FaultList } from './definition_fault.ts';
import { keyRemedy } from './raw_setting.ts';

/** Code points of a citation. */
const MAX_CITED = 60;

/** The value of a key; undefined if there is none, or nothing behind it. */
export function valueOf(map: MapNode, key: string): DefinitionNode | undefined {
  const value = map.entries.get(key)?.value;
  return value?.kind === 'null' ? undefined : value;
}

/** A fault for each key that is not one of these, with the one that may have been meant. */
export function refuseUnknownKeys(
  map: MapNode,
  known: readonly string[],
  faults: FaultList,
  isIgnored: (key: string) => boolean = () => false,
): void {
  for (const [key, { keyPlace }] of map.entries) {
    if (known.includes(key) || isIgnored(key)) continue;
    const message = `The key '${cut(key)}' has no meaning here`;
    faults.fault('key_unknown', keyPlace, message, keyRemedy(key, known));
  }
}

export interface IntegerField {
  min: number;
  max: number;
  /** As in `seconds`. */
  unit: string;
}

/** A whole number, also one in quotes, as Ceilometer takes it. Undefined without one, null after a fault. */
export function readInteger(
  map: MapNode,
  key: string,
  { min, max, unit }: IntegerField,
  faults: FaultList,
): number | undefined | null {
  const node = valueOf(map, key);
  if (node === undefined) return undefined;
  const value = node.kind === 'text' && /^\s*\d{1,15}\s*$/.test(node.text)
    ? Number(node.text)
    : node.kind === 'number'
    ? node.value
    : null;
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) {
    return value;
  }
  faults.fault(
    'value_invalid',
    node.place,
    `'${key}' is ${described(node)}`,
    `Write a whole number of ${unit} from ${min} to ${max}`,
  );
  return null;
}

/** Texts that may be stored, none of them empty. `one` says what an item is, as in `a meter`. */
export function readTexts(
  map: MapNode,
  key: string,
  { one, max, maxLength }: { one: string; max: number; maxLength: number },
  faults: FaultList,
): { text: string; node: DefinitionNode }[] {
  const node = valueOf(map, key);
  if (node === undefined) return [];
  const items = node.kind === 'list' ? node.items : [node];
  if (node.kind === 'text') {
    faults.warn(
      'value_invalid',
      node.place,
      `'${key}' is a text, taken as a list of one`,
      'Write a list',
    );
  } else if (node.kind !== 'list') {
    faults.fault('value_invalid', node.place, `'${key}' is ${described(node)}`, 'Write a list');
    return [];
  }
  if (items.length > max) {
    faults.fault(
      'too_many',
      node.place,
      `'${key}' has ${items.length} entries`,
      `Write at most ${max}, or part the source`,
    );
    return [];
  }
  return items.flatMap((item) => {
    const text = readText(item, { one, maxLength }, faults);
    return text === null ? [] : [{ text, node: item }];
  });
}

/** A text, or a plain number as it stands. Null after a fault. */
export function readText(
  node: DefinitionNode,
  { one, maxLength }: { one: string; maxLength: number },
  faults: FaultList,
): string | null {
  const text = node.kind === 'text' || node.kind === 'number' ? node.text : '';
  if (text !== '' && text.length <= maxLength && text.isWellFormed() && !/\p{Cc}/u.test(text)) {
    return text;
  }
  faults.fault(
    'value_invalid',
    node.place,
    `Where ${one} should stand is ${described(node)}`,
    `Write a text of 1 to ${maxLength} characters`,
  );
  return null;
}

/** What stands there, for a message. */
function described(node: DefinitionNode): string {
  switch (node.kind) {
    case 'map':
      return 'a mapping';
    case 'list':
      return 'a list';
    case 'null':
      return 'nothing';
    case 'bool':
      return String(node.value);
    case 'number':
    case 'text':
      return `'${cut(node.text)}'`;
  }
}

/** A text as it is cited in a sentence: short, and nothing that a terminal would obey. */
export function cut(text: string): string {
  const printable = Array.from(text.replaceAll(/\p{Cc}|\p{Surrogate}/gu, '\ufffd'));
  return printable.length <= MAX_CITED
    ? printable.join('')
    : `${printable.slice(0, MAX_CITED).join('')}…`;
}
