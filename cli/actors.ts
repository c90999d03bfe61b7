import { type Command, InvalidArgumentError } from 'commander';
import type { NephoOutputs } from '../client/client.ts';
import { connect } from './connection.ts';
import { type JsonOption, printResult, withJson } from './output.ts';
import { formatFields, formatTable } from './table.ts';

type Actor = NephoOutputs['actors']['describe'];

export function register(program: Command): void {
  const actors = program.command('actors')
    .description(
      'see and steer the actors: those that bring the intake into the logs, and those that seal',
    );
  withJson(actors.command('list').description('list the actors')).action(list);
  withJson(
    actors.command('describe').argument('<actor>', ACTOR, actorOf)
      .description('show one actor, its totals and what it did last'),
  ).action(describe);
  withJson(
    actors.command('pause').argument('<actor>', ACTOR, actorOf)
      .option('--reason <text>', 'why, for whoever looks at it')
      .description(
        'stop at the next batch, or round; nothing is lost, the intake fills, hours stay open',
      ),
  ).action(pause);
  withJson(
    actors.command('resume').argument('<actor>', ACTOR, actorOf)
      .description('go on after a pause, or after what halted it was mended'),
  ).action(resume);
  withJson(
    actors.command('drain').argument('<actor>', 'its id, or its shard', ingestOf)
      .description('empty the intake of the shard, then pause'),
  ).action(drain);
  withJson(
    actors.command('look').argument('<actor>', 'its id, or its shard', keeperOf)
      .description('seal at once what can be sealed, and revise what came late'),
  ).action(look);
}

const ACTOR = 'ingest-shard-<shard> or window-keeper-<shard>; a shard alone is the former';

interface ActorName {
  kind: 'ingest' | 'windows';
  shard: number;
}

/** `ingest-shard-0`, `window-keeper-0` or `0`. */
export function actorOf(text: string): ActorName {
  const [, prefix, digits] = /^(ingest-shard-|window-keeper-)?(0|[1-9]\d{0,3})$/.exec(text) ?? [];
  if (digits === undefined) {
    throw new InvalidArgumentError("Give 'ingest-shard-0', 'window-keeper-0' or '0'.");
  }
  return { kind: prefix === 'window-keeper-' ? 'windows' : 'ingest', shard: Number(digits) };
}

function ingestOf(text: string): number {
  const { kind, shard } = actorOf(text);
  if (kind === 'ingest') return shard;
  throw new InvalidArgumentError('Only the actors of ingest can be drained.');
}

function keeperOf(text: string): number {
  const { kind, shard } = actorOf(/^\d/.test(text) ? `window-keeper-${text}` : text);
  if (kind === 'windows') return shard;
  throw new InvalidArgumentError('Only the keepers of windows can be told to look.');
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
      { title: 'sealed until', value: (actor) => actor.keeper?.watermark?.sealed_until },
      { title: 'windows', value: (actor) => actor.keeper?.totals.windows, align: 'right' },
      { title: 'late', value: (actor) => actor.keeper?.totals.late_samples, align: 'right' },
      { title: 'reason', value: reasonOf },
    ], answer.actors));
}

async function describe(name: ActorName, options: JsonOption): Promise<void> {
  const connection = await connect();
  const actor = await connection.call((nepho) => nepho.actors.describe.query(name));
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
      ...keeperFields(actor),
    ]));
}

async function pause(name: ActorName, options: JsonOption & { reason?: string }): Promise<void> {
  const connection = await connect();
  const { reason } = options;
  const input = reason === undefined ? name : { ...name, reason };
  told(await connection.call((nepho) => nepho.actors.pause.mutate(input)), options, 'pauses');
}

async function resume(name: ActorName, options: JsonOption): Promise<void> {
  const connection = await connect();
  told(await connection.call((nepho) => nepho.actors.resume.mutate(name)), options, 'resumes');
}

async function drain(shard: number, options: JsonOption): Promise<void> {
  const connection = await connect();
  told(await connection.call((nepho) => nepho.actors.drain.mutate({ shard })), options, 'drains');
}

async function look(shard: number, options: JsonOption): Promise<void> {
  const connection = await connect();
  told(await connection.call((nepho) => nepho.actors.look.mutate({ shard })), options, 'looks');
}

function keeperFields({ keeper }: Actor): [string, unknown][] {
  if (keeper === null) return [];
  const { sealing, totals, watermark, last_run } = keeper;
  const { waiting_for = [], ...mark } = watermark ?? {};
  return [
    ['sealing', sealing],
    ...prefixed('total', totals),
    ...prefixed('watermark', mark),
    ...waiting_for.map(({ reason, detail }): [string, unknown] => [`waits for ${reason}`, detail]),
    ...prefixed('last run', last_run),
  ];
}

/** Of a keeper that runs, what its next hour waits for. */
function reasonOf({ reason, keeper }: Actor): string | null {
  return reason ?? keeper?.watermark?.waiting_for[0]?.detail ?? null;
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
