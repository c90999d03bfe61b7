import { defineConfig } from 'drizzle-kit';

/**
 * `npx drizzle-kit generate` writes the next file of db/migrations from the difference to the last
 * snapshot. What Drizzle cannot say (partitions, operator class parameters, storage parameters) is then
 * added to that SQL by hand: see docs/storage.md.
 */
export default defineConfig({
  dialect: 'postgresql',
  schema: './db/schema/*.ts',
  out: './db/migrations',
});
