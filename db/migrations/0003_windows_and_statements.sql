CREATE TABLE "archives" (
	"name" text PRIMARY KEY NOT NULL,
	"position" bigint NOT NULL,
	"samples" bigint NOT NULL,
	"bytes" bigint NOT NULL,
	"digest" "bytea" NOT NULL,
	"places" jsonb NOT NULL,
	"archived_at" timestamp with time zone NOT NULL,
	"dropped_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "audit_findings" (
	"finding_id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "audit_findings_finding_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"key" "bytea" NOT NULL,
	"check" text NOT NULL,
	"subject" text NOT NULL,
	"detail" text NOT NULL,
	"found_at" timestamp with time zone NOT NULL,
	"last_seen_at" timestamp with time zone NOT NULL,
	"explained_at" timestamp with time zone,
	"explained_by" text,
	"explanation" text,
	CONSTRAINT "audit_findings_key_unique" UNIQUE("key")
);
--> statement-breakpoint
CREATE TABLE "audit_runs" (
	"audit_run_id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "audit_runs_audit_run_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"seed" text,
	"started_at" timestamp with time zone NOT NULL,
	"ended_at" timestamp with time zone,
	"checked" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"findings" integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "workflow_histories" (
	"run_id" text PRIMARY KEY NOT NULL,
	"workflow_id" text NOT NULL,
	"workflow_type" text NOT NULL,
	"events" integer NOT NULL,
	"digest" "bytea" NOT NULL,
	"compressed" "bytea" NOT NULL,
	"position" bigint NOT NULL,
	"exported_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "billing_marks" (
	"log_id" smallint PRIMARY KEY NOT NULL,
	"scanned_to" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "billing_periods" (
	"project_id" text NOT NULL,
	"period" text NOT NULL,
	"start" timestamp with time zone NOT NULL,
	"end" timestamp with time zone NOT NULL,
	"zone" text NOT NULL,
	"group_by" text NOT NULL,
	"meters" text[] NOT NULL,
	"opened_at" timestamp with time zone NOT NULL,
	"wanted" text,
	CONSTRAINT "billing_periods_project_id_period_pk" PRIMARY KEY("project_id","period")
);
--> statement-breakpoint
CREATE TABLE "statement_lines" (
	"project_id" text NOT NULL,
	"period" text NOT NULL,
	"number" integer NOT NULL,
	"line" integer NOT NULL,
	"meter" text NOT NULL,
	"type" text NOT NULL,
	"unit" text NOT NULL,
	"resource_id" text,
	CONSTRAINT "statement_lines_project_id_period_number_line_pk" PRIMARY KEY("project_id","period","number","line")
);
--> statement-breakpoint
CREATE TABLE "statements" (
	"project_id" text NOT NULL,
	"period" text NOT NULL,
	"number" integer NOT NULL,
	"start" timestamp with time zone NOT NULL,
	"end" timestamp with time zone NOT NULL,
	"zone" text NOT NULL,
	"document" text NOT NULL,
	"digest" "bytea" NOT NULL,
	"signature" text NOT NULL,
	"position" bigint NOT NULL,
	"lines" integer NOT NULL,
	"closed_at" timestamp with time zone NOT NULL,
	"workflow_id" text NOT NULL,
	"run_id" text NOT NULL,
	CONSTRAINT "statements_project_id_period_number_pk" PRIMARY KEY("project_id","period","number")
);
--> statement-breakpoint
CREATE TABLE "webhook_attempts" (
	"delivery_id" text NOT NULL,
	"attempt" integer NOT NULL,
	"started_at" timestamp with time zone NOT NULL,
	"milliseconds" integer NOT NULL,
	"status_code" smallint,
	"failure" text,
	"detail" text,
	CONSTRAINT "webhook_attempts_delivery_id_attempt_pk" PRIMARY KEY("delivery_id","attempt")
);
--> statement-breakpoint
CREATE TABLE "webhook_deliveries" (
	"delivery_id" text PRIMARY KEY NOT NULL,
	"endpoint" text NOT NULL,
	"event" text NOT NULL,
	"project_id" text NOT NULL,
	"period" text NOT NULL,
	"number" integer NOT NULL,
	"status" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"ended_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "revisions" (
	"position" bigint PRIMARY KEY NOT NULL,
	"log_id" smallint NOT NULL,
	"changes" integer NOT NULL,
	"covers_from" bigint NOT NULL,
	"covers_to" bigint NOT NULL,
	"revised_at" timestamp with time zone NOT NULL,
	"workflow_id" text NOT NULL,
	"run_id" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "seals" (
	"log_id" smallint NOT NULL,
	"start" timestamp with time zone NOT NULL,
	"position" bigint NOT NULL,
	"rows" integer NOT NULL,
	"root" "bytea" NOT NULL,
	"covers_to" bigint NOT NULL,
	"coverage" text NOT NULL,
	"sealed_at" timestamp with time zone NOT NULL,
	"workflow_id" text NOT NULL,
	"run_id" text NOT NULL,
	CONSTRAINT "seals_log_id_start_pk" PRIMARY KEY("log_id","start")
);
--> statement-breakpoint
CREATE TABLE "usage_rule_sets" (
	"usage_rule_set_id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "usage_rule_sets_usage_rule_set_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"digest" "bytea" NOT NULL,
	"rules" text NOT NULL,
	"first_seen" timestamp with time zone NOT NULL,
	CONSTRAINT "usage_rule_sets_digest_unique" UNIQUE("digest")
);
--> statement-breakpoint
CREATE TABLE "window_keepers" (
	"log_id" smallint PRIMARY KEY NOT NULL,
	"sealed_from" timestamp with time zone NOT NULL,
	"sealed_until" timestamp with time zone NOT NULL,
	"scanned_to" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "window_rollups" (
	"series_id" integer NOT NULL,
	"span" smallint NOT NULL,
	"start" timestamp with time zone NOT NULL,
	"revision" integer NOT NULL,
	"position" bigint NOT NULL,
	"count" integer NOT NULL,
	"sum" numeric NOT NULL,
	"sum_squares" numeric NOT NULL,
	"min" numeric,
	"max" numeric,
	"first_at" timestamp with time zone,
	"first_volume" numeric,
	"last_at" timestamp with time zone,
	"last_volume" numeric,
	"increase" numeric NOT NULL,
	"resets" integer NOT NULL,
	"steps_back" integer NOT NULL,
	"integral" numeric NOT NULL,
	"covered" numeric NOT NULL,
	"expired" boolean NOT NULL,
	"ended" boolean NOT NULL,
	CONSTRAINT "window_rollups_series_id_span_start_revision_pk" PRIMARY KEY("series_id","span","start","revision")
);
--> statement-breakpoint
CREATE TABLE "windows" (
	"series_id" integer NOT NULL,
	"start" timestamp with time zone NOT NULL,
	"revision" integer NOT NULL,
	"position" bigint NOT NULL,
	"place" integer NOT NULL,
	"count" integer NOT NULL,
	"sum" numeric NOT NULL,
	"sum_squares" numeric NOT NULL,
	"min" numeric,
	"max" numeric,
	"first_at" timestamp with time zone,
	"first_volume" numeric,
	"last_at" timestamp with time zone,
	"last_volume" numeric,
	"increase" numeric NOT NULL,
	"resets" integer NOT NULL,
	"steps_back" integer NOT NULL,
	"integral" numeric NOT NULL,
	"covered" numeric NOT NULL,
	"expired" boolean NOT NULL,
	"ended" boolean NOT NULL,
	"carry_at" timestamp with time zone,
	"carry_volume" numeric,
	"carry_ended" boolean,
	CONSTRAINT "windows_series_id_start_revision_pk" PRIMARY KEY("series_id","start","revision")
);
--> statement-breakpoint
CREATE INDEX "audit_findings_open" ON "audit_findings" USING btree ("finding_id") WHERE explained_at IS NULL;--> statement-breakpoint
CREATE INDEX "workflow_histories_workflow" ON "workflow_histories" USING btree ("workflow_id");--> statement-breakpoint
CREATE INDEX "billing_periods_start" ON "billing_periods" USING btree ("project_id","start");--> statement-breakpoint
CREATE INDEX "billing_periods_end" ON "billing_periods" USING btree ("end");--> statement-breakpoint
CREATE INDEX "billing_periods_wanted" ON "billing_periods" USING btree ("project_id","period") WHERE wanted IS NOT NULL;--> statement-breakpoint
CREATE INDEX "statement_lines_resource" ON "statement_lines" USING btree ("resource_id","meter");--> statement-breakpoint
CREATE INDEX "statements_position" ON "statements" USING btree ("position");--> statement-breakpoint
CREATE INDEX "webhook_deliveries_statement" ON "webhook_deliveries" USING btree ("project_id","period","number");--> statement-breakpoint
CREATE INDEX "seals_position" ON "seals" USING btree ("position");--> statement-breakpoint
CREATE INDEX "window_rollups_start" ON "window_rollups" USING btree ("span","start","series_id");--> statement-breakpoint
CREATE INDEX "window_rollups_revised" ON "window_rollups" USING btree ("span","start","series_id") WHERE revision > 0;--> statement-breakpoint
CREATE INDEX "windows_start" ON "windows" USING btree ("start","series_id");--> statement-breakpoint
CREATE INDEX "windows_position" ON "windows" USING brin ("position");--> statement-breakpoint
CREATE INDEX "windows_revised" ON "windows" USING btree ("start","series_id") WHERE revision > 0;--> statement-breakpoint
CREATE INDEX "checkpoints_signed_at" ON "checkpoints" USING btree ("log_id","signed_at");--> statement-breakpoint
-- From here on by hand. A row that every round updates: room on the page keeps the updates off the indexes.
ALTER TABLE "window_keepers" SET (fillfactor = 20);--> statement-breakpoint
-- Compressed already.
ALTER TABLE "workflow_histories" ALTER COLUMN "compressed" SET STORAGE EXTERNAL;
