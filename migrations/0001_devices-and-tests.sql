CREATE TABLE `node_tests` (
	`id` text PRIMARY KEY NOT NULL,
	`node_id` text NOT NULL,
	`fingerprint` text NOT NULL,
	`at_ms` integer NOT NULL,
	`why` text NOT NULL,
	`verdict` text NOT NULL,
	`reason` text,
	`results` text NOT NULL,
	CONSTRAINT "node_tests_verdict" CHECK("verdict" in ('passed', 'failed'))
) STRICT;
--> statement-breakpoint
CREATE INDEX `node_tests_node` ON `node_tests` (`node_id`,`at_ms`);--> statement-breakpoint
ALTER TABLE `nodes` ADD `testing` text;--> statement-breakpoint
ALTER TABLE `nodes` ADD `tests` text;--> statement-breakpoint
UPDATE `nodes` SET `devices` = '[]';
