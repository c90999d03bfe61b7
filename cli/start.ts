import process from 'node:process';
import type { Command } from 'commander';
import { errorMessage, NephoError } from '../meters/errors.ts';
import type { EmbeddedSystem } from './embedded.ts';
import { readSettings, unknownVariables } from './env.ts';
import { portOf } from './port_option.ts';
import { tell } from './progress.ts';
import { endOfService } from './signals.ts';

interface Options {
  once: boolean;
  demo: boolean;
  port?: number;
}

/** The status of a shell's command that Ctrl-C ended: there is no figure then. */
const INTERRUPTED = 130;

export function register(program: Command): void {
  program.command('start')
    .description('run everything on this machine, and show usage of a demonstration cloud')
    .option('--once', 'end after the first verified figure; the last line is JSON', false)
    .option('--no-demo', 'without the demonstration cloud')
    .option('--port <port>', 'of the API, instead of NEPHO_HTTP_PORT', portOf)
    .action(start);
}

async function start(options: Options): Promise<void> {
  // Loaded here, so that a command line that makes no sense is told at once.
  const [{ startEmbedded }, { present }, { demoEnvironment, feedDemo }] = await Promise.all([
    import('./embedded.ts'),
    import('./demonstration.ts'),
    import('./demo_part.ts'),
  ]);
  const settings = readSettings();
  for (const name of unknownVariables()) {
    tell(`Variable ${name} is set, but means nothing to nepho`);
  }
  const end = endOfService();
  let failure: NephoError | null = null;
  let failed: () => void = () => {};
  const failing = new Promise<void>((resolve) => failed = resolve);
  const onFailure = (error: NephoError): void => {
    failure ??= error;
    failed();
  };
  // What is shown goes on until we are told to end, or a part failed.
  const over = new AbortController();
  const signal = AbortSignal.any([end.signal, over.signal]);
  let system: EmbeddedSystem | null = null;
  let notifications = 0;
  try {
    const environment = options.demo ? await demoEnvironment(settings) : {};
    system = await startEmbedded(settings, {
      port: options.port ?? null,
      say: tell,
      signal: end.signal,
      onFailure,
      environment,
      ...options.demo
        ? {
          beforeWorker: async (servers) => {
            notifications = (await feedDemo(settings, servers)).published;
          },
        }
        : {},
    });
    const billsDays = Object.hasOwn(environment, 'NEPHO_BILLING');
    const shown = present(system, settings, { ...options, billsDays, notifications, signal });
    await Promise.race([shown, failing]);
  } catch (error) {
    // What breaks because we are told to end is no failure.
    if (!end.signal.aborted) failure ??= asFailure(error);
  } finally {
    over.abort();
    if (!options.once) tell('Stopping');
    await system?.stop();
    end.dispose();
  }
  if (failure !== null) throw failure;
  if (options.once && end.signal.aborted) process.exitCode = INTERRUPTED;
  if (!options.once) {
    tell(`Stopped. The data is in ${settings.home}; \`npm start\` goes on with it`);
  }
}

function asFailure(error: unknown): NephoError {
  return error instanceof NephoError
    ? error
    : new NephoError('start_failed', `Cannot start: ${errorMessage(error)}`, { cause: error });
}
