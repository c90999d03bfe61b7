/** Fetches an official release and unpacks one program of it, only if its digest is the right one. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Archive } from './programs.ts';

const run = promisify(execFile);

const TIMEOUT_MS = 300_000;
const MAX_ARCHIVE_BYTES = 300 * 1024 * 1024;

/**
 * Downloads into `work` and unpacks there.
 *
 * @returns the program's file
 * @throws {Error} with a clause that says what failed, for a sentence of the caller
 */
export async function downloadProgram(archive: Archive, work: string): Promise<string> {
  const bytes = await fetchBytes(archive.url);
  const expected = 'sha256' in archive.checksum
    ? archive.checksum.sha256
    : await listedDigest(archive.checksum.list, path.posix.basename(new URL(archive.url).pathname));
  const actual = createHash('sha256').update(bytes).digest('hex');
  if (actual !== expected) {
    throw new Error(`the download has the digest ${actual}, expected ${expected}: it is not used`);
  }
  const file = path.join(work, 'download.tar.gz');
  await writeFile(file, bytes);
  try {
    await run('tar', ['-xzf', file, '-C', work]);
  } catch (error) {
    throw new Error('the download cannot be unpacked, install tar', { cause: error });
  }
  return await findMember(work, archive.member);
}

async function fetchBytes(url: string): Promise<Uint8Array> {
  const { host } = new URL(url);
  let response: Response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    throw new Error(`${host} cannot be reached`, { cause: error });
  }
  if (!response.ok) throw new Error(`${host} answers ${response.status} for ${url}`);
  const length = Number(response.headers.get('content-length') ?? 0);
  if (length > MAX_ARCHIVE_BYTES) throw new Error(`the download of ${length} bytes is too large`);
  return new Uint8Array(await response.arrayBuffer());
}

async function listedDigest(url: string, name: string): Promise<string> {
  const text = new TextDecoder().decode(await fetchBytes(url));
  const line = text.split('\n').find((each) => each.trim().split(/\s+\*?/)[1] === name);
  const digest = line?.trim().split(/\s+/)[0];
  if (digest === undefined) throw new Error(`${url} does not list ${name}`);
  return digest.toLowerCase();
}

async function findMember(work: string, member: string): Promise<string> {
  const names = await readdir(work, { recursive: true });
  const found = names.find((name) => path.basename(name) === member);
  if (found === undefined) throw new Error(`the download does not hold '${member}'`);
  const file = path.join(work, found);
  await chmod(file, 0o755);
  return file;
}
