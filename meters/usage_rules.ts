import { isNephoError } from './errors.ts';
import { compileMeterPatterns, type MeterSelection } from './meter_patterns.ts';
import { parseQuantity } from './quantity.ts';
import { parseTimestamp, toMicros } from './timestamp.ts';
import type { WindowReading } from './window_reading.ts';

/**
 * How samples become usage, as JSON: what is written into the log and hashed, so that a figure can be
 * computed again by the rules of its time. Times are whole seconds.
 */
export interface UsageRulesDocument {
  readonly v: 1;
  /** Of the meters that no rule names. */
  readonly staleness_seconds: number;
  readonly rules: readonly UsageRuleDocument[];
}

export interface UsageRuleDocument {
  /** Patterns as of polling.yaml. */
  readonly meters: readonly string[];
  readonly staleness_seconds: number;
  /** Patterns of the event types after which the thing is no more. */
  readonly ends: readonly string[];
  readonly since: string | null;
  readonly until: string | null;
}

export interface UsageRule {
  /** How long a gauge's value holds when nothing more is heard, in microseconds. */
  readonly stalenessMicros: bigint;
  readonly ends: { matches(eventType: string): boolean };
  /** The metadata that says since when the thing is, null if none does. */
  readonly sinceKey: string | null;
  /** The metadata that says when it ended, null if none does. */
  readonly untilKey: string | null;
}

export interface UsageRules {
  readonly document: UsageRulesDocument;
  /** In order: the first that names a meter is its rule. */
  readonly rules: readonly { readonly meters: MeterSelection; readonly rule: UsageRule }[];
  readonly fallback: UsageRule;
}

/** A sample as the store gives it, with what its rule asks for. */
export interface UsageRow {
  /** Microseconds since 1970, UTC. */
  readonly at: bigint;
  /** A canonical quantity. */
  readonly volume: string;
  readonly id: string;
  /** Null of a polled sample. */
  readonly eventType: string | null;
  /** The metadata of the rule's `sinceKey` and `untilKey`, whatever stands there. */
  readonly since: unknown;
  readonly until: unknown;
}

const MICROS_PER_SECOND = 1_000_000n;

/** The rules of a document that `usage_rules_schema.ts` let through. */
export function usageRulesOf(document: UsageRulesDocument): UsageRules {
  return {
    document,
    rules: document.rules.map((each) => ({
      meters: compileMeterPatterns(each.meters),
      rule: {
        stalenessMicros: BigInt(each.staleness_seconds) * MICROS_PER_SECOND,
        ends: matcherOf(each.ends),
        sinceKey: each.since,
        untilKey: each.until,
      },
    })),
    fallback: {
      stalenessMicros: BigInt(document.staleness_seconds) * MICROS_PER_SECOND,
      ends: matcherOf([]),
      sinceKey: null,
      untilKey: null,
    },
  };
}

/** The rule of a meter. */
export function ruleOf(rules: UsageRules, meter: string): UsageRule {
  return rules.rules.find(({ meters }) => meters.wants(meter))?.rule ?? rules.fallback;
}

/** The reading of a sample, by the rule of its meter. */
export function readingOf(rule: UsageRule, row: UsageRow): WindowReading {
  const until = rule.untilKey === null ? null : timeOf(row.until);
  return {
    at: row.at,
    volume: parseQuantity(row.volume),
    id: row.id,
    ends: row.eventType !== null && rule.ends.matches(row.eventType),
    since: rule.sinceKey === null ? null : timeOf(row.since),
    until,
  };
}

/** What is no time says nothing: metadata is whatever a service wrote. */
function timeOf(value: unknown): bigint | null {
  if (typeof value !== 'string' || value === '') return null;
  try {
    return toMicros(parseTimestamp(value));
  } catch (error) {
    if (isNephoError(error)) return null;
    throw error;
  }
}

function matcherOf(patterns: readonly string[]): { matches(text: string): boolean } {
  // No pattern at all would select everything.
  if (patterns.length === 0) return { matches: () => false };
  const selection = compileMeterPatterns(patterns);
  return { matches: (text) => !text.endsWith('*') && selection.wants(text) };
}
