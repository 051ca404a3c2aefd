-- Certificates, consumers and their credentials. Secrets in these tables are sealed, digested or slowly hashed.

CREATE TABLE certificates (
  id {text} PRIMARY KEY, gateway_group_id {text} NOT NULL REFERENCES gateway_groups (id) ON DELETE CASCADE,
  certificate_type {text} NOT NULL, enabled BOOLEAN NOT NULL, snis {text} NOT NULL, pairs {text} NOT NULL,
  client_ca {text}, labels {text} NOT NULL, label_index {text} NOT NULL, search_text {text} NOT NULL,
  extra {text} NOT NULL, not_before BIGINT NOT NULL, not_after BIGINT NOT NULL,
  created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL
);
CREATE INDEX certificates_by_group ON certificates (gateway_group_id);

-- The key is GROUP/USERNAME, as in the change log.
CREATE TABLE consumers (
  key {text} PRIMARY KEY, gateway_group_id {text} NOT NULL REFERENCES gateway_groups (id) ON DELETE CASCADE,
  username {text} NOT NULL, "desc" {text} NOT NULL, labels {text} NOT NULL, label_index {text} NOT NULL,
  search_text {text} NOT NULL, plugins {text} NOT NULL, extra {text} NOT NULL,
  created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL
);
CREATE INDEX consumers_by_group ON consumers (gateway_group_id);
CREATE INDEX consumers_by_username ON consumers (username);

CREATE TABLE consumer_credentials (
  consumer_key {text} NOT NULL REFERENCES consumers (key) ON DELETE CASCADE, id {text} NOT NULL,
  name {text} NOT NULL, "desc" {text} NOT NULL, labels {text} NOT NULL, label_index {text} NOT NULL,
  search_text {text} NOT NULL, auth {text} NOT NULL, extra {text} NOT NULL,
  created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
  PRIMARY KEY (consumer_key, id)
);

-- What tells a gateway whose credential is shown, as SHA-256: within a group it names one place only. The credential
-- is empty where it lies in the consumer itself.
CREATE TABLE consumer_identities (
  consumer_key {text} NOT NULL REFERENCES consumers (key) ON DELETE CASCADE, credential {text} NOT NULL,
  plugin {text} NOT NULL, gateway_group_id {text} NOT NULL REFERENCES gateway_groups (id) ON DELETE CASCADE,
  digest {text} NOT NULL,
  PRIMARY KEY (consumer_key, credential, plugin),
  UNIQUE (gateway_group_id, plugin, digest)
);
