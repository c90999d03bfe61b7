ALTER TABLE "poll_gaps" ADD COLUMN "of_units" integer;--> statement-breakpoint
ALTER TABLE "poll_gaps" ADD COLUMN "partial" boolean DEFAULT false NOT NULL;