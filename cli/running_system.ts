/** What a running embedded system tells those who come beside it: `running.json` in its home. */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { z } from 'zod';
import { RUNNING_FILE } from './connection.ts';

const runningSystemSchema = z.object({
  /** Of the API. */
  url: z.string(),
  /** Holds the operator's key. */
  tokenFile: z.string(),
  pid: z.int(),
  /** With its password: the file is its owner's alone. */
  natsUrl: z.string(),
  natsMonitorUrl: z.string().nullable(),
  temporalAddress: z.string(),
  databaseUrl: z.string(),
  startedAt: z.string(),
});

export type RunningSystem = z.output<typeof runningSystemSchema>;

/** Null if no system runs on that home, or one of another version. */
export async function readRunningSystem(home: string): Promise<RunningSystem | null> {
  const text = await readFile(path.join(home, RUNNING_FILE), 'utf8').catch(() => null);
  if (text === null) return null;
  try {
    const running = runningSystemSchema.parse(JSON.parse(text));
    return isAlive(running.pid) ? running : null;
  } catch {
    return null;
  }
}

/** Written whole or not at all, since others read it at any time. */
export async function writeRunningSystem(home: string, running: RunningSystem): Promise<void> {
  const file = path.join(home, RUNNING_FILE);
  await writeFile(`${file}.new`, `${JSON.stringify(running, null, 2)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
}

export async function removeRunningSystem(home: string): Promise<void> {
  await rm(path.join(home, RUNNING_FILE), { force: true });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
