-- Which processes have gone by a node's id: the present one, those before it between spaces, and when a second one was
-- heard of beside it.
ALTER TABLE gateway_nodes ADD COLUMN instance {text} NOT NULL DEFAULT '';
ALTER TABLE gateway_nodes ADD COLUMN former_instances {text} NOT NULL DEFAULT '';
ALTER TABLE gateway_nodes ADD COLUMN duplicated_at BIGINT;
