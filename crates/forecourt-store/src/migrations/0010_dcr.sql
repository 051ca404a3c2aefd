-- DCR providers that can be made, OAuth clients that were registered there, and clients that must go there.

ALTER TABLE dcr_providers ADD COLUMN "desc" {text} NOT NULL DEFAULT '';
ALTER TABLE dcr_providers ADD COLUMN base_url {text} NOT NULL DEFAULT '';
ALTER TABLE dcr_providers ADD COLUMN headers {text} NOT NULL DEFAULT '{}';

CREATE TABLE oauth_clients (
  credential_id {text} PRIMARY KEY REFERENCES credentials (id) ON DELETE CASCADE,
  provider_id {text} NOT NULL REFERENCES dcr_providers (id), client_id {text} NOT NULL,
  redirect_uris {text} NOT NULL, secret_expires_at BIGINT NOT NULL,
  management_uri {text}, management_token {text},
  UNIQUE (provider_id, client_id)
);

CREATE TABLE dcr_removals (
  id {text} PRIMARY KEY, provider_id {text} NOT NULL, departed_provider {text},
  application_id {text} NOT NULL, client_name {text} NOT NULL, client_id {text},
  management_uri {text}, management_token {text}, registering BOOLEAN NOT NULL,
  attempts BIGINT NOT NULL, maybe_gone BOOLEAN NOT NULL, last_error {text} NOT NULL,
  next_attempt_at BIGINT, created_at BIGINT NOT NULL
);
CREATE INDEX dcr_removals_by_time ON dcr_removals (next_attempt_at);
CREATE INDEX dcr_removals_by_provider ON dcr_removals (provider_id, client_id);
