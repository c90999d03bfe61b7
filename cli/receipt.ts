import { type Command, InvalidArgumentError } from 'commander';
import { connect } from './connection.ts';
import { type JsonOption, printResult, withJson } from './output.ts';
import { saveEvidence } from './save_evidence.ts';
import { formatFields } from './table.ts';

interface Options extends JsonOption {
  output?: string;
  metadata: boolean;
}

export function register(program: Command): void {
  withJson(
    program.command('receipt').argument('<id>', 'the id of a sample', sampleIdOf)
      .description('fetch the evidence that a sample is in the log, to be verified offline')
      .option('-o, --output <file>', 'save it, and beside it the keys to verify it with')
      .option('--no-metadata', 'leave the metadata out, which the log names by its digest only'),
  ).action(fetchReceipt);
}

async function fetchReceipt(id: string, options: Options): Promise<void> {
  const connection = await connect();
  const answer = await connection.call((nepho) =>
    nepho.receipts.sample.query({ id, include_metadata: options.metadata })
  );
  const { output } = options;
  if (output === undefined) {
    printResult(answer, options, () => answer.receipt);
    return;
  }
  const keyFile = await saveEvidence(connection, output, answer.receipt);
  printResult(
    { ...answer, file: output, key_file: keyFile },
    options,
    () =>
      formatFields([
        ['receipt', output],
        ['keys', keyFile],
        ['log', answer.origin],
        ['entry', answer.leaf_index],
        ['of', answer.size],
        ['verify', `nepho verify ${output}`],
      ]),
  );
}

export function sampleIdOf(text: string): string {
  const id = text.toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(id)) {
    throw new InvalidArgumentError('A sample id has 32 hexadecimal digits.');
  }
  return id;
}
