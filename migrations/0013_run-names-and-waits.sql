ALTER TABLE `ended_runs` ADD `waited_for` text;--> statement-breakpoint
CREATE INDEX `ended_runs_name` ON `ended_runs` (`name`,`run`);--> statement-breakpoint
ALTER TABLE `runs` ADD `waited_for` text;