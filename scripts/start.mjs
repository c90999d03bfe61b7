// `npm start`: sets up what is missing, then runs `nepho start` with the same arguments.
import process from 'node:process';
import { installPackages, requireNode } from './installed.mjs';

requireNode();
installPackages();
process.argv.splice(2, 0, 'start');
await import('../cli/nepho.mjs');
