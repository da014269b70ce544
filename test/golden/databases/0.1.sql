CREATE TABLE __drizzle_migrations
      (id integer primary key, hash text not null, created_at integer) strict;
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
CREATE TABLE `events` (
	`id` text PRIMARY KEY NOT NULL,
	`at_ms` integer NOT NULL,
	`actor` text NOT NULL,
	`verb` text NOT NULL,
	`object` text NOT NULL,
	`project` text,
	`detail` text NOT NULL
) STRICT;
CREATE TABLE `graves` (
	`uid` text PRIMARY KEY NOT NULL,
	`at_ms` integer NOT NULL
) STRICT;
CREATE TABLE `home` (
	`key` text PRIMARY KEY NOT NULL,
	`host` text,
	CONSTRAINT "home_one" CHECK("key" in ('home'))
) STRICT;
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
CREATE TABLE `ports` (
	`key` text PRIMARY KEY NOT NULL,
	`until_ms` integer NOT NULL
) STRICT;
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
CREATE TABLE `specs` (
	`hash` text PRIMARY KEY NOT NULL,
	`spec` text NOT NULL
) STRICT;
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
CREATE TABLE `users` (
	`name` text PRIMARY KEY NOT NULL,
	`role` text NOT NULL,
	`unix_user` text NOT NULL,
	`project` text NOT NULL,
	`created_ms` integer NOT NULL,
	CONSTRAINT "users_role" CHECK("role" in ('admin', 'operator', 'user', 'viewer', 'agent'))
) STRICT;
CREATE TABLE `versions` (
	`key` text PRIMARY KEY NOT NULL,
	`workload_uid` text NOT NULL,
	`version` integer NOT NULL,
	`spec_hash` text NOT NULL,
	`settings` text NOT NULL,
	`by` text NOT NULL,
	`at_ms` integer NOT NULL
) STRICT;
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
CREATE UNIQUE INDEX `apps_name` ON `apps` (`project`,`name`);
CREATE INDEX `ended_runs_project` ON `ended_runs` (`project`,`run`);
CREATE UNIQUE INDEX `ended_runs_run` ON `ended_runs` (`run`);
CREATE INDEX `ended_runs_time` ON `ended_runs` (`archived_ms`,`uid`);
CREATE INDEX `ended_runs_user` ON `ended_runs` (`user`,`run`);
CREATE INDEX `ended_tasks_app` ON `ended_tasks` (`app_uid`,`archived_ms`,`uid`);
CREATE INDEX `ended_tasks_owner` ON `ended_tasks` (`owner_uid`,`archived_ms`,`uid`);
CREATE INDEX `ended_tasks_run` ON `ended_tasks` (`run`,`archived_ms`,`uid`);
CREATE INDEX `ended_tasks_time` ON `ended_tasks` (`archived_ms`,`uid`);
CREATE INDEX `events_object` ON `events` (`object`,`id`);
CREATE INDEX `idempotency_time` ON `idempotency` (`at_ms`);
CREATE UNIQUE INDEX `runs_run` ON `runs` (`run`);
CREATE INDEX `versions_workload` ON `versions` (`workload_uid`,`version`);
insert into "__drizzle_migrations" ("id", "hash", "created_at") values (1, 'd79968447b0d2325ee0316da0077041ad1eaed6f246124bb180367b725121303', 1795474837808);
insert into "apps" ("uid", "project", "name", "text", "revision", "changed_by", "changed_ms", "removing") values ('a6a307673ddb9c1b07cd724e364ae073', 'lab', 'web', 'app: web
', 1, 'alice', 1799999940000, 0);
insert into "cluster" ("key", "cluster_id", "timeline", "epoch", "revision", "next_run", "next_ordinal", "at_ms", "recovering") values ('cluster', '01010101010101010101010101010101', '02020202020202020202020202020202', 1, 2, 3, 1, 1800000000000, NULL);
insert into "ended_runs" ("uid", "run", "name", "project", "user", "app_uid", "app", "workload_uid", "version", "spec_hash", "settings", "state", "reason", "after", "cancel", "created_ms", "started_ms", "finished_ms", "exit_code", "signal", "archived_ms") values ('2ba6c1cb656933feae700604ca0ee31f', 2, 'job-2', 'lab', 'alice', NULL, NULL, NULL, 1, 'af2c1fe531321613caae394d8277e624806dc7d237ee29a5eda94e6cd6a3850d', '{"replicas":1,"priority":0,"labels":{},"on_node_loss":"wait","retries":0,"time_limit_ms":null,"after":[],"stop":{"signal":"TERM","grace_ms":10000},"restart":{"backoff_min_ms":1000,"backoff_max_ms":60000,"attempts":null,"offline":false}}', 'failed', NULL, '[]', NULL, 1799999999000, NULL, 2, NULL, NULL, 1800000000000);
insert into "ended_tasks" ("uid", "owner_uid", "app_uid", "project", "user", "app", "workload", "kind", "run", "version", "spec_hash", "slot", "member", "attempt", "node_id", "boot_id", "desired", "stop", "grant_until", "written_off", "promised", "unix_user", "exclusive", "created_ms", "assigned_revision", "observed", "archived_ms") values ('ae7497ff5c34a130c8c55079429b36eb', '73de73a4af1202a5d453379a6d3721f2', NULL, 'lab', 'alice', NULL, 'job-1', 'job', 1, 1, 'af2c1fe531321613caae394d8277e624806dc7d237ee29a5eda94e6cd6a3850d', 0, 0, 1, 'n1', 'boot-1', 'run', NULL, 1, NULL, '{"cpu_milli":100,"memory_bytes":268435456,"disk_bytes":0,"countables":{},"memory_limited":false,"devices":[],"ports":[]}', 'alice', 0, 1799999939000, 5, '{"state":"failed","started_ms":1,"finished_ms":2,"exit_code":1,"signal":null,"reason":"line\nbreak","peak_memory_bytes":3,"tail":null}', 1800000000000);
insert into "events" ("id", "at_ms", "actor", "verb", "object", "project", "detail") values ('0mywpiww000000020000', 1800000000000, 'alice', 'apply', 'web', 'lab', 'it''s new');
insert into "graves" ("uid", "at_ms") values ('00000000000000000000000000000000', 1800000000000);
insert into "home" ("key", "host") values ('home', NULL);
insert into "idempotency" ("principal", "key", "request_hash", "response", "revision", "at_ms", "timeline") values ('alice', 'key-1', 'hash', NULL, 2, 1800000000000, '02020202020202020202020202020202');
insert into "nodes" ("id", "name", "ordinal", "public_key", "fingerprint", "pool", "labels", "taints", "admission", "intent", "contact", "contact_ms", "drain", "reason", "boot_id", "agent_version", "facts", "capacity", "devices", "orphans", "joined_ms") values ('n1', 'n1', 113, '31536b88b9b6062e2a63305d806e7612', 'machine-n1', 'default', '{}', '[]', 'ready', 'schedulable', 'connected', 1799996400000, NULL, NULL, 'boot-1', '0.1.0', '{"os":"linux","arch":"x64","hostname":"n1","kernel":"6.1","cpu_model":"cpu","address":"10.0.0.1","cgroups":"v2","cgroups_detail":null,"accounts":"existing","unix_user":"root"}', '{"cpu_milli":8000,"memory_bytes":34359738368,"disk_bytes":107374182400,"countables":{}}', '[{"id":"gpu-1","vendor":"nvidia","model":"NVIDIA GeForce RTX 4090","memory_bytes":25769803776,"state":"ok","reason":null,"parent":null,"links":[]}]', '[]', 1799992800000);
insert into "ports" ("key", "until_ms") values ('n1/80', 9);
insert into "runs" ("uid", "run", "name", "project", "user", "app_uid", "app", "workload_uid", "version", "spec_hash", "settings", "state", "reason", "after", "cancel", "created_ms", "started_ms", "finished_ms", "exit_code", "signal") values ('73de73a4af1202a5d453379a6d3721f2', 1, 'job-1', 'lab', 'alice', NULL, NULL, NULL, 1, 'af2c1fe531321613caae394d8277e624806dc7d237ee29a5eda94e6cd6a3850d', '{"replicas":1,"priority":0,"labels":{},"on_node_loss":"wait","retries":0,"time_limit_ms":null,"after":[],"stop":{"signal":"TERM","grace_ms":10000},"restart":{"backoff_min_ms":1000,"backoff_max_ms":60000,"attempts":null,"offline":false}}', 'queued', NULL, '[]', NULL, 1799999999000, NULL, NULL, NULL, NULL);
insert into "slots" ("key", "owner_uid", "slot", "attempts", "streak", "failed", "rejected", "lost", "not_before_ms", "avoid", "ends") values ('008f01b5fa1a162c03a48d7e6e8cad92/0', '008f01b5fa1a162c03a48d7e6e8cad92', 0, 1, 0, 0, 0, 0, 0, '[]', '[{"uid":"f5333470b9534e7d23493070b9adf06e","version":1,"attempt":1,"member":0,"node_id":"n1","state":"failed","reason":null,"exit_code":1,"signal":null,"at_ms":1799999999000}]');
insert into "specs" ("hash", "spec") values ('af2c1fe531321613caae394d8277e624806dc7d237ee29a5eda94e6cd6a3850d', '{"command":{"kind":"shell","shell":"sh","script":"true"},"env":{"A":"ünïcode ''quoted''"},"workdir":null,"unix_user":null,"origin":"entry","ports":[],"exclusive":false,"members":1,"request":{"cpu_milli":null,"memory_bytes":null,"disk_bytes":0,"gpu":null,"countables":{}},"place":{"pool":null,"labels":[],"tolerate":[],"strategy":"pack","together_with":[],"apart_from":[],"hosts":[]}}');
insert into "tasks" ("uid", "owner_uid", "app_uid", "project", "user", "app", "workload", "kind", "run", "version", "spec_hash", "slot", "member", "attempt", "node_id", "boot_id", "desired", "stop", "grant_until", "written_off", "promised", "unix_user", "exclusive", "created_ms", "assigned_revision", "observed") values ('f5333470b9534e7d23493070b9adf06e', '008f01b5fa1a162c03a48d7e6e8cad92', 'a6a307673ddb9c1b07cd724e364ae073', 'lab', 'alice', 'web', 'api', 'service', NULL, 1, 'af2c1fe531321613caae394d8277e624806dc7d237ee29a5eda94e6cd6a3850d', 0, 0, 1, 'n1', 'boot-1', 'run', NULL, 1, NULL, '{"cpu_milli":100,"memory_bytes":268435456,"disk_bytes":0,"countables":{},"memory_limited":false,"devices":[],"ports":[]}', 'alice', 0, 1799999939000, 5, '{"state":"running","pid":100,"started_ms":1799999940000}');
insert into "tokens" ("id", "user", "role", "hash", "created_ms", "expires_ms", "revoked_ms") values ('t1', 'alice', 'user', '00', 1800000000000, NULL, NULL);
insert into "users" ("name", "role", "unix_user", "project", "created_ms") values ('alice', 'user', 'alice', 'lab', 1799999940000);
insert into "versions" ("key", "workload_uid", "version", "spec_hash", "settings", "by", "at_ms") values ('008f01b5fa1a162c03a48d7e6e8cad92/1', '008f01b5fa1a162c03a48d7e6e8cad92', 1, 'af2c1fe531321613caae394d8277e624806dc7d237ee29a5eda94e6cd6a3850d', '{"replicas":1,"priority":0,"labels":{},"on_node_loss":"replace","retries":0,"time_limit_ms":null,"after":[],"stop":{"signal":"TERM","grace_ms":10000},"restart":{"backoff_min_ms":1000,"backoff_max_ms":60000,"attempts":null,"offline":false}}', 'alice', 1800000000000);
insert into "workloads" ("uid", "app_uid", "project", "app", "name", "kind", "version", "spec_hash", "settings", "user", "last_run", "removing") values ('008f01b5fa1a162c03a48d7e6e8cad92', 'a6a307673ddb9c1b07cd724e364ae073', 'lab', 'web', 'api', 'service', 1, 'af2c1fe531321613caae394d8277e624806dc7d237ee29a5eda94e6cd6a3850d', '{"replicas":1,"priority":0,"labels":{},"on_node_loss":"replace","retries":0,"time_limit_ms":null,"after":[],"stop":{"signal":"TERM","grace_ms":10000},"restart":{"backoff_min_ms":1000,"backoff_max_ms":60000,"attempts":null,"offline":false}}', 'alice', NULL, 0);
