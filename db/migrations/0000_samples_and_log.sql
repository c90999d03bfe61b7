CREATE TABLE "definition_sets" (
	"definition_set_id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "definition_sets_definition_set_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"digest" "bytea" NOT NULL,
	"files" jsonb NOT NULL,
	"first_seen" timestamp with time zone NOT NULL,
	CONSTRAINT "definition_sets_digest_unique" UNIQUE("digest")
);
--> statement-breakpoint
CREATE TABLE "event_counts" (
	"log_id" smallint NOT NULL,
	"event_type_id" integer NOT NULL,
	"matched" bigint DEFAULT 0 NOT NULL,
	"unmatched" bigint DEFAULT 0 NOT NULL,
	"without_volume" bigint DEFAULT 0 NOT NULL,
	"samples" bigint DEFAULT 0 NOT NULL,
	"last_seen" timestamp with time zone NOT NULL,
	CONSTRAINT "event_counts_log_id_event_type_id_pk" PRIMARY KEY("log_id","event_type_id")
);
--> statement-breakpoint
CREATE TABLE "event_types" (
	"event_type_id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "event_types_event_type_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"name" text NOT NULL,
	CONSTRAINT "event_types_name_unique" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "api_keys" (
	"api_key_id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"role" text NOT NULL,
	"project_id" text,
	"digest" "bytea" NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone,
	"revoked_at" timestamp with time zone,
	CONSTRAINT "api_keys_digest_unique" UNIQUE("digest")
);
--> statement-breakpoint
CREATE TABLE "batches" (
	"position" bigint PRIMARY KEY NOT NULL,
	"samples" integer NOT NULL,
	"recorded_at" timestamp with time zone NOT NULL,
	"definition_set_id" integer NOT NULL,
	"epoch" bigint NOT NULL,
	"min_ts" timestamp with time zone NOT NULL,
	"max_ts" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "checkpoints" (
	"log_id" smallint NOT NULL,
	"size" bigint NOT NULL,
	"root" "bytea" NOT NULL,
	"note" text NOT NULL,
	"signed_at" timestamp with time zone NOT NULL,
	CONSTRAINT "checkpoints_log_id_size_pk" PRIMARY KEY("log_id","size")
);
--> statement-breakpoint
CREATE TABLE "logs" (
	"log_id" smallint PRIMARY KEY NOT NULL,
	"origin" text NOT NULL,
	"size" bigint DEFAULT 0 NOT NULL,
	"root" "bytea" NOT NULL,
	"frontier" "bytea" DEFAULT ''::bytea NOT NULL,
	"epoch" bigint DEFAULT 0 NOT NULL,
	"holder" text,
	"origins_count" bigint DEFAULT 0 NOT NULL,
	"updated_at" timestamp with time zone,
	CONSTRAINT "logs_origin_unique" UNIQUE("origin")
);
--> statement-breakpoint
CREATE TABLE "records" (
	"position" bigint PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"entry" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "tiles" (
	"log_id" smallint NOT NULL,
	"level" smallint NOT NULL,
	"tile" bigint NOT NULL,
	"hashes" "bytea" NOT NULL,
	CONSTRAINT "tiles_log_id_level_tile_pk" PRIMARY KEY("log_id","level","tile")
);
--> statement-breakpoint
CREATE TABLE "origins" (
	"origin_id" bigint PRIMARY KEY NOT NULL,
	"key" uuid NOT NULL,
	"source" text NOT NULL,
	"origin" text NOT NULL,
	"event_type_id" integer,
	"content" bigint NOT NULL,
	"outcome" smallint NOT NULL,
	"samples" integer NOT NULL,
	"first_position" bigint,
	"redelivered" integer DEFAULT 0 NOT NULL,
	"received_at" timestamp with time zone NOT NULL,
	CONSTRAINT "origins_key_unique" UNIQUE("key")
);
--> statement-breakpoint
CREATE TABLE "quarantine" (
	"quarantine_id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "quarantine_quarantine_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"digest" "bytea" NOT NULL,
	"log_id" smallint NOT NULL,
	"reason" text NOT NULL,
	"place" text,
	"detail" text,
	"event_type" text,
	"origin" text,
	"bytes" "bytea" NOT NULL,
	"via" text,
	"stream_sequence" bigint,
	"received_at" timestamp with time zone NOT NULL,
	"attempts" integer DEFAULT 1 NOT NULL,
	"status" text DEFAULT 'open' NOT NULL,
	"decided_at" timestamp with time zone,
	"decided_by" text,
	"note" text,
	CONSTRAINT "quarantine_digest_unique" UNIQUE("digest")
);
--> statement-breakpoint
CREATE TABLE "samples" (
	"position" bigint NOT NULL,
	"ts" timestamp with time zone NOT NULL,
	"origin_id" bigint NOT NULL,
	"id" uuid NOT NULL,
	"series_id" integer NOT NULL,
	"metadata_id" integer NOT NULL,
	"ordinal" smallint,
	"volume" numeric NOT NULL
) PARTITION BY RANGE ("ts");
--> statement-breakpoint
CREATE TABLE "metadata" (
	"metadata_id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "metadata_metadata_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"digest" "bytea" NOT NULL,
	"body" text NOT NULL,
	CONSTRAINT "metadata_digest_unique" UNIQUE("digest")
);
--> statement-breakpoint
CREATE TABLE "series" (
	"series_id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "series_series_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"key" uuid NOT NULL,
	"log_id" smallint NOT NULL,
	"meter" text NOT NULL,
	"type" text NOT NULL,
	"unit" text NOT NULL,
	"project_id" text,
	"user_id" text,
	"resource_id" text NOT NULL,
	"source" text NOT NULL,
	CONSTRAINT "series_key_unique" UNIQUE("key")
);
--> statement-breakpoint
CREATE INDEX "api_keys_created_at" ON "api_keys" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "batches_recorded_at" ON "batches" USING btree ("recorded_at");--> statement-breakpoint
CREATE INDEX "batches_min_ts" ON "batches" USING btree ("min_ts");--> statement-breakpoint
CREATE INDEX "batches_max_ts" ON "batches" USING btree ("max_ts");--> statement-breakpoint
CREATE INDEX "origins_received_at" ON "origins" USING brin ("received_at");--> statement-breakpoint
CREATE INDEX "quarantine_status" ON "quarantine" USING btree ("status","quarantine_id");--> statement-breakpoint
CREATE INDEX "quarantine_origin" ON "quarantine" USING hash ("origin");--> statement-breakpoint
CREATE INDEX "samples_series" ON "samples" USING btree ("series_id");--> statement-breakpoint
CREATE INDEX "samples_ts" ON "samples" USING brin ("ts" timestamptz_minmax_multi_ops) WITH (pages_per_range = 32, autosummarize = on);--> statement-breakpoint
CREATE INDEX "samples_position" ON "samples" USING brin ("position" int8_minmax_multi_ops) WITH (pages_per_range = 32, autosummarize = on);--> statement-breakpoint
CREATE INDEX "samples_id" ON "samples" USING brin ("id" uuid_bloom_ops(n_distinct_per_range = 3200, false_positive_rate = 0.01)) WITH (pages_per_range = 32, autosummarize = on);--> statement-breakpoint
CREATE INDEX "series_resource" ON "series" USING btree ("resource_id");--> statement-breakpoint
CREATE INDEX "series_project_meter" ON "series" USING btree ("project_id","meter");--> statement-breakpoint
CREATE INDEX "series_meter" ON "series" USING btree ("meter");--> statement-breakpoint
-- From here on by hand, as are PARTITION BY and the BRIN parameters above.
-- The planner thinks a BRIN bitmap over random ids useless and reads the whole table; the Bloom filters
-- are exact to 1 %. A function is the one place where a setting can go with a single query.
CREATE FUNCTION "sample_of_id"(wanted uuid) RETURNS SETOF "samples"
  LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
  SET enable_seqscan = off SET max_parallel_workers_per_gather = 0
  AS 'SELECT * FROM samples WHERE id = wanted';--> statement-breakpoint
-- Hashes do not compress; a full tile is 8,192 bytes and lives beside its row.
ALTER TABLE "tiles" ALTER COLUMN "hashes" SET STORAGE EXTERNAL;--> statement-breakpoint
-- Rows that every batch updates: room on the page keeps the updates off the indexes.
ALTER TABLE "logs" SET (fillfactor = 20);--> statement-breakpoint
ALTER TABLE "event_counts" SET (fillfactor = 50);--> statement-breakpoint
ALTER TABLE "tiles" SET (fillfactor = 70);
