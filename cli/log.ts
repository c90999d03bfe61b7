import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import type { Command } from 'commander';
import { createClient } from '../client/client.ts';
import { explainCallError } from '../client/errors.ts';
import { directoryLog } from '../ledger/directory_log.ts';
import { exportLog } from '../ledger/export_log.ts';
import { fetchLog } from '../ledger/fetch_log.ts';
import type { TiledLog } from '../ledger/tiled_log.ts';
import { type RefusedLog, type VerifiedLog, verifyLog } from '../ledger/verify_log.ts';
import { NephoError } from '../meters/errors.ts';
import { connect, tokenFor } from './connection.ts';
import { type JsonOption, printResult, withJson } from './output.ts';
import { tell, withProgress } from './progress.ts';
import { formatTable } from './table.ts';
import { trustedKeys, type VkeyOption, withVkey } from './trusted_keys.ts';

/** The file in an exported directory that holds the keys. */
const EXPORTED_KEYS = 'vkeys';

export function register(program: Command): void {
  const log = program.command('log').description('verify or export the signed logs');
  withJson(withVkey(
    log.command('verify').argument('[where]', 'an address, or a directory that was exported')
      .description('recompute a whole log from its entries: the running system unless told'),
  )).action(verify);
  withJson(
    log.command('export').argument('<directory>', 'where to; an earlier export is continued')
      .description(
        'save the logs as static files by C2SP tlog-tiles, which any server can publish',
      ),
  ).action(exportAll);
}

interface NamedLog {
  name: string;
  log: TiledLog;
}

type Result = { name: string } & (VerifiedLog | RefusedLog);

async function verify(where: string | undefined, options: JsonOption & VkeyOption): Promise<void> {
  const { logs, vkeys } = where === undefined || /^https?:\/\//.test(where)
    ? await logsBehind(where ?? null, options.vkey)
    : await logsIn(where, options.vkey);
  const results: Result[] = [];
  for (const { name, log } of logs) {
    let done = '';
    const result = await withProgress(`Verifying ${name}`, () =>
      verifyLog(log, {
        vkeys,
        onProgress: ({ entries, size }) => {
          done = `${entries} of ${size} entries`;
        },
      }), { detail: () => done });
    results.push({ name, ...result });
  }
  const ok = results.every((result) => result.ok);
  printResult({ ok, logs: results.map(plain) }, options, () => table(results));
  if (!ok) process.exitCode = 1;
}

function table(results: readonly Result[]): string {
  const refusals = results.flatMap((result) =>
    result.ok
      ? []
      : [`${result.name}: refused at ${result.place}, step '${result.step}': ${result.message}\n`]
  );
  return formatTable([
    { title: 'log', value: ({ name }) => name },
    { title: 'verified', value: ({ ok }) => ok ? 'yes' : 'NO' },
    { title: 'entries', value: (result) => result.ok ? result.size : null, align: 'right' },
    { title: 'samples', value: (r) => r.ok ? r.kinds['sample'] ?? 0 : null, align: 'right' },
    { title: 'root', value: (result) => result.ok ? result.root : null },
    { title: 'newest entry', value: (result) => result.ok ? result.lastRecordedAt : null },
  ], results) + refusals.join('');
}

/** Without the key ring, which holds bytes. */
function plain(result: Result): Record<string, unknown> {
  if (!result.ok) return { ...result };
  const { keyring, ...rest } = result;
  return { ...rest, unfollowed_keys: keyring.unfollowed };
}

/** One log by its own address, or all of a deployment; of the running system without an address. */
async function logsBehind(
  where: string | null,
  given: readonly string[],
): Promise<{ logs: NamedLog[]; vkeys: string[] }> {
  const running = where === null ? await connect() : null;
  const address = new URL(where ?? running?.url ?? '');
  const token = running?.token ?? await tokenFor(address);
  const options = token === null ? {} : { token };
  const client = createClient({ url: address.origin, token: null });
  const call = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      throw explainCallError(error, address.origin);
    }
  };
  const single = /^(.*\/log\/\d+)\/?$/.exec(address.pathname)?.[1];
  const prefixes = single === undefined
    ? (await call(client.logs.list.query())).logs.map((one) => `/log/${one.log_id}`)
    : [single];
  const logs = prefixes.map((prefix) => ({
    name: `${address.origin}${prefix}`,
    log: fetchLog(`${address.origin}${prefix}`, options),
  }));
  if (given.length > 0) return { logs, vkeys: await trustedKeys(given, EXPORTED_KEYS) };
  tell('Believing the keys that the server itself names: give --vkey to trust others than it');
  const { keys } = await call(client.logs.keys.query());
  return { logs, vkeys: keys.map(({ vkey }) => vkey) };
}

async function logsIn(
  directory: string,
  given: readonly string[],
): Promise<{ logs: NamedLog[]; vkeys: string[] }> {
  const names = await readdir(directory).catch((cause: unknown) => {
    throw new NephoError(
      'directory_unreadable',
      `Cannot read '${directory}': give an exported directory, or an http address`,
      { cause },
    );
  });
  const isOne = names.includes('checkpoint');
  const numbers = names.filter((name) => /^\d+$/.test(name)).sort((a, b) => Number(a) - Number(b));
  if (!isOne && numbers.length === 0) {
    throw new NephoError(
      'log_missing',
      `Cannot find a log in '${directory}': it has no checkpoint`,
    );
  }
  const paths = isOne ? [directory] : numbers.map((name) => join(directory, name));
  const vkeys = await trustedKeys(given, join(directory, isOne ? '..' : '', EXPORTED_KEYS));
  return { logs: paths.map((path) => ({ name: path, log: directoryLog(path) })), vkeys };
}

async function exportAll(directory: string, options: JsonOption): Promise<void> {
  const connection = await connect();
  const { logs } = await connection.call((nepho) => nepho.logs.list.query());
  const { keys } = await connection.call((nepho) => nepho.logs.keys.query());
  const token = connection.token === null ? {} : { token: connection.token };
  const exported: { origin: string; log_id: number; directory: string; size: number }[] = [];
  for (const { log_id, origin } of logs) {
    const target = join(directory, String(log_id));
    await mkdir(target, { recursive: true });
    let done = '';
    const log = fetchLog(new URL(`/log/${log_id}`, connection.url).href, token);
    const size = await withProgress(`Exporting ${origin}`, () =>
      exportLog(log, target, {
        onProgress: ({ entries, size }) => {
          done = `${entries} of ${size} entries`;
        },
      }), { detail: () => done });
    exported.push({ origin, log_id, directory: target, size });
  }
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, EXPORTED_KEYS), keys.map(({ vkey }) => `${vkey}\n`).join(''));
  printResult({ logs: exported, keys: keys.map(({ vkey }) => vkey) }, options, () =>
    formatTable([
      { title: 'log', value: (one) => one.origin },
      { title: 'entries', value: (one) => one.size, align: 'right' },
      { title: 'directory', value: (one) => one.directory },
    ], exported));
}
