import { NephoError } from '../meters/errors.ts';
import { variableNotes } from './environment_schema.ts';
import type { Settings } from './env.ts';

/** What a process of a deployment cannot do without, and the variable that gives it. */
const VARIABLES = {
  databaseUrl: 'DATABASE_URL',
  natsUrl: 'NEPHO_NATS_URL',
  temporalAddress: 'NEPHO_TEMPORAL_ADDRESS',
  rabbitmqUrl: 'NEPHO_RABBITMQ_URL',
} as const;

type Key = keyof typeof VARIABLES;

/**
 * Settings of which some must be set.
 *
 * @param command as a sentence names it, `nepho worker`
 * @throws {NephoError} `configuration_missing` with every variable that lacks
 */
export function requireSettings<K extends Key>(
  settings: Settings,
  command: string,
  keys: readonly K[],
): Settings & { [key in K]: string } {
  const missing = keys.filter((key) => settings[key] === null).map((key) => VARIABLES[key]);
  if (missing.length > 0) {
    const notes = new Map(variableNotes());
    const wanted = missing.map((name) => `${name}, as in ${notes.get(name)?.example}`);
    throw new NephoError(
      'configuration_missing',
      `Cannot run '${command}': set ${wanted.join('; ')}; or run all in one by 'nepho start'`,
    );
  }
  return settings as Settings & { [key in K]: string };
}
