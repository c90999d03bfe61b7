import { compileDefinitions, type DefinitionFile } from '../meters/definition_compile.ts';
import { formatFault } from '../meters/definition_fault.ts';

/** Where a command writes: results, and what is said beside them. */
export interface CommandOutput {
  write(text: string): void;
  writeError(text: string): void;
}

/**
 * Compiles definition files and tells every fault as `file:line:column: code: message. remedy.`, or with
 * `json` as one document `{ok, definitions, faults, warnings}`.
 *
 * @returns the exit status: 0 if the files may come into force, 1 if not. Warnings do not count
 */
export function runDefinitionsCheck(
  files: readonly DefinitionFile[],
  out: CommandOutput,
  options: { json?: boolean } = {},
): number {
  const compiled = compileDefinitions(files);
  const faults = compiled.ok ? [] : compiled.faults;
  const definitions = compiled.ok ? compiled.set.meters.length : 0;
  const status = compiled.ok ? 0 : 1;
  if (options.json === true) {
    const { ok, warnings } = compiled;
    out.write(`${JSON.stringify({ ok, definitions, faults, warnings })}\n`);
    return status;
  }
  for (const fault of faults) out.write(`${formatFault(fault)}\n`);
  for (const warning of compiled.warnings) out.writeError(`warning: ${formatFault(warning)}\n`);
  out.write(compiled.ok ? `${counted(definitions, 'definition')}, no faults\n` : '');
  if (!compiled.ok) {
    out.writeError(`${counted(faults.length, 'fault')}: the files cannot come into force\n`);
  }
  return status;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
