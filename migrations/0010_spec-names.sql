CREATE INDEX `ended_runs_spec` ON `ended_runs` (`spec_hash`);--> statement-breakpoint
CREATE INDEX `ended_tasks_spec` ON `ended_tasks` (`spec_hash`);--> statement-breakpoint
CREATE INDEX `versions_spec` ON `versions` (`spec_hash`);