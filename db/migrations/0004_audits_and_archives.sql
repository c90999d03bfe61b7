DROP INDEX "audit_findings_open";--> statement-breakpoint
ALTER TABLE "archives" ADD COLUMN "position" bigint NOT NULL;--> statement-breakpoint
ALTER TABLE "audit_findings" ADD COLUMN "key" "bytea" NOT NULL;--> statement-breakpoint
ALTER TABLE "audit_runs" ADD COLUMN "seed" text;--> statement-breakpoint
CREATE INDEX "audit_findings_open" ON "audit_findings" USING btree ("finding_id") WHERE explained_at IS NULL;--> statement-breakpoint
ALTER TABLE "audit_findings" ADD CONSTRAINT "audit_findings_key_unique" UNIQUE("key");