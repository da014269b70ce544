ALTER TABLE `nodes` ADD `joined_by` text;--> statement-breakpoint
ALTER TABLE `nodes` ADD `pending` text;--> statement-breakpoint
ALTER TABLE `nodes` ADD `rebound` text;--> statement-breakpoint
ALTER TABLE `tokens` ADD `joins` text;