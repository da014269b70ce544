DROP INDEX `versions_workload`;--> statement-breakpoint
ALTER TABLE `versions` ADD `revision` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX `versions_workload` ON `versions` (`workload_uid`,`version`,`revision`);