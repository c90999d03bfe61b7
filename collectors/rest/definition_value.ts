import type { DefinitionNode } from '../../meters/definition_document.ts';
import type { DefinitionKeys } from './definition_node.ts';
import type { RestValue } from './rest_definition.ts';

const SUB_METER = /\.\{([\w-]+)\}$/;
const LIST_VALUE = /^\[(\w+)\]((?:\.\w+)+)$/;

/** The key of the field that names each of several meters; null for a pollster of one meter. */
export function subMeterKey(name: string): string | null {
  return SUB_METER.exec(name)?.[1] ?? null;
}

/** The name of all meters of a pollster, with a `*` in place of the field. */
export function meterName(name: string, part = '*'): string {
  return name.replace(SUB_METER, () => `.${part}`);
}

/**
 * How the value is read, by `value_attribute`, or `value` of extra metadata.
 *
 * @param inherited what stands there in the pollster around
 */
export function readValue(
  keys: DefinitionKeys,
  name: string,
  inherited: DefinitionNode | undefined,
): RestValue | null {
  const own = keys.get('value_attribute') ?? keys.get('value') ?? inherited;
  if (own?.kind !== 'text' || own.text === '') {
    if (own !== undefined) {
      keys.wrong('value_attribute', own, 'is no attribute', "Write one, or '.'");
    } else keys.missing('value_attribute', "Add value_attribute:; '.' is the whole entry");
    return null;
  }
  const nameKey = subMeterKey(name);
  if (nameKey === null) {
    const attribute = keys.compileAttribute(own);
    return attribute === null ? null : { kind: 'one', attribute };
  }
  const [, list = '', fields = ''] = LIST_VALUE.exec(own.text) ?? [];
  if (list === '') {
    keys.fault(
      'value_invalid',
      own.place,
      `The name ends in '{${nameKey}}', and '${own.text.slice(0, 80)}' is no list of objects`,
      "Write '[list].field', as '[categories].ops'",
    );
    return null;
  }
  const of = keys.compileAttribute({ ...own, text: list });
  const attribute = keys.compileAttribute({ ...own, text: fields.slice(1) });
  const mapping = keys.get('value_mapping');
  if (mapping !== undefined) {
    keys.faults.warn(
      'key_ignored',
      mapping.place,
      'A pollster of many meters maps no values',
      'Map them by an operation, or define a pollster each',
    );
  }
  return of === null || attribute === null ? null : { kind: 'each', list: of, nameKey, attribute };
}
