import { integer, jsonb, pgTable } from 'drizzle-orm/pg-core';
import { bytea, instant } from './column_types.ts';

/** One file of a definition set as it stood when the set came into force. */
export interface DefinitionSetFile {
  name: string;
  /** 64 lower-case hexadecimal digits over the UTF-8 of `text`. */
  sha256: string;
  text: string;
}

/** Each set of meter definitions that was ever in force, whole: an auditor must be able to read it. */
export const definitionSets = pgTable('definition_sets', {
  definitionSetId: integer('definition_set_id').primaryKey().generatedAlwaysAsIdentity(),
  digest: bytea('digest').notNull().unique(),
  files: jsonb('files').$type<DefinitionSetFile[]>().notNull(),
  firstSeen: instant('first_seen').notNull(),
});
