import { writeFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError } from 'commander';
import type { NephoOutputs } from '../client/client.ts';
import { connect, type Connection } from './connection.ts';
import { verifyFile, type VerifyFileOptions } from './evidence.ts';
import { wholeNumberFrom0 } from './list_options.ts';
import { type JsonOption, printResult, withJson } from './output.ts';
import { saveEvidence } from './save_evidence.ts';
import { type PeriodOptions, statementInput, withPeriod } from './statement_name.ts';
import { formatFields } from './table.ts';
import { withVkey } from './trusted_keys.ts';

interface ExportOptions extends PeriodOptions, JsonOption {
  output: string;
  line?: number;
}

const PAGE = 1_000;

/** Adds `export` and `verify`. */
export function registerEvidence(statements: Command): void {
  withJson(
    withPeriod(statements.command('export'), { number: true })
      .description('save the evidence of a statement, to be verified offline')
      .requiredOption('-o, --output <file>', 'where to; beside it come the keys to verify it with')
      .option('--line <number>', 'save the windows that a line sums, too', wholeNumberFrom0),
  ).action(exportStatement);
  withJson(withVkey(
    statements.command('verify').argument('<file>', 'the evidence of a statement')
      .description('verify a statement offline, with nothing but the public key of the deployment')
      .option('--former <file>', 'the evidence of the one that it amends: checks the differences')
      .option(
        '--windows <line=file>',
        'the windows that a line sums: checks them; may be repeated',
        lineAndFile,
        [],
      ),
  )).action(async (file: string, options: VerifyFileOptions) => {
    await verifyFile(file, { ...options, kind: 'statement' });
  });
}

async function exportStatement(period: string, options: ExportOptions): Promise<void> {
  const connection = await connect();
  const { head, bundle } = await connection.call((nepho) =>
    nepho.statements.bundle.query(statementInput(period, options))
  );
  const { output, line } = options;
  const keyFile = await saveEvidence(connection, output, bundle);
  const windowFile = line === undefined ? null : `${output}.line-${line}`;
  if (line !== undefined && windowFile !== null) {
    const windows = await windowsOf(connection, { ...head, line });
    await writeFile(windowFile, windows.map((window) => `${window}\n`).join(''));
  }
  const windows = windowFile === null ? '' : ` --windows ${line}=${windowFile}`;
  printResult(
    { ...head, file: output, key_file: keyFile, window_file: windowFile },
    options,
    () =>
      formatFields([
        ['statement', output],
        ['number', head.number],
        ['digest', head.digest],
        ['keys', keyFile],
        ...windowFile === null ? [] : [['windows', windowFile]] as const,
        ['verify', `nepho statements verify ${output}${windows}`],
      ]),
  );
}

/** The records of the windows that a line sums, in the order of its root. */
export async function windowsOf(
  connection: Connection,
  named: { project_id: string; period: string; number: number; line: number },
): Promise<string[]> {
  const { project_id, period, number, line } = named;
  const input = { project_id, period, number, line, limit: PAGE };
  const records: string[] = [];
  let cursor: string | null = null;
  do {
    const from: { cursor?: string } = cursor === null ? {} : { cursor };
    const page: NephoOutputs['statements']['lineWindows'] = await connection.call((nepho) =>
      nepho.statements.lineWindows.query({ ...input, ...from })
    );
    records.push(...page.windows);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return records;
}

function lineAndFile(
  text: string,
  before: { line: number; file: string }[],
): { line: number; file: string }[] {
  const [, line, file] = /^(\d{1,9})=(.+)$/.exec(text) ?? [];
  if (file === undefined) throw new InvalidArgumentError('Give LINE=FILE, as 3=statement.line-3.');
  return [...before, { line: Number(line), file }];
}
