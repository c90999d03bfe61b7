import { postgresSkipReason, startPostgres } from '../support/postgres.ts';
import { dbSuite } from './db_suite.ts';

dbSuite('PostgreSQL', {
  skip: postgresSkipReason(),
  makeServer: () => startPostgres({ fsync: false }),
});
