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
CREATE INDEX "billing_periods_start" ON "billing_periods" USING btree ("project_id","start");--> statement-breakpoint
CREATE INDEX "billing_periods_end" ON "billing_periods" USING btree ("end");--> statement-breakpoint
CREATE INDEX "billing_periods_wanted" ON "billing_periods" USING btree ("project_id","period") WHERE wanted IS NOT NULL;