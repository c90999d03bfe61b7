import type { Scope } from '../db/scope.ts';
import type { JsonValue } from '../meters/json.ts';
import type { Principal } from './principal.ts';

/** Whose rows a principal may read. Every read of tenants' data in db/ insists on it. */
export function scopeOf(principal: Principal): Scope {
  return principal.role === 'operator' ? 'all' : { projectId: principal.projectId };
}

/** Who asks, as part of what a cursor is bound to: another key's cursor is of another query. */
export function viewerOf(principal: Principal): JsonValue {
  return principal.role === 'operator' ? null : principal.projectId;
}
