import type { ScheduleClient } from '@temporalio/client';
import type { Database } from '../db/client.ts';
import {
  applyPollSource,
  listPollSources,
  type PollSource,
  removePollSource,
} from '../db/poll_sources.ts';
import { canonicalJson } from '../ledger/canonical_json.ts';
import { sha256Hex } from '../ledger/sha256.ts';
import type { JsonObject } from '../meters/json.ts';
import { pollScheduleId } from '../meters/poll_schedule.ts';
import type { Plan, SourceSpec } from './source_schema.ts';
import { deleteSchedule, describeSchedule, putSchedule } from './poll_schedules.ts';

type Change = Plan['changes'][number];

export interface PlanParts {
  db: Database;
  schedules: ScheduleClient;
  now: string;
}

/** What has to be done so that exactly `wanted` is in force. Changes nothing. */
export async function planSources(
  parts: Pick<PlanParts, 'db' | 'schedules'>,
  wanted: readonly SourceSpec[],
): Promise<Plan> {
  return await planFrom(await listPollSources(parts.db.pool), parts.schedules, wanted);
}

async function planFrom(
  current: readonly PollSource[],
  schedules: ScheduleClient,
  wanted: readonly SourceSpec[],
): Promise<Plan> {
  const changes: Change[] = [];
  let unchanged = 0;
  for (const spec of wanted) {
    const before = current.find((one) => one.cloud === spec.cloud && one.name === spec.name);
    const change = before === undefined
      ? changeOf('create', spec, [])
      : await differenceOf(schedules, before, spec);
    if (change === null) unchanged += 1;
    else changes.push(change);
  }
  for (const { cloud, name, groups } of current) {
    if (wanted.some((spec) => spec.cloud === cloud && spec.name === name)) continue;
    changes.push(changeOf('delete', { cloud, name, groups }, []));
  }
  return { changes, unchanged };
}

/**
 * Puts exactly `wanted` in force. What fails half-way is done by doing it again: the store is told what
 * shall not be when it is gone and what shall be before it is there, and a Schedule that is missing
 * counts as a change.
 */
export async function applySources(
  parts: PlanParts,
  wanted: readonly SourceSpec[],
): Promise<Plan> {
  const before = await listPollSources(parts.db.pool);
  const plan = await planFrom(before, parts.schedules, wanted);
  for (const change of plan.changes) {
    const { cloud, source } = change;
    const old = before.find((one) => one.cloud === cloud && one.name === source);
    const spec = wanted.find((one) => one.cloud === cloud && one.name === source);
    for (let group = spec?.groups ?? 0; group < (old?.groups ?? 0); group += 1) {
      await deleteSchedule(parts.schedules, { cloud, source, group });
    }
    if (spec === undefined) {
      await removePollSource(parts.db.pool, { cloud, name: source }, parts.now);
    } else await applyOne(parts, spec);
  }
  return plan;
}

async function applyOne({ db, schedules, now }: PlanParts, spec: SourceSpec): Promise<void> {
  const { cloud, name, interval, groups } = spec;
  const stored: JsonObject = { ...spec };
  await applyPollSource(db.pool, {
    cloud,
    name,
    spec: stored,
    digest: digestOf(spec),
    intervalSeconds: interval,
    groups,
  }, now);
  for (let group = 0; group < groups; group += 1) {
    await putSchedule(schedules, { cloud, source: name, group }, interval);
  }
}

async function differenceOf(
  schedules: ScheduleClient,
  before: PollSource,
  spec: SourceSpec,
): Promise<Change | null> {
  const fields = fieldsOf(before.spec, { ...spec });
  for (let group = 0; group < spec.groups && group < before.groups; group += 1) {
    const name = { cloud: spec.cloud, source: spec.name, group };
    const status = await describeSchedule(schedules, name);
    if (status?.intervalSeconds === before.intervalSeconds) continue;
    const found = status === null ? 'missing' : `every ${status.intervalSeconds} s`;
    fields.push({
      field: pollScheduleId(name),
      before: found,
      after: `every ${spec.interval} s`,
    });
  }
  return fields.length === 0 ? null : changeOf('change', spec, fields);
}

function fieldsOf(before: JsonObject, after: JsonObject): Change['fields'] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names
    .map((field) => ({ field, before: before[field] ?? null, after: after[field] ?? null }))
    .filter((one) => canonicalJson(one.before) !== canonicalJson(one.after));
}

function changeOf(
  action: Change['action'],
  { cloud, name, groups }: Pick<SourceSpec, 'cloud' | 'name' | 'groups'>,
  fields: Change['fields'],
): Change {
  const schedules = Array.from(
    { length: groups },
    (_, group) => pollScheduleId({ cloud, source: name, group }),
  );
  return { action, cloud, source: name, schedules, fields };
}

function digestOf(spec: SourceSpec): string {
  return sha256Hex(canonicalJson({ ...spec }));
}
