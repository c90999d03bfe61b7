import { type Command, Option } from 'commander';
import type { NephoInputs, NephoOutputs } from '../client/client.ts';
import { NephoError } from '../meters/errors.ts';
import { connect } from './connection.ts';
import { type JsonOption, printResult, withJson } from './output.ts';
import { formatTable } from './table.ts';

type ApiKey = NephoOutputs['keys']['list']['keys'][number];

interface CreateOptions extends JsonOption {
  role: 'operator' | 'project';
  project?: string;
  expires?: string;
}

export function register(program: Command): void {
  const keys = program.command('keys').description('make and revoke the keys of the API');
  withJson(
    keys.command('create').argument('<name>', 'what it is for')
      .description('make a key and show its secret, once')
      .addOption(
        new Option('--role <role>', 'what its bearer may do').choices(['operator', 'project'])
          .default('project'),
      )
      .option('--project <id>', "the project whose data a project's key shows")
      .option('--expires <time>', 'when it ends, as 2027-01-31T00:00:00Z'),
  ).action(create);
  withJson(keys.command('list').description('list the keys, without their secrets')).action(list);
  withJson(
    keys.command('revoke').argument('<id>', 'the id of the key')
      .description('end a key at once'),
  ).action(revoke);
}

async function create(name: string, options: CreateOptions): Promise<void> {
  const input = createInput(name, options);
  const connection = await connect();
  const answer = await connection.call((nepho) => nepho.keys.create.mutate(input));
  printResult(
    answer,
    options,
    () => `${table([answer.key])}\nIts secret, shown this once:\n${answer.secret}\n`,
  );
}

function createInput(name: string, options: CreateOptions): NephoInputs['keys']['create'] {
  const { role, project, expires } = options;
  const common = expires === undefined ? { name } : { name, expires_at: expires };
  if (role === 'operator') {
    if (project === undefined) return { ...common, role };
    throw new NephoError('usage_invalid', "Cannot give an operator's key a project: it sees all");
  }
  if (project === undefined) {
    throw new NephoError(
      'usage_invalid',
      "Cannot make a project's key without its project: add --project ID, or --role operator",
    );
  }
  return { ...common, role, project_id: project };
}

async function list(options: JsonOption): Promise<void> {
  const connection = await connect();
  const answer = await connection.call((nepho) => nepho.keys.list.query());
  printResult(answer, options, () => table(answer.keys));
}

async function revoke(id: string, options: JsonOption): Promise<void> {
  const connection = await connect();
  const key = await connection.call((nepho) => nepho.keys.revoke.mutate({ api_key_id: id }));
  printResult(key, options, () => table([key]));
}

function table(keys: readonly ApiKey[]): string {
  return formatTable([
    { title: 'id', value: (key) => key.api_key_id },
    { title: 'name', value: (key) => key.name },
    { title: 'role', value: (key) => key.role },
    { title: 'project', value: (key) => key.project_id },
    { title: 'created', value: (key) => key.created_at },
    { title: 'expires', value: (key) => key.expires_at },
    { title: 'revoked', value: (key) => key.revoked_at },
  ], keys);
}
