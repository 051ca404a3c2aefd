-- Administrators list and search the applications of all portals, or of one, the latest first: order and, where the engine
-- allows long texts in an index, what is searched are read off it, however wide the rows are.

CREATE INDEX applications_in_order ON applications (updated_at, created_at, id{searched});
CREATE INDEX applications_of_portal ON applications (portal_id, updated_at, created_at, id{searched});
DROP INDEX applications_by_portal;
