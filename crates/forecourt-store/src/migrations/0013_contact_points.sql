-- Contact points, and which products notify them. The rules themselves stand in the product; product_contact_points
-- repeats whom they name, so that a contact point in use is found, and is not deleted.

CREATE TABLE contact_points (
  id {text} PRIMARY KEY, name {text} NOT NULL, search_text {text} NOT NULL,
  contact_type {text} NOT NULL, addresses {text} NOT NULL, url {text} NOT NULL,
  created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL
);

ALTER TABLE products ADD COLUMN notifications {text} NOT NULL DEFAULT '[]';

CREATE TABLE product_contact_points (
  product_id {text} NOT NULL REFERENCES products (id) ON DELETE CASCADE,
  contact_point_id {text} NOT NULL REFERENCES contact_points (id),
  PRIMARY KEY (product_id, contact_point_id)
);
CREATE INDEX product_contact_points_by_contact_point ON product_contact_points (contact_point_id);
