-- Administrators whom a directory makes by SCIM. One whom it deactivated stays, and cannot get in.

ALTER TABLE administrators ADD COLUMN active BOOLEAN NOT NULL DEFAULT TRUE;

CREATE TABLE scim_users (
  administrator_id {text} PRIMARY KEY REFERENCES administrators (id) ON DELETE CASCADE,
  external_id {text} NOT NULL, display_name {text} NOT NULL, emails {text} NOT NULL
);
