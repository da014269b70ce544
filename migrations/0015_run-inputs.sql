ALTER TABLE `ended_runs` ADD `stdin` text;--> statement-breakpoint
ALTER TABLE `runs` ADD `stdin` text;