ALTER TABLE `ended_runs` ADD `cause` text;--> statement-breakpoint
ALTER TABLE `runs` ADD `cause` text;