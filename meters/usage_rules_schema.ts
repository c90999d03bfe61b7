import { z } from 'zod';
import { readDocument } from './definition_document.ts';
import { type Fault, FaultList, inPlaceOrder } from './definition_fault.ts';
import { isExclusion } from './meter_patterns.ts';
import { expandedSize, jsonOfNode } from './node_json.ts';
import { parseSetting } from './setting_schema.ts';
import { type UsageRules, type UsageRulesDocument, usageRulesOf } from './usage_rules.ts';

export type ParsedUsageRules =
  | { ok: true; config: UsageRules; warnings: Fault[] }
  | { ok: false; faults: Fault[]; warnings: Fault[] };

/** Values of a file once its aliases are followed. */
const MAX_VALUES = 50_000;
const MAX_RULES = 200;
const MAX_PATTERNS = 500;
const MAX_PATTERN_LENGTH = 255;
const MAX_KEY_LENGTH = 255;
const DEFAULT_STALENESS_SECONDS = 3_600;
/** What must be read again when an hour is computed, and be kept to compute it later. */
const MAX_STALENESS_SECONDS = 40 * 86_400;
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };
const DURATION = /^(\d{1,9})([smhd])$/;

const remedied = (message: string, remedy: string) => ({ message, params: { remedy } });

const duration = z.string(
  { error: 'Write a number and s, m, h or d, as 25h' },
).transform((text) => {
  const match = DURATION.exec(text);
  return match === null ? 0 : Number(match[1]) * (SECONDS[match[2] ?? ''] ?? 0);
}).refine(
  (seconds) => seconds >= 1 && seconds <= MAX_STALENESS_SECONDS,
  remedied('it is no time from 1s to 40d', 'Write a number and s, m, h or d, as 25h'),
);

const pattern = z.string().min(1).max(MAX_PATTERN_LENGTH).refine(
  (text) => text.isWellFormed() && !/\p{Cc}|\s/u.test(text),
  remedied('it has spaces or control characters', 'Write a name, * and ? for what differs'),
);
const patterns = z.array(pattern).max(MAX_PATTERNS).refine(
  (texts) => !texts.every(isExclusion),
  remedied('no pattern of it includes anything', 'Name what is meant'),
);
const metadataKey = z.string().min(1).max(MAX_KEY_LENGTH).refine(
  (text) => text.isWellFormed() && !/\p{Cc}/u.test(text),
  remedied('it has control characters', 'Write the name of a metadata, as launched_at'),
);

const ruleSchema = z.strictObject({
  meters: patterns,
  staleness: duration.optional(),
  ends: patterns.optional(),
  since: metadataKey.optional(),
  until: metadataKey.optional(),
});

const fileSchema = z.strictObject({
  staleness: duration.optional(),
  rules: z.array(ruleSchema).max(MAX_RULES),
});

/** The document as the log has it; a computed figure names its digest. */
export const usageRulesDocumentSchema: z.ZodType<UsageRulesDocument> = z.strictObject({
  v: z.literal(1),
  staleness_seconds: z.int().min(1).max(MAX_STALENESS_SECONDS),
  rules: z.array(z.strictObject({
    meters: patterns,
    staleness_seconds: z.int().min(1).max(MAX_STALENESS_SECONDS),
    ends: z.array(pattern).max(MAX_PATTERNS),
    since: metadataKey.nullable(),
    until: metadataKey.nullable(),
  })).max(MAX_RULES),
});

/**
 * Reads a usage.yaml, all faults at once: docs/usage.md has its keys.
 *
 * @param options `file` is the name shown in faults
 * @example
 * const parsed = parseUsageRules(text, { file: 'usage.yaml' });
 * if (!parsed.ok) parsed.faults.map(formatFault);
 */
export function parseUsageRules(
  text: string,
  { file = 'usage.yaml' }: { file?: string } = {},
): ParsedUsageRules {
  const faults = new FaultList();
  const node = readDocument(file, text, faults);
  if (node !== null && expandedSize(node) > MAX_VALUES) {
    const message = `The aliases make more than ${MAX_VALUES} values of the file`;
    faults.fault('yaml_invalid', node.place, message, 'Use fewer aliases');
  }
  const warnings = inPlaceOrder(faults.warnings);
  if (node === null || faults.faults.length > 0) {
    return { ok: false, faults: inPlaceOrder(faults.faults), warnings };
  }
  const parsed = parseSetting(fileSchema, {
    path: 'usage',
    keyPlace: node.place,
    value: jsonOfNode(node),
    node,
  });
  if (!parsed.ok) return { ok: false, faults: parsed.faults, warnings };
  return { ok: true, config: usageRulesOf(documentOf(parsed.value)), warnings };
}

/** With every default written out, so that the digest changes when a default does. */
function documentOf(file: z.infer<typeof fileSchema>): UsageRulesDocument {
  const fallback = file.staleness ?? DEFAULT_STALENESS_SECONDS;
  return {
    v: 1,
    staleness_seconds: fallback,
    rules: file.rules.map((rule) => ({
      meters: rule.meters,
      staleness_seconds: rule.staleness ?? fallback,
      ends: rule.ends ?? [],
      since: rule.since ?? null,
      until: rule.until ?? null,
    })),
  };
}
