import { startPGlite } from '../support/pglite.ts';
import { dbSuite } from './db_suite.ts';

dbSuite('PGlite', { skip: false, makeServer: startPGlite });
