import { fileURLToPath } from 'node:url';
import { formatFault } from '../meters/definition_fault.ts';
import { NephoError } from '../meters/errors.ts';
import type { UsageRules } from '../meters/usage_rules.ts';
import { parseUsageRules } from '../meters/usage_rules_schema.ts';
import { readRegular } from './regular_file.ts';

/** The rules that are part of nepho. In a folder of its own: it holds no definitions. */
export const SHIPPED_USAGE_RULES = fileURLToPath(
  new URL('../definitions/usage/usage.yaml', import.meta.url),
);

const MAX_USAGE_RULES_BYTES = 1024 * 1024;

/**
 * Reads the rules by which samples become usage. They are read once: a figure names the digest of the rules
 * that it was computed by, and new ones come into force with a new start of the worker.
 *
 * @param warn told each warning, as `file:line:column: code: message. remedy.`
 * @throws {NephoError} `usage_rules_unreadable`, `usage_rules_faulty` with every fault, a line each
 */
export async function loadUsageRules(
  file: string = SHIPPED_USAGE_RULES,
  warn: (warning: string) => void = () => {},
): Promise<UsageRules> {
  const bytes = await readRegular(file, MAX_USAGE_RULES_BYTES, (_, reason, cause) =>
    new NephoError(
      'usage_rules_unreadable',
      `Cannot read the usage rules '${file}': ${reason}`,
      { context: { file }, cause },
    ));
  const parsed = parseUsageRules(new TextDecoder().decode(bytes), { file });
  parsed.warnings.map(formatFault).forEach(warn);
  if (parsed.ok) return parsed.config;
  const count = parsed.faults.length === 1 ? 'a fault' : `${parsed.faults.length} faults`;
  throw new NephoError(
    'usage_rules_faulty',
    `${parsed.faults.map(formatFault).join('\n')}\nCannot use '${file}': it has ${count}`,
    { context: { file } },
  );
}
