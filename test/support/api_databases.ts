/** The databases that suites of the API run on: each is a real server, started when asked for. */
import { startPGlite } from './pglite.ts';
import { postgresSkipReason, startPostgres } from './postgres.ts';

export interface DatabaseChoice {
  readonly name: string;
  /** Why it cannot be had here, or false. */
  readonly skip: string | false;
  start(): Promise<{ url: string; stop(): Promise<void> }>;
}

export const DATABASES: readonly DatabaseChoice[] = [
  { name: 'PostgreSQL', skip: postgresSkipReason(), start: () => startPostgres({ fsync: false }) },
  { name: 'PGlite', skip: false, start: startPGlite },
];
