import type { JsonObject } from '../meters/json.ts';
import { canonicalJson } from './canonical_json.ts';
import { sha256Hex } from './sha256.ts';
import type { StrictRecord } from './strict_record.ts';

/** The rules by which windows are computed (meters/usage_rules.ts) came into force. */
export interface UsageRulesEntry {
  kind: 'usage_rules';
  v: 1;
  /** `digestOfUsageRules(rules)`. */
  digest: string;
  /** The rules whole, so that who has the log can compute the windows anew. */
  rules: JsonObject;
  recorded_at: string;
}

/** The digest of rules: SHA-256 of their canonical JSON, 64 hexadecimal digits. */
export function digestOfUsageRules(rules: JsonObject): string {
  return sha256Hex(canonicalJson(rules));
}

export function readUsageRulesEntry(record: StrictRecord): UsageRulesEntry {
  return {
    kind: 'usage_rules',
    v: 1,
    digest: record.hex('digest', 64),
    rules: record.record('rules').object,
    recorded_at: record.time('recorded_at'),
  };
}
