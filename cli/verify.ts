import { readFile } from 'node:fs/promises';
import process from 'node:process';
import type { Command } from 'commander';
import { type VerifiedReceipt, verifyReceipt } from '../ledger/verify_receipt.ts';
import { errorMessage, NephoError } from '../meters/errors.ts';
import { type JsonOption, printResult, withJson } from './output.ts';
import { formatFields } from './table.ts';
import {
  keyFileOf,
  savedRotations,
  trustedKeys,
  type VkeyOption,
  withVkey,
} from './trusted_keys.ts';

export function register(program: Command): void {
  const command = program.command('verify').argument('<receipt>', 'the file of a receipt')
    .description(
      'verify a receipt offline, with nothing but the public key of the deployment',
    );
  withJson(withVkey(command)).action(verify);
}

async function verify(file: string, options: JsonOption & VkeyOption): Promise<void> {
  const text = await readReceipt(file);
  const vkeys = await trustedKeys(options.vkey, keyFileOf(file));
  const result = await verifyReceipt(text, { vkeys, keyEntries: await savedRotations(file) });
  printResult(
    result,
    options,
    () =>
      result.ok
        ? formatFields(fieldsOf(result))
        : `REFUSED at step '${result.step}': ${result.message}\n`,
  );
  if (!result.ok) process.exitCode = 1;
}

function fieldsOf({ entry, index, origin, size, root, signedBy }: VerifiedReceipt) {
  const fields: [string, unknown][] = [
    ['verified', 'yes'],
    ['log', origin],
    ['entry', `${index} of ${size}`],
    ['root', root],
    ...signedBy.map((vkey): [string, unknown] => ['signed by', vkey]),
    ['kind', entry.kind],
    ['recorded', entry.recorded_at],
  ];
  if (entry.kind !== 'sample') return fields;
  const { meter, volume, unit, resource_id, project_id, timestamp, id } = entry;
  return [
    ...fields,
    ['sample', id],
    ['meter', meter],
    ['volume', `${volume} ${unit}`],
    ['resource', resource_id],
    ['project', project_id],
    ['timestamp', timestamp],
  ] satisfies [string, unknown][];
}

async function readReceipt(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new NephoError('file_unreadable', `Cannot read '${file}': ${errorMessage(cause)}`, {
      cause,
    });
  }
}
