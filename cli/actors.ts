import { type Command, InvalidArgumentError } from 'commander';
import type { NephoOutputs } from '../client/client.ts';
import { connect } from './connection.ts';
import { type JsonOption, printResult, withJson } from './output.ts';
import { formatFields, formatTable } from './table.ts';

type Actor = NephoOutputs['actors']['describe'];

export function register(program: Command): void {
  const actors = program.command('actors')
    .description('see and steer the actors that bring the intake into the logs');
  withJson(actors.command('list').description('list the actors')).action(list);
  withJson(
    actors.command('describe').argument('<actor>', 'its id, or its shard', shardOf)
      .description('show one actor, its totals and its last receipt'),
  ).action(describe);
  withJson(
    actors.command('pause').argument('<actor>', 'its id, or its shard', shardOf)
      .option('--reason <text>', 'why, for whoever looks at it')
      .description('stop at the next batch; nothing is lost, the intake fills'),
  ).action(pause);
  withJson(
    actors.command('resume').argument('<actor>', 'its id, or its shard', shardOf)
      .description('go on after a pause, or after what halted it was mended'),
  ).action(resume);
  withJson(
    actors.command('drain').argument('<actor>', 'its id, or its shard', shardOf)
      .description('empty the intake of the shard, then pause'),
  ).action(drain);
}

/** `ingest-shard-0` or `0`. */
export function shardOf(text: string): number {
  const digits = /^(?:ingest-shard-)?(0|[1-9]\d{0,3})$/.exec(text)?.[1];
  if (digits === undefined) throw new InvalidArgumentError("Give 'ingest-shard-0' or '0'.");
  return Number(digits);
}

async function list(options: JsonOption): Promise<void> {
  const connection = await connect();
  const answer = await connection.call((nepho) => nepho.actors.list.query());
  printResult(answer, options, () =>
    formatTable<Actor>([
      { title: 'actor', value: (actor) => actor.actor_id },
      { title: 'status', value: (actor) => actor.workflow_status },
      { title: 'mode', value: modeOf },
      { title: 'messages', value: (actor) => actor.totals?.messages, align: 'right' },
      { title: 'samples', value: (actor) => actor.totals?.samples, align: 'right' },
      { title: 'duplicates', value: (actor) => actor.totals?.duplicates, align: 'right' },
      { title: 'quarantined', value: (actor) => actor.totals?.quarantined, align: 'right' },
      { title: 'waiting', value: (actor) => actor.last_receipt?.pending, align: 'right' },
      { title: 'reason', value: (actor) => actor.reason },
    ], answer.actors));
}

async function describe(shard: number, options: JsonOption): Promise<void> {
  const connection = await connect();
  const actor = await connection.call((nepho) => nepho.actors.describe.query({ shard }));
  printResult(actor, options, () =>
    formatFields([
      ['actor', actor.actor_id],
      ['status', actor.workflow_status],
      ['mode', modeOf(actor)],
      ['reason', actor.reason],
      ['started', actor.started_at],
      ['run', actor.run_id],
      ['events in history', actor.history_events],
      ...prefixed('total', actor.totals),
      ...prefixed('last leg', actor.last_receipt),
    ]));
}

async function pause(shard: number, options: JsonOption & { reason?: string }): Promise<void> {
  const connection = await connect();
  const { reason } = options;
  const input = reason === undefined ? { shard } : { shard, reason };
  told(await connection.call((nepho) => nepho.actors.pause.mutate(input)), options, 'pauses');
}

async function resume(shard: number, options: JsonOption): Promise<void> {
  const connection = await connect();
  told(await connection.call((nepho) => nepho.actors.resume.mutate({ shard })), options, 'resumes');
}

async function drain(shard: number, options: JsonOption): Promise<void> {
  const connection = await connect();
  told(await connection.call((nepho) => nepho.actors.drain.mutate({ shard })), options, 'drains');
}

function told(answer: { actor_id: string }, options: JsonOption, does: string): void {
  printResult(answer, options, () => `${answer.actor_id} ${does}\n`);
}

function modeOf(actor: Actor): string {
  return actor.mode ?? (actor.workflow_status === 'RUNNING' ? 'no worker answers' : '');
}

function prefixed(prefix: string, fields: object | null): [string, unknown][] {
  return Object.entries(fields ?? {}).map(([name, value]) => [
    `${prefix}: ${name.replaceAll('_', ' ')}`,
    value,
  ]);
}
