-- Sign-in options of every type, of portals and of the administrators (portal_id NULL), and who is known by which. The
-- table sign_in_options stays for a version that knows built-in options only, and goes in a later release.

CREATE TABLE login_options (
  id {text} PRIMARY KEY, portal_id {text} REFERENCES portals (id) ON DELETE CASCADE,
  name {text} NOT NULL, logo {text} NOT NULL, disable BOOLEAN NOT NULL,
  provider_type {text} NOT NULL, config {text} NOT NULL,
  created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL
);
CREATE INDEX login_options_by_portal ON login_options (portal_id);
CREATE UNIQUE INDEX login_options_built_in ON login_options ((COALESCE(portal_id, '')))
  WHERE provider_type = 'built_in';

INSERT INTO login_options
  (id, portal_id, name, logo, disable, provider_type, config, created_at, updated_at)
SELECT id, portal_id, name, logo, disable, 'built_in',
  '{"built_in":{"enable_self_registration":' || CASE WHEN enable_self_registration THEN 'true' ELSE 'false' END
  || ',"registration_auto_approval":' || CASE WHEN registration_auto_approval THEN 'true' ELSE 'false' END
  || ',"login_with_email":' || CASE WHEN login_with_email THEN 'true' ELSE 'false' END || '}}',
  created_at, updated_at
FROM sign_in_options;

CREATE TABLE identities (
  option_id {text} NOT NULL REFERENCES login_options (id) ON DELETE CASCADE, subject {text} NOT NULL,
  person_id {text} REFERENCES persons (id) ON DELETE CASCADE,
  administrator_id {text} REFERENCES administrators (id) ON DELETE CASCADE,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (option_id, subject)
);
CREATE INDEX identities_by_person ON identities (person_id);
CREATE INDEX identities_by_administrator ON identities (administrator_id);

ALTER TABLE sessions ADD COLUMN option_id {text} REFERENCES login_options (id) ON DELETE CASCADE;
CREATE INDEX sessions_by_option ON sessions (option_id);
