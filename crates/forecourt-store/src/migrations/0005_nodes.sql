-- Gateway nodes as they were last heard of, and when each told that it has applied what.
-- held_by is the control plane's process that holds the node's stream, as that process calls itself; empty: none.

ALTER TABLE instance_tokens ADD COLUMN last_used_at BIGINT;

CREATE TABLE gateway_nodes (
  id {text} PRIMARY KEY, name {text} NOT NULL,
  gateway_group_id {text} NOT NULL REFERENCES gateway_groups (id) ON DELETE CASCADE,
  token_id {text}, version {text} NOT NULL, address {text} NOT NULL, held_by {text} NOT NULL,
  revision BIGINT NOT NULL, applied_at BIGINT NOT NULL, last_contact_at BIGINT NOT NULL,
  drift {text} NOT NULL, created_at BIGINT NOT NULL
);
CREATE INDEX gateway_nodes_by_group ON gateway_nodes (gateway_group_id);
CREATE INDEX gateway_nodes_by_token ON gateway_nodes (token_id);

CREATE TABLE node_acknowledgements (
  node_id {text} NOT NULL REFERENCES gateway_nodes (id) ON DELETE CASCADE,
  revision BIGINT NOT NULL, applied_at BIGINT NOT NULL,
  PRIMARY KEY (node_id, revision)
);
CREATE INDEX node_acknowledgements_by_time ON node_acknowledgements (applied_at);
