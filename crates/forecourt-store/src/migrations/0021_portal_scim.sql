-- People of portals' sites whom a directory makes by SCIM. One whom it deactivated stays, and cannot get in; the
-- applications of a developer on hold keep everything and may not call.

ALTER TABLE persons ADD COLUMN active BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE persons ADD COLUMN search_text {text} NOT NULL DEFAULT '';
ALTER TABLE developers ADD COLUMN on_hold BOOLEAN NOT NULL DEFAULT FALSE;

-- Each person has one developer so far, whose text holds the same names and the same address.
UPDATE persons SET search_text = COALESCE((
  SELECT developers.search_text FROM developers
  JOIN organizations ON organizations.developer_id = developers.id
  JOIN memberships ON memberships.organization_id = organizations.id
  WHERE memberships.person_id = persons.id LIMIT 1
), '');

CREATE TABLE portal_directories (
  portal_id {text} PRIMARY KEY REFERENCES portals (id) ON DELETE CASCADE,
  enable BOOLEAN NOT NULL, token_digest {text}
);

CREATE TABLE scim_persons (
  person_id {text} PRIMARY KEY REFERENCES persons (id) ON DELETE CASCADE,
  external_id {text} NOT NULL, display_name {text} NOT NULL, given_name {text} NOT NULL, family_name {text} NOT NULL,
  emails {text} NOT NULL
);
CREATE INDEX scim_persons_by_external_id ON scim_persons (external_id);
