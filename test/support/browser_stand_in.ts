/**
 * Run by `deno run` without any permission and without the globals of Node, so that nothing is left but
 * what a browser has. Reads a JSON task from its input, prints the verdicts as JSON.
 */
const task = JSON.parse(await new Response(Deno.stdin.readable).text()) as {
  vkey: string;
  receipts: string[];
  windows: string[];
  statements: string[];
  /** The files of a log in base64, by path. */
  files: Record<string, string>;
};

for (const name of ['process', 'Buffer', 'global', 'setImmediate', 'Deno']) {
  Reflect.deleteProperty(globalThis, name);
}

// After the globals are gone, since modules look for them as they load.
const { nodeCrypto } = await import('../../ledger/platform.ts');
const { verifyReceipt } = await import('../../ledger/verify_receipt.ts');
const { verifyWindow } = await import('../../ledger/verify_window.ts');
const { verifyStatement } = await import('../../ledger/verify_statement.ts');
const { verifyLog } = await import('../../ledger/verify_log.ts');
const { formatTilePath } = await import('../../ledger/tile.ts');
const { decodeBase64, decodeUtf8 } = await import('../../ledger/bytes.ts');

const options = { vkeys: [task.vkey] };
const file = (path: string) => Promise.resolve(decodeBase64(task.files[path] ?? ''));
const receipts = [];
for (const receipt of task.receipts) receipts.push(await verifyReceipt(receipt, options));
const windows = [];
for (const window of task.windows) windows.push(await verifyWindow(window, options));
const statements = [];
for (const one of task.statements) statements.push(await verifyStatement(one, options));
const log = await verifyLog({
  readCheckpoint: async () => decodeUtf8(await file('checkpoint')),
  readTile: (level, index, width) => file(formatTilePath({ level, index, width })),
  readEntries: (index, width) => file(formatTilePath({ level: 'entries', index, width })),
}, options);
console.log(JSON.stringify({ native: nodeCrypto !== null, receipts, windows, statements, log }));

declare const Deno: { stdin: { readable: ReadableStream<Uint8Array<ArrayBuffer>> } };
