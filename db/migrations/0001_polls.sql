CREATE TABLE "poll_coverage" (
	"cycle_id" bigint NOT NULL,
	"meter" text NOT NULL,
	"received" integer NOT NULL,
	CONSTRAINT "poll_coverage_cycle_id_meter_pk" PRIMARY KEY("cycle_id","meter")
);
--> statement-breakpoint
CREATE TABLE "poll_cycles" (
	"cycle_id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "poll_cycles_cycle_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"cloud" text NOT NULL,
	"source" text NOT NULL,
	"group_no" smallint NOT NULL,
	"cycle" timestamp with time zone NOT NULL,
	"log_id" smallint NOT NULL,
	"started_at" timestamp with time zone,
	"ended_at" timestamp with time zone,
	"requests" integer DEFAULT 0 NOT NULL,
	"pollsters" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"remark_counts" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"remarks" jsonb DEFAULT '[]'::jsonb NOT NULL,
	CONSTRAINT "poll_cycles_identity" UNIQUE("cloud","source","cycle","group_no")
);
--> statement-breakpoint
CREATE TABLE "poll_gaps" (
	"gap_key" uuid PRIMARY KEY NOT NULL,
	"cycle_id" bigint NOT NULL,
	"pollster" text NOT NULL,
	"unit" text,
	"units" integer NOT NULL,
	"meters" text[] NOT NULL,
	"cumulative" boolean NOT NULL,
	"reason" text NOT NULL,
	"detail" text NOT NULL,
	"recorded_at" timestamp with time zone NOT NULL,
	"repaired_at" timestamp with time zone,
	"carried_by" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "poll_sources" (
	"cloud" text NOT NULL,
	"name" text NOT NULL,
	"spec" jsonb NOT NULL,
	"digest" text NOT NULL,
	"interval_seconds" integer NOT NULL,
	"groups" smallint NOT NULL,
	"applied_at" timestamp with time zone NOT NULL,
	"schedule_counts" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"checked_until" timestamp with time zone NOT NULL,
	"removed_at" timestamp with time zone,
	CONSTRAINT "poll_sources_cloud_name_pk" PRIMARY KEY("cloud","name")
);
--> statement-breakpoint
CREATE TABLE "poll_units" (
	"cycle_id" bigint NOT NULL,
	"pollster" text NOT NULL,
	"units" integer NOT NULL,
	CONSTRAINT "poll_units_cycle_id_pollster_pk" PRIMARY KEY("cycle_id","pollster")
);
--> statement-breakpoint
CREATE INDEX "poll_cycles_time" ON "poll_cycles" USING btree ("cycle");--> statement-breakpoint
CREATE INDEX "poll_gaps_cycle" ON "poll_gaps" USING btree ("cycle_id");--> statement-breakpoint
CREATE INDEX "poll_gaps_open" ON "poll_gaps" USING btree ("pollster","unit") WHERE repaired_at IS NULL AND carried_by IS NULL AND cumulative;