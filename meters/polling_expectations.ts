import type { DefinitionNode, MapNode } from './definition_document.ts';
import type { FaultList } from './definition_fault.ts';
import { MAX_NAME_LENGTH } from './limits.ts';
import { compileMeterPatterns } from './meter_patterns.ts';
import { type Expectation, MAX_EXPECTATIONS, MAX_EXPECTED_RESOURCES } from './polling_config.ts';
import { cut, readInteger, readText, refuseUnknownKeys, valueOf } from './polling_fields.ts';

/** Reads how many resources of which meters a source expects; it must take those meters. */
export function readExpectations(
  node: MapNode,
  meters: readonly string[],
  faults: FaultList,
): Expectation[] {
  const value = valueOf(node, 'expect');
  if (value === undefined) return [];
  const items = value.kind === 'list' ? value.items : null;
  if (items === null || items.length > MAX_EXPECTATIONS) {
    faults.fault(
      items === null ? 'value_invalid' : 'too_many',
      value.place,
      items === null ? "'expect' is no list" : `'expect' has ${items.length} entries`,
      `Write a list of at most ${MAX_EXPECTATIONS} entries { meter: …, at_least: … }`,
    );
    return [];
  }
  const selection = compileMeterPatterns(meters);
  const seen = new Set<string>();
  return items.flatMap((item) => {
    const expectation = readExpectation(item, faults);
    if (expectation === null) return [];
    const { meter } = expectation;
    if (!selection.wants(meter)) {
      faults.fault(
        'value_invalid',
        item.place,
        `The source expects '${cut(meter)}' but does not take that meter`,
        'Add it to meters:, or remove the expectation',
      );
    }
    if (seen.has(meter)) {
      const message = `The source expects '${cut(meter)}' twice`;
      faults.fault('name_duplicate', item.place, message, 'Remove one');
    }
    seen.add(meter);
    return [expectation];
  });
}

function readExpectation(item: DefinitionNode, faults: FaultList): Expectation | null {
  const meterNode = item.kind === 'map' ? valueOf(item, 'meter') : undefined;
  if (item.kind !== 'map' || meterNode === undefined) {
    faults.fault(
      'key_missing',
      item.place,
      'An expectation does not say of which meter',
      'Write - { meter: …, at_least: … }',
    );
    return null;
  }
  refuseUnknownKeys(item, ['meter', 'at_least'], faults);
  const meter = readText(meterNode, { one: 'a meter', maxLength: MAX_NAME_LENGTH }, faults);
  const limits = { min: 1, max: MAX_EXPECTED_RESOURCES, unit: 'resources' };
  const atLeast = readInteger(item, 'at_least', limits, faults);
  if (atLeast === undefined) {
    faults.fault(
      'key_missing',
      item.place,
      'An expectation does not say how many',
      'Add at_least:',
    );
  }
  return meter === null || atLeast === null || atLeast === undefined ? null : { meter, atLeast };
}
