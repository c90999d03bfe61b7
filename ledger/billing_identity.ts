import { shardOf } from '../meters/intake_key.ts';
import { canonicalJson } from './canonical_json.ts';
import { sha256Hex } from './sha256.ts';

/** UTF-16 units of a project's part of an actor's id, which may have 1,000 bytes in all. */
const MAX_PLAIN = 200;
const UNSAFE = /[^A-Za-z0-9_.-]/g;

/**
 * The id of the actor `billingPeriod`: `billing-<project>-<period>`. What might be mistaken for something
 * else in an id is written as `~` and its hexadecimal UTF-8; a long project id ends in its digest.
 */
export function billingPeriodId(projectId: string, period: string): string {
  const plain = projectId.replace(UNSAFE, (unit) => `~${unit.charCodeAt(0).toString(16)}.`);
  const name = plain.length <= MAX_PLAIN
    ? plain
    : `${plain.slice(0, MAX_PLAIN - 34)}~~${sha256Hex(projectId).slice(0, 32)}`;
  return `billing-${name}-${period}`;
}

/** The log that a project's statements are entered in: that of the shard in which its notifications are. */
export function homeLogOf(projectId: string, shards: number): number {
  return shardOf(projectId, shards);
}

/**
 * The `webhook-id` of what an endpoint is told about a statement: the same however often it is sent.
 *
 * @param about `number` of the statement, `endpoint` by its name
 */
export function deliveryIdOf(
  about: { projectId: string; period: string; number: number; endpoint: string },
): string {
  const { projectId, period, number, endpoint } = about;
  return `msg_${sha256Hex(canonicalJson([projectId, period, number, endpoint])).slice(0, 32)}`;
}
