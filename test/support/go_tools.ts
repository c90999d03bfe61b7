import { spawn } from 'node:child_process';
import { access, constants, mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** The version of Tessera whose `fsck` our logs must pass. */
const FSCK_PACKAGE = 'github.com/transparency-dev/tessera/cmd/fsck@v1.0.4';

export interface Finished {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end, or kills it after `timeoutMs`. */
export function runProgram(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string>; timeoutMs?: number } = {},
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: options.timeoutMs ?? 240_000,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => stdout += String(chunk));
    child.stderr.on('data', (chunk) => stderr += String(chunk));
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}

/** The path of the Go command, or null: then say aloud what is skipped. */
export async function findGo(): Promise<string | null> {
  return await findProgram('go', ['/usr/local/go/bin']);
}

/**
 * The path of Tessera's `fsck`: in the project's cache, or else made there by `go install`.
 *
 * @returns the path, or in `missing` why there is none
 */
export async function findFsck(): Promise<{ path: string } | { missing: string }> {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const bin = join(cache, 'nepho', 'bin');
  const found = await findProgram('fsck', [bin], { onPath: false });
  if (found !== null) return { path: found };
  const go = await findGo();
  if (go === null) return { missing: 'neither fsck of Tessera nor Go is installed' };
  await mkdir(bin, { recursive: true });
  const made = await runProgram(go, ['install', FSCK_PACKAGE], { env: { GOBIN: bin } });
  if (made.status === 0) return { path: join(bin, 'fsck') };
  return { missing: `go install ${FSCK_PACKAGE} failed: ${made.stderr.trim().slice(-300)}` };
}

/**
 * Builds the Go program in a folder.
 *
 * @returns its path, or in `missing` why it cannot be built here: no Go, or no way to its modules
 */
export async function buildGoProgram(
  folder: string,
  output: string,
): Promise<{ path: string } | { missing: string }> {
  const go = await findGo();
  if (go === null) return { missing: 'Go is not installed' };
  const fetched = await runProgram(go, ['mod', 'download'], { cwd: folder });
  if (fetched.status !== 0) {
    return { missing: `go mod download failed: ${fetched.stderr.trim().slice(-300)}` };
  }
  const built = await runProgram(go, ['build', '-o', output, '.'], { cwd: folder });
  if (built.status !== 0) throw new Error(`Cannot build '${folder}': ${built.stderr}`);
  return { path: output };
}

async function findProgram(
  name: string,
  folders: readonly string[],
  { onPath = true } = {},
): Promise<string | null> {
  // `fsck` on the PATH is the one of file systems.
  const path = onPath ? (process.env['PATH'] ?? '').split(delimiter) : [];
  for (const folder of [...path, ...folders]) {
    if (folder === '') continue;
    const file = join(folder, name);
    const usable = await access(file, constants.X_OK).then(() => true, () => false);
    if (usable) return file;
  }
  return null;
}
