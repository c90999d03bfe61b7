// Installs the locked packages when they are missing or others than the lock says. Plain JavaScript
// without dependencies: it runs before there are any.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

export const projectDir = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

/** Ends the process with a sentence if this Node is too old. */
export function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  process.stderr.write(`Node ${process.versions.node} is too old: install Node 20.19 or newer\n`);
  process.exit(2);
}

/** Runs `npm ci` unless node_modules is what package-lock.json says. Ends the process if that fails. */
export function installPackages() {
  if (isInstalled()) return;
  process.stderr.write('Installing the locked packages by `npm ci`: about 20 s\n');
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: projectDir,
    stdio: ['ignore', 2, 2],
  });
  if (status === 0) return;
  process.stderr.write('Cannot install the packages: see what npm says above\n');
  process.exit(1);
}

// npm keeps what it installed in a lock of its own. Packages for other platforms are left out there.
function isInstalled() {
  const wanted = readPackages('package-lock.json');
  const present = readPackages('node_modules/.package-lock.json');
  if (wanted === null || present === null) return false;
  return Object.entries(wanted).every(([name, entry]) => {
    if (name === '') return true;
    const installed = present[name];
    if (installed === undefined) return entry.optional === true;
    return installed.version === entry.version && installed.integrity === entry.integrity;
  });
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(path.join(projectDir, file), 'utf8')).packages;
  } catch {
    return null;
  }
}
