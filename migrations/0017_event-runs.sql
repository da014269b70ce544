ALTER TABLE `events` ADD `run` integer;--> statement-breakpoint
CREATE INDEX `events_run` ON `events` (`run`,`id`,`project`);