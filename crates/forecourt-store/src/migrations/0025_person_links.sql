-- Who proved that an e-mail address is theirs, and links in mails with which persons prove it, or choose a new password.

ALTER TABLE persons ADD COLUMN email_verified BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE developers ADD COLUMN email_verified BOOLEAN NOT NULL DEFAULT FALSE;

CREATE TABLE person_links (
  digest {text} PRIMARY KEY, person_id {text} NOT NULL REFERENCES persons (id) ON DELETE CASCADE,
  purpose {text} NOT NULL, address {text} NOT NULL, expires_at BIGINT NOT NULL, created_at BIGINT NOT NULL
);
CREATE INDEX person_links_by_person ON person_links (person_id);
CREATE INDEX person_links_by_end ON person_links (expires_at);
