import { index, pgTable, text } from 'drizzle-orm/pg-core';
import { bytea, instant } from './column_types.ts';

/** Who may call the API. The secret itself is never stored. */
export const apiKeys = pgTable('api_keys', {
  apiKeyId: text('api_key_id').primaryKey(),
  name: text('name').notNull(),
  /** `operator` or `project`. */
  role: text('role').notNull(),
  projectId: text('project_id'),
  /** SHA-256 of the secret. */
  digest: bytea('digest').notNull().unique(),
  createdAt: instant('created_at').notNull(),
  expiresAt: instant('expires_at'),
  revokedAt: instant('revoked_at'),
}, (table) => [index('api_keys_created_at').on(table.createdAt)]);
