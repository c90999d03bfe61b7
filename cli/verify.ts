import type { Command } from 'commander';
import { verifyFile, type VerifyFileOptions } from './evidence.ts';
import { withJson } from './output.ts';
import { withVkey } from './trusted_keys.ts';

export function register(program: Command): void {
  const command = program.command('verify')
    .argument('<file>', 'a receipt, or the bundle of a window or a statement')
    .description('verify evidence offline, with nothing but the public key of the deployment');
  withJson(withVkey(command))
    .action(async (file: string, options: VerifyFileOptions) => await verifyFile(file, options));
}
