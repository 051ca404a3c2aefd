-- Which batches of counted calls are stored: of each process that counted, by the name that it gave itself, its last.
-- An empty name is that of an earlier version, which numbered the batches of a node in one row over all processes.
-- `usage_batches` is moved and no longer read; a later release drops it.

CREATE TABLE usage_spools (
  node {text} NOT NULL, spool {text} NOT NULL, last_number BIGINT NOT NULL, stored_at BIGINT NOT NULL,
  PRIMARY KEY (node, spool)
);
CREATE INDEX usage_spools_by_age ON usage_spools (stored_at);
INSERT INTO usage_spools (node, spool, last_number, stored_at) SELECT node, '', last_number, 0 FROM usage_batches;
