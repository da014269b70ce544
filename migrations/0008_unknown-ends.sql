PRAGMA foreign_keys=OFF;--> statement-breakpoint
CREATE TABLE `__new_ended_tasks` (
	`uid` text PRIMARY KEY NOT NULL,
	`owner_uid` text NOT NULL,
	`app_uid` text,
	`project` text NOT NULL,
	`user` text NOT NULL,
	`app` text,
	`workload` text NOT NULL,
	`kind` text NOT NULL,
	`run` integer,
	`version` integer NOT NULL,
	`spec_hash` text NOT NULL,
	`slot` integer NOT NULL,
	`member` integer NOT NULL,
	`attempt` integer NOT NULL,
	`node_id` text NOT NULL,
	`boot_id` text NOT NULL,
	`desired` text NOT NULL,
	`stop` text,
	`grant_until` integer NOT NULL,
	`written_off` text,
	`promised` text NOT NULL,
	`unix_user` text,
	`exclusive` integer NOT NULL,
	`created_ms` integer NOT NULL,
	`assigned_revision` integer NOT NULL,
	`observed` text NOT NULL,
	`archived_ms` integer NOT NULL,
	CONSTRAINT "ended_tasks_state" CHECK("observed" ->> '$.state' in ('succeeded', 'failed', 'stopped', 'rejected', 'unknown', 'lost'))
) STRICT;
--> statement-breakpoint
INSERT INTO `__new_ended_tasks`("uid", "owner_uid", "app_uid", "project", "user", "app", "workload", "kind", "run", "version", "spec_hash", "slot", "member", "attempt", "node_id", "boot_id", "desired", "stop", "grant_until", "written_off", "promised", "unix_user", "exclusive", "created_ms", "assigned_revision", "observed", "archived_ms") SELECT "uid", "owner_uid", "app_uid", "project", "user", "app", "workload", "kind", "run", "version", "spec_hash", "slot", "member", "attempt", "node_id", "boot_id", "desired", "stop", "grant_until", "written_off", "promised", "unix_user", "exclusive", "created_ms", "assigned_revision", "observed", "archived_ms" FROM `ended_tasks`;--> statement-breakpoint
DROP TABLE `ended_tasks`;--> statement-breakpoint
ALTER TABLE `__new_ended_tasks` RENAME TO `ended_tasks`;--> statement-breakpoint
PRAGMA foreign_keys=ON;--> statement-breakpoint
CREATE INDEX `ended_tasks_time` ON `ended_tasks` (`archived_ms`,`uid`);--> statement-breakpoint
CREATE INDEX `ended_tasks_owner` ON `ended_tasks` (`owner_uid`,`archived_ms`,`uid`);--> statement-breakpoint
CREATE INDEX `ended_tasks_app` ON `ended_tasks` (`app_uid`,`archived_ms`,`uid`);--> statement-breakpoint
CREATE INDEX `ended_tasks_run` ON `ended_tasks` (`run`,`archived_ms`,`uid`);--> statement-breakpoint
CREATE TABLE `__new_tasks` (
	`uid` text PRIMARY KEY NOT NULL,
	`owner_uid` text NOT NULL,
	`app_uid` text,
	`project` text NOT NULL,
	`user` text NOT NULL,
	`app` text,
	`workload` text NOT NULL,
	`kind` text NOT NULL,
	`run` integer,
	`version` integer NOT NULL,
	`spec_hash` text NOT NULL,
	`slot` integer NOT NULL,
	`member` integer NOT NULL,
	`attempt` integer NOT NULL,
	`node_id` text NOT NULL,
	`boot_id` text NOT NULL,
	`desired` text NOT NULL,
	`stop` text,
	`grant_until` integer NOT NULL,
	`written_off` text,
	`promised` text NOT NULL,
	`unix_user` text,
	`exclusive` integer NOT NULL,
	`created_ms` integer NOT NULL,
	`assigned_revision` integer NOT NULL,
	`observed` text NOT NULL,
	CONSTRAINT "tasks_state" CHECK("observed" ->> '$.state' in ('assigned', 'preparing', 'starting', 'running', 'stopping', 'succeeded', 'failed', 'stopped', 'rejected', 'unknown', 'lost')),
	CONSTRAINT "tasks_desired" CHECK("desired" in ('prepare', 'run', 'stop')),
	CONSTRAINT "tasks_kind" CHECK("kind" in ('service', 'job', 'daemon'))
) STRICT;
--> statement-breakpoint
INSERT INTO `__new_tasks`("uid", "owner_uid", "app_uid", "project", "user", "app", "workload", "kind", "run", "version", "spec_hash", "slot", "member", "attempt", "node_id", "boot_id", "desired", "stop", "grant_until", "written_off", "promised", "unix_user", "exclusive", "created_ms", "assigned_revision", "observed") SELECT "uid", "owner_uid", "app_uid", "project", "user", "app", "workload", "kind", "run", "version", "spec_hash", "slot", "member", "attempt", "node_id", "boot_id", "desired", "stop", "grant_until", "written_off", "promised", "unix_user", "exclusive", "created_ms", "assigned_revision", "observed" FROM `tasks`;--> statement-breakpoint
DROP TABLE `tasks`;--> statement-breakpoint
ALTER TABLE `__new_tasks` RENAME TO `tasks`;