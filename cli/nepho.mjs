#!/usr/bin/env node
// Runs cli/main.ts from its source. Plain JavaScript, so that an old Node can still say what it lacks.
import process from 'node:process';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (globalThis.Deno === undefined && (major < 20 || (major === 20 && minor < 19))) {
  process.stderr.write(
    `Cannot run nepho on Node ${process.versions.node}: install Node 20.19 or newer\n`,
  );
  process.exit(2);
}

try {
  // Deno reads TypeScript by itself.
  if (globalThis.Deno === undefined) (await import('tsx/esm/api')).register();
} catch (error) {
  if (error?.code !== 'ERR_MODULE_NOT_FOUND') throw error;
  process.stderr.write('Cannot run nepho: its packages are not installed, run `npm ci` first\n');
  process.exit(2);
}

const { main } = await import('./main.ts');
await main(process.argv.slice(2));
