/**
 * PGlite with a data directory behind PostgreSQL's protocol, in a process of its own: it computes on the
 * thread that it runs on. Serves 127.0.0.1 alone.
 *
 *   node --import tsx cli/pglite_server.ts --data DIR [--port N] [--until-stdin-ends]
 *
 * When it is ready it prints one line of JSON, `{"ready":true,"port":54321,"pid":4711}`. SIGTERM and
 * SIGINT end it cleanly. A password, if there is to be one, comes in NEPHO_PGLITE_PASSWORD.
 */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { PGlite } from '@electric-sql/pglite';
import { errorMessage, isNephoError, NephoError } from '../meters/errors.ts';
import { readSettings } from './env.ts';
import { ownProgram } from './own_program.ts';
import { WireServer } from './pglite_wire.ts';

interface Options {
  data: string;
  port: number;
  untilStdinEnds: boolean;
  /** Only makes the cluster: for the child that {@link makeCluster} starts. */
  isMaker: boolean;
}

try {
  const options = readOptions();
  if (options.isMaker) await (await openCluster(options.data)).close();
  else await serve(options);
} catch (error) {
  process.stderr.write(
    `${isNephoError(error) ? error.message : `PGlite: ${errorMessage(error)}`}\n`,
  );
  process.exit(1);
}

async function serve({ data, port, untilStdinEnds }: Options): Promise<void> {
  const unlock = lockDirectory(data);
  const cluster = join(data, 'pgdata');
  if (!existsSync(cluster)) makeCluster(cluster);
  const db = await openCluster(cluster);
  const { rows } = await db.query<{ server_version: string }>('SHOW server_version');
  const { pglitePassword } = readSettings();
  const server = new WireServer(db, rows[0]?.server_version ?? '0', {
    port,
    ...pglitePassword === null ? {} : { password: pglitePassword },
    onFatal: (error) => {
      process.stderr.write(`PGlite failed and ends: ${error.message}\n`);
      unlock();
      process.exit(1);
    },
  });
  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= (async () => {
      await server.close();
      await db.close();
      unlock();
      process.exit(0);
    })();
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  // A parent that is killed cannot send a signal, but its end of the pipe closes.
  if (untilStdinEnds) process.stdin.on('end', stop).resume();
  const actualPort = await server.listen();
  process.stdout.write(`${JSON.stringify({ ready: true, port: actualPort, pid: process.pid })}\n`);
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      port: { type: 'string', default: '0' },
      'until-stdin-ends': { type: 'boolean', default: false },
      'make-cluster': { type: 'boolean', default: false },
    },
  });
  const port = Number(values.port);
  if (values.data === undefined || !Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new NephoError('usage', 'Cannot start PGlite: write --data DIR [--port 0..65535]');
  }
  return {
    data: values.data,
    port,
    untilStdinEnds: values['until-stdin-ends'],
    isMaker: values['make-cluster'],
  };
}

/**
 * Makes the cluster in another process: `initdb` takes 500 MB that are not given back. Under another
 * name first, so that one half made, when the machine goes down, is never taken for a whole one.
 */
function makeCluster(cluster: string): void {
  const unfinished = `${cluster}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  const { command, args } = ownProgram(
    'cli/pglite_server.ts',
    '--data',
    unfinished,
    '--make-cluster',
  );
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) {
    throw new NephoError(
      'database_failed',
      `Cannot make a database in '${cluster}': ${stderr.trim()}`,
    );
  }
  renameSync(unfinished, cluster);
}

async function openCluster(cluster: string): Promise<PGlite> {
  return await PGlite.create({ dataDir: cluster, startParams: startParameters() });
}

/**
 * PGlite's own, but with fsync: its default promises nothing after a power cut. Less shared memory than
 * its 128 MB serves a demonstration as well.
 */
function startParameters(): string[] {
  return [
    ...PGlite.defaultStartParams.filter((parameter) => parameter !== '-F'),
    ...['fsync=on', 'shared_buffers=32MB'].flatMap((setting) => ['-c', setting]),
  ];
}

/** Two processes on one data directory would destroy it. @returns gives the directory free again */
function lockDirectory(data: string): () => void {
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const path = join(data, 'pglite.pid');
  for (let attempt = 1; attempt <= 2; attempt += 1) {
    try {
      const file = openSync(path, 'wx', 0o600);
      writeSync(file, String(process.pid));
      closeSync(file);
      return () => rmSync(path, { force: true });
    } catch {
      const pid = Number(readFileSync(path, 'utf8'));
      if (isServer(pid)) {
        throw new NephoError(
          'database_in_use',
          `Cannot start PGlite on '${data}': process ${pid} has it open, stop that one first`,
        );
      }
      // It was killed and left its file behind.
      rmSync(path, { force: true });
    }
  }
  throw new NephoError(
    'database_in_use',
    `Cannot start PGlite on '${data}': others start on it too`,
  );
}

function isServer(pid: number): boolean {
  if (pid === process.pid || !(pid > 0)) return false;
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  // After a reboot the number may be that of any program.
  const commandLine = `/proc/${pid}/cmdline`;
  return !existsSync(commandLine) || readFileSync(commandLine, 'utf8').includes('pglite_server');
}
