ALTER TABLE `ended_tasks` ADD `heir_of` text;--> statement-breakpoint
ALTER TABLE `tasks` ADD `heir_of` text;