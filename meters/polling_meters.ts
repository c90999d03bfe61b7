import type { DefinitionNode, MapNode } from './definition_document.ts';
import type { FaultList, Place } from './definition_fault.ts';
import { MAX_NAME_LENGTH } from './limits.ts';
import { isExclusion } from './meter_patterns.ts';
import { MAX_PATTERNS } from './polling_config.ts';
import { cut, readTexts, valueOf } from './polling_fields.ts';

/** Reads the patterns of a source, by Ceilometer's rules of what may stand together. */
export function readMeters(node: MapNode, faults: FaultList): string[] {
  // Its name in Grizzly and Folsom.
  const key = valueOf(node, 'meters') === undefined ? 'counters' : 'meters';
  const before = faults.faults.length;
  const limits = { one: 'a meter', max: MAX_PATTERNS, maxLength: MAX_NAME_LENGTH };
  const found = readTexts(node, key, limits, faults);
  if (found.length === 0 && faults.faults.length === before) {
    faults.fault(
      'key_missing',
      node.place,
      'The source has no meters',
      "Add meters:, ['*'] for all",
    );
  }
  checkMixture(found, faults);
  return found.map(({ text }) => text);
}

/**
 * Ceilometer refuses what its rule makes no sense of. What begins with a star counts as neither included
 * nor excluded, so `*.bytes` goes beside exclusions and beside `*`.
 */
function checkMixture(
  found: readonly { text: string; node: DefinitionNode }[],
  faults: FaultList,
): void {
  const included = found.find(({ text }) => !/^[!*]/.test(text));
  const excluded = found.find(({ text }) => isExclusion(text));
  const all = found.find(({ text }) => text === '*');
  if (included === undefined) return;
  if (excluded !== undefined) {
    faults.fault(
      'meters_mixed',
      later(included.node.place, excluded.node.place),
      `The meters have both '${cut(included.text)}' and the exclusion '${cut(excluded.text)}'`,
      'Write either what to take or what to leave out, or make two sources',
    );
  } else if (all !== undefined) {
    faults.fault(
      'meters_mixed',
      later(included.node.place, all.node.place),
      `The meters have both '*' and '${cut(included.text)}'`,
      "Remove '*', or all others",
    );
  }
}

function later(one: Place, other: Place): Place {
  return (one.line - other.line || one.column - other.column) > 0 ? one : other;
}
