import { readUsageRules } from '../db/audit_rows.ts';
import type { Queryable } from '../db/client.ts';
import { digestOfUsageRules } from '../ledger/usage_rules_entry.ts';
import { NephoError } from '../meters/errors.ts';
import type { JsonObject } from '../meters/json.ts';
import { type UsageRules, type UsageRulesDocument, usageRulesOf } from '../meters/usage_rules.ts';

/** The usage rules that entries name, by digest, each read and checked once. */
export class AuditRules {
  readonly #db: Queryable;
  readonly #known = new Map<string, UsageRules>();

  constructor(db: Queryable) {
    this.#db = db;
  }

  /** @throws {NephoError} `usage_rules_wrong` */
  async of(digest: string): Promise<UsageRules> {
    const known = this.#known.get(digest);
    if (known !== undefined) return known;
    const text = await readUsageRules(this.#db, digest);
    if (text === null || digestOfUsageRules(JSON.parse(text) as JsonObject) !== digest) {
      throw new NephoError(
        'usage_rules_wrong',
        `usage_rule_sets has no rules of the digest ${digest}`,
      );
    }
    const rules = usageRulesOf(JSON.parse(text) as UsageRulesDocument);
    this.#known.set(digest, rules);
    return rules;
  }
}
