CREATE TABLE `elements` (
	`key` text PRIMARY KEY NOT NULL,
	`run_uid` text NOT NULL,
	`page` integer NOT NULL,
	`states` text NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE `ended_elements` (
	`key` text PRIMARY KEY NOT NULL,
	`run_uid` text NOT NULL,
	`page` integer NOT NULL,
	`states` text NOT NULL,
	`archived_ms` integer NOT NULL
) STRICT;
--> statement-breakpoint
CREATE INDEX `ended_elements_time` ON `ended_elements` (`archived_ms`);--> statement-breakpoint
CREATE INDEX `ended_elements_run` ON `ended_elements` (`run_uid`,`page`);--> statement-breakpoint
ALTER TABLE `ended_runs` ADD `array` text;--> statement-breakpoint
ALTER TABLE `ended_tasks` ADD `batch` text;--> statement-breakpoint
ALTER TABLE `runs` ADD `array` text;--> statement-breakpoint
ALTER TABLE `tasks` ADD `batch` text;