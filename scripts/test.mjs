// `npm test`: sets up what is missing, then runs scripts/test.ts.
import process from 'node:process';
import { installPackages, requireNode } from './installed.mjs';

requireNode();
installPackages();
(await import('tsx/esm/api')).register();
const { main } = await import('./test.ts');
process.exitCode = await main(process.argv.slice(2));
