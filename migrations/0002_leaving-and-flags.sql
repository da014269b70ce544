ALTER TABLE `nodes` ADD `leaving` text;--> statement-breakpoint
ALTER TABLE `nodes` ADD `flags` text;