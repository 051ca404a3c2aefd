-- Clients at identity providers are changed there by one at a time, and again until their provider knows what stands
-- here.

ALTER TABLE oauth_clients ADD COLUMN held_until BIGINT;
ALTER TABLE oauth_clients ADD COLUMN update_at BIGINT;
ALTER TABLE oauth_clients ADD COLUMN update_attempts BIGINT NOT NULL DEFAULT 0;
CREATE INDEX oauth_clients_by_update ON oauth_clients (update_at);
