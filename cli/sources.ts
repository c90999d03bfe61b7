import { type Command, Option } from 'commander';
import type { NephoOutputs } from '../client/client.ts';
import { NephoError } from '../meters/errors.ts';
import { connect } from './connection.ts';
import { readSettings } from './env.ts';
import { type JsonOption, printResult, withJson } from './output.ts';
import { formatFields, formatTable } from './table.ts';
import { timeOf } from './time_option.ts';

type Plan = NephoOutputs['sources']['plan'];
type Source = NephoOutputs['sources']['describe'];

interface FileOption extends JsonOption {
  file?: string;
}

interface CloudOption extends JsonOption {
  cloud?: string;
}

export function register(program: Command): void {
  const sources = program.command('sources')
    .description('what is polled: put polling.yaml in force, see and steer its Schedules');
  withFile(sources.command('plan').description('what apply would create, change and delete'))
    .action(plan);
  withFile(sources.command('apply').description('put polling.yaml in force; again changes nothing'))
    .action(apply);
  withJson(sources.command('list').description('the sources in force')).action(list);
  forSource(sources.command('describe'), 'one source and its Schedules').action(describe);
  forSource(sources.command('pause'), 'poll no more until it is resumed')
    .option('--reason <text>', 'why, for whoever looks at it')
    .action(pause);
  forSource(sources.command('resume'), 'go on after a pause').action(resume);
  forSource(sources.command('trigger'), 'poll once now, beside the schedule').action(trigger);
  forSource(sources.command('backfill'), 'repair gaps from where history is kept')
    .requiredOption('--from <time>', 'the first cycle', timeOf)
    .requiredOption('--to <time>', 'the end, not included', timeOf)
    .action(backfill);
}

function withFile(command: Command): Command {
  return withJson(command.option('--file <path>', 'instead of NEPHO_POLLING_FILE'));
}

function forSource(command: Command, description: string): Command {
  return withJson(
    command.argument('<source>', 'its name').description(description)
      .addOption(new Option('--cloud <name>', 'where several clouds have one of this name')),
  );
}

async function plan(options: FileOption): Promise<void> {
  const wanted = await wantedIn(options);
  const connection = await connect();
  const answer = await connection.call((nepho) => nepho.sources.plan.query({ sources: wanted }));
  printResult(answer, options, () => planText(answer, 'would be'));
}

async function apply(options: FileOption): Promise<void> {
  const wanted = await wantedIn(options);
  const connection = await connect();
  const answer = await connection.call((nepho) =>
    nepho.sources.applyPlan.mutate({ sources: wanted })
  );
  printResult(answer, options, () => planText(answer, 'is'));
}

/** Only the commands that read polling.yaml wait for what reads it to load. */
async function wantedIn({ file }: FileOption) {
  const { wantedSources } = await import('./wanted_sources.ts');
  return await wantedSources(readSettings(), file ?? null);
}

const VERBS = { create: 'created', change: 'changed', delete: 'deleted' } as const;

function planText({ changes, unchanged }: Plan, tense: string): string {
  const lines = changes.flatMap(({ action, cloud, source, schedules, fields }) => [
    `${source} of ${cloud} ${tense} ${VERBS[action]}: ${schedules.join(', ')}`,
    ...fields.map(({ field, before, after }) =>
      `    ${field}: ${JSON.stringify(before)} → ${JSON.stringify(after)}`
    ),
  ]);
  return `${[...lines, `${unchanged} unchanged`].join('\n')}\n`;
}

async function list(options: JsonOption): Promise<void> {
  const connection = await connect();
  const answer = await connection.call((nepho) => nepho.sources.list.query());
  printResult(answer, options, () =>
    formatTable<Source>([
      { title: 'cloud', value: (source) => source.cloud },
      { title: 'source', value: (source) => source.source },
      { title: 'every', value: (source) => `${source.interval_seconds} s`, align: 'right' },
      { title: 'groups', value: (source) => source.groups.length, align: 'right' },
      { title: 'state', value: stateOf },
      { title: 'last run', value: (source) => latest(source.groups.map((one) => one.last_run)) },
      { title: 'next run', value: (source) => earliest(source.groups.map((one) => one.next_run)) },
      { title: 'meters', value: metersOf },
    ], answer.sources));
}

function stateOf({ groups }: Source): string {
  if (groups.some(({ paused }) => paused === null)) return 'no schedule';
  const paused = groups.filter((group) => group.paused === true).length;
  if (paused === 0) return 'polling';
  return paused === groups.length ? 'paused' : 'partly paused';
}

function metersOf({ spec }: Source): string {
  const meters = spec['meters'];
  const texts = Array.isArray(meters) ? meters.map(String) : [];
  return texts.length > 4 ? `${texts.slice(0, 4).join(' ')} … (${texts.length})` : texts.join(' ');
}

function latest(times: readonly (string | null)[]): string | null {
  return times.filter((time) => time !== null).sort().at(-1) ?? null;
}

function earliest(times: readonly (string | null)[]): string | null {
  return times.filter((time) => time !== null).sort()[0] ?? null;
}

async function describe(source: string, options: CloudOption): Promise<void> {
  const connection = await connect();
  const name = await nameOf(connection, source, options);
  const answer = await connection.call((nepho) => nepho.sources.describe.query(name));
  printResult(answer, options, () =>
    formatFields([
      ['cloud', answer.cloud],
      ['source', answer.source],
      ['every', `${answer.interval_seconds} s`],
      ['applied', answer.applied_at],
      ['digest', answer.digest],
      ...Object.entries(answer.spec)
        .filter(([key]) => !['cloud', 'name', 'interval'].includes(key))
        .map(([key, value]): [string, unknown] => [key, JSON.stringify(value)]),
      ...answer.groups.map((group): [string, unknown] => [group.schedule_id, scheduleText(group)]),
    ]));
}

function scheduleText(group: Source['groups'][number]): string {
  const state = group.paused === null
    ? 'missing'
    : group.paused
    ? `paused: ${group.note}`
    : 'polling';
  const [last, next] = [group.last_run ?? 'never', group.next_run ?? 'never'];
  return `${state}, phase ${group.phase_seconds} s, last ${last}, next ${next}, ` +
    `${group.skipped_overlap} skipped, ${group.missed_catchup} missed`;
}

async function pause(source: string, options: CloudOption & { reason?: string }): Promise<void> {
  const connection = await connect();
  const name = await nameOf(connection, source, options);
  const { reason } = options;
  const input = reason === undefined ? name : { ...name, reason };
  told(await connection.call((nepho) => nepho.sources.pause.mutate(input)), options, 'paused');
}

async function resume(source: string, options: CloudOption): Promise<void> {
  const connection = await connect();
  const name = await nameOf(connection, source, options);
  told(await connection.call((nepho) => nepho.sources.resume.mutate(name)), options, 'resumed');
}

async function trigger(source: string, options: CloudOption): Promise<void> {
  const connection = await connect();
  const name = await nameOf(connection, source, options);
  told(await connection.call((nepho) => nepho.sources.trigger.mutate(name)), options, 'triggered');
}

async function backfill(
  source: string,
  options: CloudOption & { from: string; to: string },
): Promise<void> {
  const connection = await connect();
  const name = await nameOf(connection, source, options);
  const { from, to } = options;
  const answer = await connection.call((nepho) =>
    nepho.sources.backfill.mutate({ ...name, from, to })
  );
  printResult(answer, options, () =>
    `${answer.workflows.map((id) => `${id} repairs`).join('\n')}
What is repaired shows in: nepho coverage --source ${source} --from ${from} --to ${to}\n`);
}

function told(answer: { schedules: string[] }, options: JsonOption, what: string): void {
  printResult(answer, options, () => answer.schedules.map((id) => `${id} ${what}\n`).join(''));
}

/** A source is named by its cloud too; where only one has it, that need not be typed. */
async function nameOf(
  connection: Awaited<ReturnType<typeof connect>>,
  source: string,
  { cloud }: CloudOption,
): Promise<{ cloud: string; source: string }> {
  if (cloud !== undefined) return { cloud, source };
  const { sources } = await connection.call((nepho) => nepho.sources.list.query());
  const found = sources.filter((one) => one.source === source);
  const [only] = found;
  if (found.length === 1 && only !== undefined) return { cloud: only.cloud, source };
  throw new NephoError(
    'usage_invalid',
    found.length === 0
      ? `Cannot find a source '${source}' in force: see 'nepho sources list'`
      : `Cannot tell which '${source}' is meant: give --cloud ${
        found.map((one) => one.cloud).join(' or ')
      }`,
  );
}
