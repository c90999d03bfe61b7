import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { directoryLog } from '../../ledger/directory_log.ts';
import { exportLog } from '../../ledger/export_log.ts';
import { fetchLog } from '../../ledger/fetch_log.ts';
import { formatTilePath, tilesOf } from '../../ledger/tile.ts';
import { verifyLog } from '../../ledger/verify_log.ts';
import { MemoryLog, testEntries } from '../support/memory_log.ts';
import { testSigner } from '../support/test_signer.ts';

const OPTIONS = { vkeys: [testSigner().vkey] };
const ENTRIES = testEntries(1_000);

const code = (expected: string) => (error: unknown) =>
  (error as { code?: string }).code === expected;

async function temporaryDirectory(context: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'nepho-log-'));
  context.after(() => rm(directory, { recursive: true }));
  return directory;
}

async function serve(
  context: TestContext,
  answer: RequestListener,
): Promise<string> {
  const server: Server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/log/0/`;
}

async function filesBelow(directory: string): Promise<string[]> {
  const names = await readdir(directory, { recursive: true });
  const files = [];
  for (const name of names) {
    if ((await stat(join(directory, name))).isFile()) files.push(name.replaceAll('\\', '/'));
  }
  return files.sort();
}

test('an export is the static files of tlog-tiles, no more and no fewer, and verifies', async (context) => {
  const directory = await temporaryDirectory(context);
  const log = await MemoryLog.of(ENTRIES);
  assert.equal(await exportLog(log, directory), 1_001);
  const expected = ['checkpoint', ...[...tilesOf(1_001)].map(formatTilePath)].sort();
  assert.deepEqual(await filesBelow(directory), expected);
  const verdict = await verifyLog(directoryLog(directory), OPTIONS);
  assert(verdict.ok, JSON.stringify(verdict));
});

test('an export goes on where an earlier one ended, reading no full bundle again', async (context) => {
  const directory = await temporaryDirectory(context);
  await exportLog(await MemoryLog.of(ENTRIES.slice(0, 600)), directory);
  const log = await MemoryLog.of(ENTRIES);
  const read: number[] = [];
  const counted = {
    readCheckpoint: () => log.readCheckpoint(),
    readTile: (level: number, index: number, width: number) => log.readTile(level, index, width),
    readEntries: (index: number, width: number) => {
      read.push(index);
      return log.readEntries(index, width);
    },
  };
  await exportLog(counted, directory);
  assert.deepEqual(read, [2, 3]);
  assert((await verifyLog(directoryLog(directory), OPTIONS)).ok);
});

test('an export of entries that do not lead to the checkpoint writes no checkpoint', async (context) => {
  const directory = await temporaryDirectory(context);
  const log = await MemoryLog.of(ENTRIES);
  const other = await MemoryLog.of([...ENTRIES].reverse());
  const mixed = {
    readCheckpoint: () => log.readCheckpoint(),
    readTile: (level: number, index: number, width: number) => log.readTile(level, index, width),
    readEntries: (index: number, width: number) => other.readEntries(index, width),
  };
  await assert.rejects(exportLog(mixed, directory), code('root_wrong'));
  assert(!(await filesBelow(directory)).includes('checkpoint'));
});

test('a directory that lost a file is a finding, not a crash', async (context) => {
  const directory = await temporaryDirectory(context);
  await exportLog(await MemoryLog.of(ENTRIES), directory);
  await rm(join(directory, 'tile/0/002'));
  const verdict = await verifyLog(directoryLog(directory), OPTIONS);
  assert.deepEqual(!verdict.ok && [verdict.step, verdict.place], ['tile', 'tile/0/002']);
  await writeFile(join(directory, 'checkpoint'), 'nonsense');
  const unreadable = await verifyLog(directoryLog(directory), OPTIONS);
  assert.equal(!unreadable.ok && unreadable.step, 'checkpoint');
});

test('fetchLog reads a log over HTTP, full tiles for partial ones that are gone', async (context) => {
  const directory = await temporaryDirectory(context);
  await exportLog(await MemoryLog.of(ENTRIES), directory);
  const asked: string[] = [];
  const prefix = await serve(context, (request, response) => {
    const path = (request.url ?? '').replace('/log/0/', '');
    asked.push(path);
    readFile(join(directory, path)).then(
      (bytes) => response.end(bytes),
      () => response.writeHead(404).end(),
    );
  });
  assert((await verifyLog(fetchLog(prefix), OPTIONS)).ok);
  const log = fetchLog(prefix);
  assert.equal((await log.readTile(0, 0, 7)).length, 7 * 32);
  assert.deepEqual(asked.slice(-2), ['tile/0/000.p/7', 'tile/0/000']);
  const reference = await MemoryLog.of(ENTRIES);
  assert.deepEqual(
    Buffer.from(await log.readEntries(1, 9)),
    Buffer.from(await reference.readEntries(1, 9)),
  );
  await assert.rejects(log.readTile(0, 9, 256), code('tile_missing'));
});

test('fetchLog shows its token, repeats what fails on the way, and takes no for an answer', async (context) => {
  let tries = 0;
  const prefix = await serve(context, (request, response) => {
    tries += 1;
    if (request.headers.authorization !== 'Bearer secret') response.writeHead(403).end();
    else if (tries < 4) response.writeHead(503).end();
    else response.end(new Uint8Array(32));
  });
  assert.equal((await fetchLog(prefix, { token: 'secret' }).readTile(0, 0, 1)).length, 32);
  assert.equal(tries, 4);
  tries = 0;
  await assert.rejects(
    fetchLog(prefix, { token: 'secret', attempts: 2 }).readTile(0, 0, 1),
    code('log_unreachable'),
  );
  assert.equal(tries, 2);
  tries = 0;
  await assert.rejects(fetchLog(prefix).readEntries(0, 1), code('log_forbidden'));
  assert.equal(tries, 1);
});

test('fetchLog stops reading an answer that is too long, hangs or breaks off', async (context) => {
  const endless = await serve(context, (_, response) => {
    const send = (): void => {
      if (response.destroyed) return;
      response.write(new Uint8Array(65_536), send);
    };
    response.writeHead(200);
    send();
  });
  await assert.rejects(fetchLog(endless).readTile(0, 0, 256), code('resource_too_large'));
  const silent = await serve(context, () => {});
  const brief = { timeoutMs: 50, attempts: 1 };
  await assert.rejects(fetchLog(silent, brief).readCheckpoint(), code('log_unreachable'));
  const broken = await serve(context, (request) => request.socket.destroy());
  await assert.rejects(
    fetchLog(broken, { attempts: 1 }).readCheckpoint(),
    code('log_unreachable'),
  );
});
