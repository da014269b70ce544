ALTER TABLE `nodes` ADD `renewed_ms` integer;--> statement-breakpoint
ALTER TABLE `ports` ADD `held_by` text;