import type { Command } from 'commander';
import type { NephoOutputs } from '../client/client.ts';
import { connect, type Connection } from './connection.ts';
import { wholeNumberFrom0 } from './list_options.ts';
import { type JsonOption, printResult, withJson } from './output.ts';
import { statementInput, withPeriod } from './statement_name.ts';
import { formatFields, formatTable } from './table.ts';
import { shortTime } from './usage_range.ts';

type Delivery = NephoOutputs['statements']['deliveries']['deliveries'][number];
type Attempt = Delivery['attempts'][number];

/** These are of operators, who name the project. */
interface OrderOptions extends JsonOption {
  project: string;
  digest: string;
  reason: string;
  number: number;
  endpoint: string;
}

/** Adds what an operator decides about statements, and what came of telling them. */
export function registerOrders(statements: Command): void {
  const order = (name: string) =>
    withJson(
      statements.command(name).argument('<period>', 'name of the period, as 2026-10')
        .requiredOption('--project <id>', 'whose'),
    );
  order('actor').description('show what the actor of a period is doing, and the draft that waits')
    .action(showActor);
  order('approve').description('approve the draft that waits: it is then closed as it is')
    .requiredOption('--digest <digest>', 'of the draft, as `nepho statements actor` shows it')
    .action(approve);
  order('reject').description('refuse the draft that waits')
    .requiredOption('--reason <text>', 'why')
    .action(reject);
  order('resume').description('go on with a period that was paused, or make a rejected draft anew')
    .action(resume);
  order('resend').description('send the webhook of a statement again, under the same id')
    .requiredOption('--endpoint <name>', 'to whom')
    .option('--number <number>', 'of the amendment', wholeNumberFrom0, 0)
    .action(resend);
  withJson(
    withPeriod(statements.command('deliveries'), { number: false })
      .description('show who was told of a statement, and what came of each attempt')
      .option('--number <number>', 'of the amendment', wholeNumberFrom0, 0),
  ).action(showDeliveries);
}

async function showActor(period: string, options: OrderOptions): Promise<void> {
  const actor = await actorOf(await connect(), period, options);
  printResult(actor, options, () =>
    formatFields([
      ['actor', actor.actor_id],
      ['workflow', actor.workflow_status],
      ['mode', actor.mode],
      ['paused', actor.paused],
      ['reason', actor.reason],
      ['sealed', actor.sealed],
      ['closes', actor.closes_at === null ? null : shortTime(actor.closes_at)],
      ...actor.draft === null ? [] : [
        [
          'draft',
          `number ${actor.draft.number}: ${actor.draft.lines} lines, ${actor.draft.gaps} gaps`,
        ],
        ['digest', actor.draft.digest],
      ] as const,
    ]));
}

async function approve(period: string, options: OrderOptions): Promise<void> {
  const connection = await connect();
  const { project, digest } = options;
  const { draft } = await actorOf(connection, period, options);
  const answer = await connection.call((nepho) =>
    nepho.statements.approve.mutate({
      project_id: project,
      period,
      // The API says what is wrong where there is none.
      number: draft?.number ?? 0,
      digest,
    })
  );
  printResult(
    answer,
    options,
    () => formatFields([['approved', `number ${answer.number}`], ['digest', answer.digest]]),
  );
}

async function reject(period: string, options: OrderOptions): Promise<void> {
  const connection = await connect();
  const { project, reason } = options;
  const answer = await connection.call((nepho) =>
    nepho.statements.reject.mutate({ project_id: project, period, reason })
  );
  printResult(answer, options, () => formatFields([['rejected', answer.actor_id]]));
}

async function resume(period: string, options: OrderOptions): Promise<void> {
  const connection = await connect();
  const answer = await connection.call((nepho) =>
    nepho.statements.resume.mutate({ project_id: options.project, period })
  );
  printResult(answer, options, () => formatFields([['resumed', answer.actor_id]]));
}

async function resend(period: string, options: OrderOptions): Promise<void> {
  const connection = await connect();
  const { project, number, endpoint } = options;
  const answer = await connection.call((nepho) =>
    nepho.statements.resend.mutate({ project_id: project, period, number, endpoint })
  );
  printResult(answer, options, () => formatFields([['sent again', answer.delivery_id]]));
}

async function showDeliveries(
  period: string,
  options: JsonOption & { project?: string; number: number },
): Promise<void> {
  const connection = await connect();
  const { number } = options;
  const answer = await connection.call((nepho) =>
    nepho.statements.deliveries.query({ ...statementInput(period, options), number })
  );
  printResult(answer, options, () => tellDeliveries(answer.deliveries));
}

function tellDeliveries(deliveries: readonly Delivery[]): string {
  const rows = deliveries.flatMap((delivery): { delivery: Delivery; attempt: Attempt | null }[] =>
    delivery.attempts.length === 0
      ? [{ delivery, attempt: null }]
      : delivery.attempts.map((attempt) => ({ delivery, attempt }))
  );
  return formatTable([
    { title: 'endpoint', value: ({ delivery }) => delivery.endpoint },
    { title: 'event', value: ({ delivery }) => delivery.event },
    { title: 'status', value: ({ delivery }) => delivery.status },
    { title: 'attempt', value: ({ attempt }) => attempt?.attempt, align: 'right' },
    { title: 'at', value: ({ attempt }) => attempt?.started_at },
    { title: 'ms', value: ({ attempt }) => attempt?.milliseconds, align: 'right' },
    { title: 'answer', value: ({ attempt }) => attempt?.status_code, align: 'right' },
    { title: 'failure', value: ({ attempt }) => attempt?.failure },
    { title: 'detail', value: ({ attempt }) => attempt?.detail },
    { title: 'webhook id', value: ({ delivery }) => delivery.delivery_id },
  ], rows);
}

async function actorOf(connection: Connection, period: string, { project }: OrderOptions) {
  return await connection.call((nepho) =>
    nepho.statements.actor.query({ project_id: project, period })
  );
}
