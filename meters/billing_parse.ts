import type { BillingConfig } from './billing_config.ts';
import { billingSchema } from './billing_config_schema.ts';
import { readDocument } from './definition_document.ts';
import { type Fault, FaultList, formatPlace, inPlaceOrder } from './definition_fault.ts';
import { refuseSecrets } from './inline_secrets.ts';
import { expandedSize, jsonOfNode } from './node_json.ts';
import { parseSetting } from './setting_schema.ts';

export type ParsedBilling =
  | { ok: true; config: BillingConfig; warnings: Fault[] }
  | { ok: false; faults: Fault[]; warnings: Fault[] };

/** Values of a file once its aliases are followed. */
const MAX_VALUES = 1_000_000;

/**
 * Reads a billing.yaml, all faults at once. An empty one says nothing: the defaults hold.
 *
 * @param options `file` is the name shown in faults
 * @example
 * const parsed = parseBilling(text, { file: 'billing.yaml' });
 * if (!parsed.ok) parsed.faults.map(formatFault);
 */
export function parseBilling(text: string, options: { file: string }): ParsedBilling {
  const found = new FaultList();
  const node = readDocument(options.file, text, found);
  const refused = (faults: readonly Fault[]): ParsedBilling => ({
    ok: false,
    faults: inPlaceOrder(faults),
    warnings: inPlaceOrder(found.warnings),
  });
  if (node === null) return refused(found.faults);
  // Before anything walks through it.
  if (expandedSize(node) > MAX_VALUES) {
    const message = `The aliases make more than ${MAX_VALUES} values of the file`;
    found.fault('yaml_invalid', node.place, message, 'Use fewer aliases');
    return refused(found.faults);
  }
  refuseSecrets(node, found);
  const value = node.kind === 'null' ? {} : jsonOfNode(node);
  const parsed = parseSetting(billingSchema, {
    path: 'billing',
    keyPlace: node.place,
    value,
    node,
  });
  if (!parsed.ok) {
    // What a secret in the file is told of needs no second word.
    const told = new Set(found.faults.map(formatPlace));
    return refused([
      ...found.faults,
      ...parsed.faults.filter((fault) => !told.has(formatPlace(fault))),
    ]);
  }
  if (found.faults.length > 0) return refused(found.faults);
  return { ok: true, config: parsed.value, warnings: inPlaceOrder(found.warnings) };
}
