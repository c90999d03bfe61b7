import process from 'node:process';
import { type Command, InvalidArgumentError } from 'commander';
import { cycleSourceOf } from '../activities/poll_source_spec.ts';
import { createSourceMemory } from '../collectors/polling/source_memory.ts';
import { runCycle } from '../collectors/polling/run_cycle.ts';
import { withTimeLimit } from '../collectors/polling/time_limit.ts';
import { NephoError } from '../meters/errors.ts';
import type { SourceSpec } from '../meters/polling_config.ts';
import { groupOf } from '../meters/poll_schedule.ts';
import type { PollHead } from '../meters/poll_message.ts';
import { readPollMessage } from '../meters/poll_message_reader.ts';
import { formatMillis } from '../meters/timestamp.ts';
import { readSettings } from './env.ts';
import { write, writeWarning } from './output.ts';
import { CloudSet, pollingFileOf } from './cloud_set.ts';
import { pollingInForce } from './polling_files.ts';

interface Options {
  source: string;
  cloud?: string;
  once: boolean;
  file?: string;
  group?: number;
  json: boolean;
}

export function register(program: Command): void {
  program.command('poll')
    .description(
      'poll a source of polling.yaml here and now, and print its samples, one JSON a line',
    )
    .requiredOption('--source <name>', 'its name in polling.yaml')
    .option('--cloud <name>', 'where several clouds have a source of this name')
    .option('--once', 'the only way there is: Schedules do the rest', true)
    .option('--file <path>', 'instead of NEPHO_POLLING_FILE')
    .option('--group <number>', 'one group alone, from 0', groupNumber)
    .option('--json', 'no progress', false)
    .action(poll);
}

/** Nothing is sent: no server is needed but the endpoints themselves. */
async function poll(options: Options): Promise<void> {
  const settings = readSettings();
  const given = options.file === undefined
    ? settings
    : { ...settings, pollingFiles: [options.file] };
  const file = pollingFileOf(given);
  const { config } = await pollingInForce(file, writeWarning);
  const source = findSource(config.sources, options);
  const clouds = new CloudSet(given, file);
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  const tell = (text: string): void => {
    if (!options.json) process.stderr.write(text);
  };
  try {
    const collectors = await clouds.of(source.cloud);
    tell(`Polling '${source.name}' of '${source.cloud}'\n`);
    const time = { milliseconds: source.intervalSeconds * 1_000, stop: stop.signal };
    const receipt = await withTimeLimit(
      time,
      (signal) =>
        runCycle(headNow(source), cycleSourceOf(source, false), {
          registry: collectors.registry,
          memory: createSourceMemory(),
          isOurs: (unit) =>
            options.group === undefined || groupOf(unit, source.groups) === options.group,
          lastDiscovered: () => null,
          requests: () => collectors.requests(),
          nowMs: Date.now,
          signal,
          isStopping: () => false,
          publish: (message) => {
            printMessage(message);
            return Promise.resolve();
          },
        }),
    );
    tell(`${JSON.stringify(receipt)}\n`);
    if (receipt.missing > 0) process.exitCode = 1;
  } finally {
    await clouds.close();
  }
}

function headNow({ cloud, name }: SourceSpec): PollHead {
  const cycle = formatMillis(Math.trunc(Date.now() / 1_000) * 1_000);
  return { cloud, source: name, group: 0, cycle };
}

/** Samples to standard output, what is missing or odd to standard error. */
function printMessage(message: Uint8Array): void {
  const { units, gaps, end } = readPollMessage(new TextDecoder().decode(message));
  for (const { readings } of units) {
    for (const reading of readings) write(`${JSON.stringify(reading)}\n`);
  }
  for (const { pollster, unit, units: count, reason, detail } of gaps) {
    process.stderr.write(
      `missing: ${pollster} of ${unit ?? `${count} units`}: ${reason}: ${detail}\n`,
    );
  }
  for (const { code, unit, detail } of end?.remarks ?? []) {
    process.stderr.write(`${code}: ${unit ?? 'the cycle'}: ${detail}\n`);
  }
}

/** @throws {InvalidArgumentError} */
function groupNumber(text: string): number {
  if (/^\d{1,3}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Give the number of a group, from 0.');
}

function findSource(sources: readonly SourceSpec[], options: Options): SourceSpec {
  const { source, cloud, group = 0 } = options;
  const found = sources.filter((one) =>
    one.name === source && (cloud === undefined || one.cloud === cloud)
  );
  const [only] = found;
  if (found.length === 1 && only !== undefined) {
    if (group < only.groups) return only;
    throw new NephoError(
      'usage_invalid',
      `Cannot poll group ${group} of '${source}': its groups are 0 to ${only.groups - 1}`,
    );
  }
  throw new NephoError(
    'usage_invalid',
    found.length > 1
      ? `Cannot tell which '${source}' is meant: give --cloud`
      : `Cannot poll '${source}': polling.yaml has ${
        sources.map(({ name }) => `'${name}'`).join(', ') || 'no source'
      }`,
  );
}
