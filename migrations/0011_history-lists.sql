DROP INDEX `ended_runs_time`;--> statement-breakpoint
DROP INDEX `ended_runs_project`;--> statement-breakpoint
DROP INDEX `ended_runs_user`;--> statement-breakpoint
CREATE INDEX `ended_runs_time` ON `ended_runs` (`archived_ms`,`run`,`project`,`user`);--> statement-breakpoint
CREATE INDEX `ended_runs_project` ON `ended_runs` (`project`,`run`,`archived_ms`);--> statement-breakpoint
CREATE INDEX `ended_runs_user` ON `ended_runs` (`user`,`run`,`project`,`archived_ms`);--> statement-breakpoint
DROP INDEX `events_object`;--> statement-breakpoint
DROP INDEX `events_node`;--> statement-breakpoint
CREATE INDEX `events_object` ON `events` (`object`,`id`,`project`);--> statement-breakpoint
CREATE INDEX `events_node` ON `events` (`node_id`,`id`,`project`);