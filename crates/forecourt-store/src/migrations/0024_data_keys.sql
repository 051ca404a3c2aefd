-- Keys that secrets are sealed under, each wrapped under one master key, or under two while the master key is changed.
-- The one with the highest number seals. Since unused_since no row was found that names the key.

CREATE TABLE data_keys (
  id {text} PRIMARY KEY, number BIGINT NOT NULL UNIQUE, created_at BIGINT NOT NULL, unused_since BIGINT
);

CREATE TABLE key_wrappings (
  data_key_id {text} NOT NULL REFERENCES data_keys (id) ON DELETE CASCADE, master_key {text} NOT NULL,
  wrapped {text} NOT NULL, PRIMARY KEY (data_key_id, master_key)
);
