-- Roles and permission policies of administrators. Who held the flag super_admin holds the role; the column itself
-- stays, and says the same, for a version that knows no roles.

CREATE TABLE roles (
  id {text} PRIMARY KEY, name {text} NOT NULL, "desc" {text} NOT NULL,
  labels {text} NOT NULL, label_index {text} NOT NULL, search_text {text} NOT NULL,
  built_in BOOLEAN NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL
);

CREATE TABLE permission_policies (
  id {text} PRIMARY KEY, name {text} NOT NULL, "desc" {text} NOT NULL,
  labels {text} NOT NULL, label_index {text} NOT NULL, search_text {text} NOT NULL,
  document {text} NOT NULL, built_in BOOLEAN NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL
);

CREATE TABLE role_policies (
  role_id {text} NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
  policy_id {text} NOT NULL REFERENCES permission_policies (id),
  place BIGINT NOT NULL,
  PRIMARY KEY (role_id, policy_id)
);
CREATE INDEX role_policies_by_policy ON role_policies (policy_id);

CREATE TABLE administrator_roles (
  administrator_id {text} NOT NULL REFERENCES administrators (id) ON DELETE CASCADE,
  role_id {text} NOT NULL REFERENCES roles (id),
  scopes {text} NOT NULL, place BIGINT NOT NULL,
  PRIMARY KEY (administrator_id, role_id)
);
CREATE INDEX administrator_roles_by_role ON administrator_roles (role_id);

ALTER TABLE administrators ADD COLUMN boundary_id {text} REFERENCES permission_policies (id);
CREATE INDEX administrators_by_boundary ON administrators (boundary_id);

INSERT INTO roles (id, name, "desc", labels, label_index, search_text, built_in, created_at, updated_at)
SELECT 'super-admin', 'Super Admin', 'May do everything', '{}', '', 'super admin', TRUE,
  COALESCE(MIN(created_at), 0), COALESCE(MIN(created_at), 0)
FROM administrators;

INSERT INTO permission_policies
  (id, name, "desc", labels, label_index, search_text, document, built_in, created_at, updated_at)
SELECT 'super-admin-permission-policy', 'super-admin-permission-policy', 'Everything', '{}', '',
  'super-admin-permission-policy',
  '{"statement":[{"effect":"allow","resources":["<.*>"],"actions":["<.*>"]}]}', TRUE,
  COALESCE(MIN(created_at), 0), COALESCE(MIN(created_at), 0)
FROM administrators;

INSERT INTO role_policies (role_id, policy_id, place) VALUES ('super-admin', 'super-admin-permission-policy', 0);

INSERT INTO administrator_roles (administrator_id, role_id, scopes, place)
SELECT id, 'super-admin', '[]', 0 FROM administrators WHERE super_admin;
