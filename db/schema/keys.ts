import { bigint, index, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import { bytea, instant } from './column_types.ts';

/** Public halves of the keys that sign checkpoints, with the entry of the log that announced each. */
export const signingKeys = pgTable('keys', {
  keyHash: text('key_hash').notNull(),
  name: text('name').notNull(),
  algorithm: text('algorithm').notNull(),
  publicKey: bytea('public_key').notNull(),
  /** As C2SP signed-note writes a verifier key. */
  vkey: text('vkey').notNull(),
  notBefore: instant('not_before').notNull(),
  notAfter: instant('not_after'),
  position: bigint('position', { mode: 'bigint' }),
}, (table) => [primaryKey({ columns: [table.name, table.keyHash] })]);

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
