import type { MeterType } from '../meters/sample.ts';
import { ruleOf, type UsageRule, type UsageRules } from '../meters/usage_rules.ts';
import { assert } from '../meters/assert.ts';
import type { Queryable } from './client.ts';
import { withDatabaseErrors } from './errors.ts';
import { literal } from './insert_batch.ts';
import type { SeriesFields } from './window_columns.ts';

/** A series, and how its samples become usage. */
export interface WindowSeries extends SeriesFields {
  series_id: number;
  rule: UsageRule;
  /** A rule names its meter: what ends it, and what its metadata say, is asked for. */
  isRuled: boolean;
}

/** Remembered series at most; beyond it they are forgotten all at once. */
const MAX_SERIES = 200_000;

/** The series of logs, read once: they never change. */
export class SeriesCatalogue {
  readonly #rules: UsageRules;
  readonly #known = new Map<number, WindowSeries>();
  readonly #ruleByMeter = new Map<string, UsageRule>();
  /** The keys of metadata that any rule names. */
  readonly keys: readonly string[];

  constructor(rules: UsageRules) {
    this.#rules = rules;
    const keys = rules.rules.flatMap(({ rule }) => [rule.sinceKey, rule.untilKey]);
    this.keys = [...new Set(keys)].filter((key) => key !== null);
  }

  /** Reads those that are not known yet. */
  async load(db: Queryable, ids: Iterable<number>): Promise<void> {
    const missing = [...ids].filter((id) => !this.#known.has(id));
    if (missing.length === 0) return;
    if (this.#known.size > MAX_SERIES) this.#known.clear();
    await withDatabaseErrors('read series', async () => {
      const { rows } = await db.query<SeriesRow>({
        name: 'window_series',
        text: `SELECT series_id, replace(key::text, '-', '') AS key, meter, type, unit, project_id,
                 user_id, resource_id, source
               FROM series WHERE series_id = ANY($1::int[])`,
        values: [literal(missing)],
      });
      for (const row of rows) {
        const rule = this.#ruleOf(row.meter);
        this.#known.set(row.series_id, { ...row, rule, isRuled: rule !== this.#rules.fallback });
      }
    });
  }

  /** One that was loaded. */
  get(id: number): WindowSeries {
    const found = this.#known.get(id);
    assert(found !== undefined, `series ${id} of a sample exists`);
    return found;
  }

  /** The gauges whose samples tell of the time before them, among the meters that there are. */
  async retrospectiveMeters(db: Queryable): Promise<string[]> {
    return await withDatabaseErrors('read the meters', async () => {
      const { rows } = await db.query<{ meter: string }>(METERS);
      return rows.map(({ meter }) => meter).filter((meter) => isRetrospective(this.#ruleOf(meter)));
    });
  }

  #ruleOf(meter: string): UsageRule {
    let rule = this.#ruleByMeter.get(meter);
    if (rule === undefined) this.#ruleByMeter.set(meter, rule = ruleOf(this.#rules, meter));
    return rule;
  }
}

interface SeriesRow extends SeriesFields {
  series_id: number;
  type: MeterType;
}

/** A sample says since when its value held, or when the thing ended. */
export function isRetrospective({ sinceKey, untilKey }: UsageRule): boolean {
  return sinceKey !== null || untilKey !== null;
}

/** The longest time that a value holds, and that a sample may tell of, in microseconds. */
export function longestStaleness({ rules, fallback }: UsageRules): bigint {
  return [fallback, ...rules.map(({ rule }) => rule)].reduce(
    (longest, { stalenessMicros }) => stalenessMicros > longest ? stalenessMicros : longest,
    0n,
  );
}

/** Each meter once, by one look into the index for each. */
const METERS = `WITH RECURSIVE m(meter) AS (
    (SELECT meter FROM series ORDER BY meter LIMIT 1)
    UNION ALL
    SELECT (SELECT meter FROM series r WHERE r.meter > m.meter ORDER BY r.meter LIMIT 1)
    FROM m WHERE m.meter IS NOT NULL
  ) SELECT meter FROM m WHERE meter IS NOT NULL`;
