import type { Queryable } from '../db/client.ts';
import { findDefinitionSet } from '../db/definition_sets.ts';
import { compileDefinitions, type DefinitionSet } from '../meters/definition_compile.ts';

/** Where the rule stands that made a sample. */
export interface DefinitionRule {
  /** The meter's name as written there, which may be a path. */
  name: string;
  file: string;
  line: number;
}

export interface RuleQuery {
  /** Digest of the set that was in force. */
  digest: string;
  eventType: string;
  meter: string;
}

export type FindRules = (query: RuleQuery) => Promise<DefinitionRule[]>;

/** Compiled sets kept: the one in force and a few before it. */
const MAX_KEPT_SETS = 4;

/**
 * Finds the rules that made a sample: the one of its meter's name, else all for that event type whose
 * names are read from the notification, since one of them it must have been. None if the set is one
 * that this version of the program no longer understands.
 */
export function createRuleFinder(db: Queryable): FindRules {
  const kept = new Map<string, Promise<DefinitionSet | null>>();
  return async ({ digest, eventType, meter }) => {
    let set = kept.get(digest);
    if (set === undefined) {
      set = compileSet(db, digest);
      kept.set(digest, set);
      // What failed on the way may succeed the next time.
      set.catch(() => kept.delete(digest));
      const [oldest] = kept.keys();
      if (kept.size > MAX_KEPT_SETS && oldest !== undefined) kept.delete(oldest);
    }
    const rules = (await set)?.rulesFor(eventType) ?? [];
    const named = rules.filter((rule) => rule.name === meter);
    const found = named.length > 0 ? named : rules.filter((rule) => rule.computed);
    return found.map(({ name, file, line }) => ({ name, file, line }));
  };
}

async function compileSet(db: Queryable, digest: string): Promise<DefinitionSet | null> {
  const stored = await findDefinitionSet(db, digest);
  if (stored === null) return null;
  const compiled = compileDefinitions(stored.files);
  return compiled.ok ? compiled.set : null;
}
