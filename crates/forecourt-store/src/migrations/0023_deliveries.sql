-- What is to be told of (notices), one message to one recipient each (deliveries) with every attempt, what calls of
-- webhooks are signed with, and links in mails with which approvers decide.

ALTER TABLE contact_points ADD COLUMN signing {text};
ALTER TABLE contact_points ADD COLUMN gone_at BIGINT;

CREATE TABLE notices (
  event_id {text} PRIMARY KEY, body {text} NOT NULL, created_at BIGINT NOT NULL
);
CREATE INDEX notices_by_time ON notices (created_at, event_id);

CREATE TABLE deliveries (
  id {text} PRIMARY KEY, event {text} NOT NULL, event_id {text} NOT NULL, recipient {text} NOT NULL,
  lane {text} NOT NULL, portal_id {text} NOT NULL, approval_id {text},
  contact_point_id {text}, contact_point_name {text} NOT NULL, contact_type {text} NOT NULL,
  address {text} NOT NULL, subject {text} NOT NULL, content {text} NOT NULL, link {text},
  state {text} NOT NULL, attempts BIGINT NOT NULL, begun_after BIGINT NOT NULL, begun_at BIGINT NOT NULL,
  last_error {text} NOT NULL, next_attempt_at BIGINT, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
  UNIQUE (event_id, recipient)
);
CREATE INDEX deliveries_by_turn ON deliveries (next_attempt_at);
CREATE INDEX deliveries_by_time ON deliveries (created_at, id);
CREATE INDEX deliveries_by_state ON deliveries (state, created_at, id);
CREATE INDEX deliveries_by_contact_point ON deliveries (contact_point_id, created_at, id);

CREATE TABLE delivery_attempts (
  delivery_id {text} NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE, number BIGINT NOT NULL,
  at BIGINT NOT NULL, millis BIGINT NOT NULL, status BIGINT, error {text} NOT NULL,
  PRIMARY KEY (delivery_id, number)
);

CREATE TABLE approval_links (
  digest {text} PRIMARY KEY, approval_id {text} NOT NULL REFERENCES approvals (id) ON DELETE CASCADE,
  recipient {text} NOT NULL, expires_at BIGINT NOT NULL, used_at BIGINT, created_at BIGINT NOT NULL
);
CREATE INDEX approval_links_by_approval ON approval_links (approval_id);
