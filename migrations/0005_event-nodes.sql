ALTER TABLE `events` ADD `node_id` text;--> statement-breakpoint
CREATE INDEX `events_node` ON `events` (`node_id`,`id`);--> statement-breakpoint
UPDATE `events` SET `node_id` = substr(`actor`, 6), `actor` = 'node ' || coalesce((SELECT `name` FROM `nodes` WHERE `id` = substr(`events`.`actor`, 6)), substr(`actor`, 6, 10)) WHERE length(`actor`) = 37 AND `actor` LIKE 'node %' AND substr(`actor`, 6) NOT GLOB '*[^0-9a-f]*';
