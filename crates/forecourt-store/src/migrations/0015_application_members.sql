-- Callback URLs and attributes of applications, and when each last called.

ALTER TABLE applications ADD COLUMN callback_urls {text} NOT NULL DEFAULT '[]';
ALTER TABLE applications ADD COLUMN attributes {text} NOT NULL DEFAULT '{}';
ALTER TABLE applications ADD COLUMN last_used_at BIGINT;

UPDATE applications SET last_used_at =
  (SELECT MAX(credentials.last_used_at) FROM credentials WHERE credentials.application_id = applications.id);
