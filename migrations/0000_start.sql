CREATE TABLE `apps` (
	`uid` text PRIMARY KEY NOT NULL,
	`project` text NOT NULL,
	`name` text NOT NULL,
	`text` text NOT NULL,
	`revision` integer NOT NULL,
	`changed_by` text NOT NULL,
	`changed_ms` integer NOT NULL,
	`removing` integer NOT NULL
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `apps_name` ON `apps` (`project`,`name`);--> statement-breakpoint
CREATE TABLE `cluster` (
	`key` text PRIMARY KEY NOT NULL,
	`cluster_id` text NOT NULL,
	`timeline` text NOT NULL,
	`epoch` integer NOT NULL,
	`revision` integer NOT NULL,
	`next_run` integer NOT NULL,
	`next_ordinal` integer NOT NULL,
	`at_ms` integer NOT NULL,
	`recovering` text,
	CONSTRAINT "cluster_one" CHECK("key" in ('cluster'))
) STRICT;
--> statement-breakpoint
CREATE TABLE `ended_runs` (
	`uid` text PRIMARY KEY NOT NULL,
	`run` integer NOT NULL,
	`name` text NOT NULL,
	`project` text NOT NULL,
	`user` text NOT NULL,
	`app_uid` text,
	`app` text,
	`workload_uid` text,
	`version` integer NOT NULL,
	`spec_hash` text NOT NULL,
	`settings` text NOT NULL,
	`state` text NOT NULL,
	`reason` text,
	`after` text NOT NULL,
	`cancel` text,
	`created_ms` integer NOT NULL,
	`started_ms` integer,
	`finished_ms` integer,
	`exit_code` integer,
	`signal` text,
	`archived_ms` integer NOT NULL,
	CONSTRAINT "ended_runs_state" CHECK("state" in ('succeeded', 'failed', 'cancelled'))
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `ended_runs_run` ON `ended_runs` (`run`);--> statement-breakpoint
CREATE INDEX `ended_runs_time` ON `ended_runs` (`archived_ms`,`uid`);--> statement-breakpoint
CREATE INDEX `ended_runs_project` ON `ended_runs` (`project`,`run`);--> statement-breakpoint
CREATE INDEX `ended_runs_user` ON `ended_runs` (`user`,`run`);--> statement-breakpoint
CREATE TABLE `ended_tasks` (
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
	CONSTRAINT "ended_tasks_state" CHECK("observed" ->> '$.state' in ('succeeded', 'failed', 'stopped', 'rejected', 'lost'))
) STRICT;
--> statement-breakpoint
CREATE INDEX `ended_tasks_time` ON `ended_tasks` (`archived_ms`,`uid`);--> statement-breakpoint
CREATE INDEX `ended_tasks_owner` ON `ended_tasks` (`owner_uid`,`archived_ms`,`uid`);--> statement-breakpoint
CREATE INDEX `ended_tasks_app` ON `ended_tasks` (`app_uid`,`archived_ms`,`uid`);--> statement-breakpoint
CREATE INDEX `ended_tasks_run` ON `ended_tasks` (`run`,`archived_ms`,`uid`);--> statement-breakpoint
CREATE TABLE `events` (
	`id` text PRIMARY KEY NOT NULL,
	`at_ms` integer NOT NULL,
	`actor` text NOT NULL,
	`verb` text NOT NULL,
	`object` text NOT NULL,
	`project` text,
	`detail` text NOT NULL
) STRICT;
--> statement-breakpoint
CREATE INDEX `events_object` ON `events` (`object`,`id`);--> statement-breakpoint
CREATE TABLE `graves` (
	`uid` text PRIMARY KEY NOT NULL,
	`at_ms` integer NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE `home` (
	`key` text PRIMARY KEY NOT NULL,
	`host` text,
	CONSTRAINT "home_one" CHECK("key" in ('home'))
) STRICT;
--> statement-breakpoint
CREATE TABLE `idempotency` (
	`principal` text NOT NULL,
	`key` text NOT NULL,
	`request_hash` text NOT NULL,
	`response` text,
	`revision` integer NOT NULL,
	`at_ms` integer NOT NULL,
	`timeline` text NOT NULL,
	PRIMARY KEY(`principal`, `key`)
) STRICT;
--> statement-breakpoint
CREATE INDEX `idempotency_time` ON `idempotency` (`at_ms`);--> statement-breakpoint
CREATE TABLE `nodes` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`ordinal` integer NOT NULL,
	`public_key` text NOT NULL,
	`fingerprint` text NOT NULL,
	`pool` text NOT NULL,
	`labels` text NOT NULL,
	`taints` text NOT NULL,
	`admission` text NOT NULL,
	`intent` text NOT NULL,
	`contact` text NOT NULL,
	`contact_ms` integer NOT NULL,
	`drain` text,
	`reason` text,
	`boot_id` text NOT NULL,
	`agent_version` text NOT NULL,
	`facts` text NOT NULL,
	`capacity` text NOT NULL,
	`devices` text NOT NULL,
	`orphans` text NOT NULL,
	`joined_ms` integer NOT NULL,
	CONSTRAINT "nodes_admission" CHECK("admission" in ('joining', 'testing', 'ready', 'quarantined')),
	CONSTRAINT "nodes_intent" CHECK("intent" in ('schedulable', 'draining')),
	CONSTRAINT "nodes_contact" CHECK("contact" in ('connected', 'unreachable', 'lost'))
) STRICT;
--> statement-breakpoint
CREATE TABLE `ports` (
	`key` text PRIMARY KEY NOT NULL,
	`until_ms` integer NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE `runs` (
	`uid` text PRIMARY KEY NOT NULL,
	`run` integer NOT NULL,
	`name` text NOT NULL,
	`project` text NOT NULL,
	`user` text NOT NULL,
	`app_uid` text,
	`app` text,
	`workload_uid` text,
	`version` integer NOT NULL,
	`spec_hash` text NOT NULL,
	`settings` text NOT NULL,
	`state` text NOT NULL,
	`reason` text,
	`after` text NOT NULL,
	`cancel` text,
	`created_ms` integer NOT NULL,
	`started_ms` integer,
	`finished_ms` integer,
	`exit_code` integer,
	`signal` text,
	CONSTRAINT "runs_state" CHECK("state" in ('waiting', 'queued', 'running', 'succeeded', 'failed', 'cancelled'))
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `runs_run` ON `runs` (`run`);--> statement-breakpoint
CREATE TABLE `slots` (
	`key` text PRIMARY KEY NOT NULL,
	`owner_uid` text NOT NULL,
	`slot` integer NOT NULL,
	`attempts` integer NOT NULL,
	`streak` integer NOT NULL,
	`failed` integer NOT NULL,
	`rejected` integer NOT NULL,
	`lost` integer NOT NULL,
	`not_before_ms` integer NOT NULL,
	`avoid` text NOT NULL,
	`ends` text NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE `specs` (
	`hash` text PRIMARY KEY NOT NULL,
	`spec` text NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE `tasks` (
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
	CONSTRAINT "tasks_state" CHECK("observed" ->> '$.state' in ('assigned', 'preparing', 'starting', 'running', 'stopping', 'succeeded', 'failed', 'stopped', 'rejected', 'lost')),
	CONSTRAINT "tasks_desired" CHECK("desired" in ('prepare', 'run', 'stop')),
	CONSTRAINT "tasks_kind" CHECK("kind" in ('service', 'job', 'daemon'))
) STRICT;
--> statement-breakpoint
CREATE TABLE `tokens` (
	`id` text PRIMARY KEY NOT NULL,
	`user` text,
	`role` text NOT NULL,
	`hash` text NOT NULL,
	`created_ms` integer NOT NULL,
	`expires_ms` integer,
	`revoked_ms` integer,
	CONSTRAINT "tokens_role" CHECK("role" in ('admin', 'operator', 'user', 'viewer', 'agent'))
) STRICT;
--> statement-breakpoint
CREATE TABLE `users` (
	`name` text PRIMARY KEY NOT NULL,
	`role` text NOT NULL,
	`unix_user` text NOT NULL,
	`project` text NOT NULL,
	`created_ms` integer NOT NULL,
	CONSTRAINT "users_role" CHECK("role" in ('admin', 'operator', 'user', 'viewer', 'agent'))
) STRICT;
--> statement-breakpoint
CREATE TABLE `versions` (
	`key` text PRIMARY KEY NOT NULL,
	`workload_uid` text NOT NULL,
	`version` integer NOT NULL,
	`spec_hash` text NOT NULL,
	`settings` text NOT NULL,
	`by` text NOT NULL,
	`at_ms` integer NOT NULL
) STRICT;
--> statement-breakpoint
CREATE INDEX `versions_workload` ON `versions` (`workload_uid`,`version`);--> statement-breakpoint
CREATE TABLE `workloads` (
	`uid` text PRIMARY KEY NOT NULL,
	`app_uid` text NOT NULL,
	`project` text NOT NULL,
	`app` text NOT NULL,
	`name` text NOT NULL,
	`kind` text NOT NULL,
	`version` integer NOT NULL,
	`spec_hash` text NOT NULL,
	`settings` text NOT NULL,
	`user` text NOT NULL,
	`last_run` text,
	`removing` integer NOT NULL,
	CONSTRAINT "workloads_kind" CHECK("kind" in ('service', 'job', 'daemon'))
) STRICT;
