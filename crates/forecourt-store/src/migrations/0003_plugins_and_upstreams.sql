-- Plugins of services and routes, further upstreams, what routes say of their own, and the objects of whole groups.

ALTER TABLE services ADD COLUMN plugins {text} NOT NULL DEFAULT '{}';
ALTER TABLE services ADD COLUMN upstreams {text} NOT NULL DEFAULT '{}';

ALTER TABLE routes ADD COLUMN plugins {text} NOT NULL DEFAULT '{}';
ALTER TABLE routes ADD COLUMN upstream_id {text};
ALTER TABLE routes ADD COLUMN timeout {text};
ALTER TABLE routes ADD COLUMN enable_websocket BOOLEAN;

CREATE TABLE group_objects (
  gateway_group_id {text} NOT NULL REFERENCES gateway_groups (id) ON DELETE CASCADE,
  kind {text} NOT NULL, id {text} NOT NULL, name {text} NOT NULL, "desc" {text} NOT NULL,
  labels {text} NOT NULL, label_index {text} NOT NULL, search_text {text} NOT NULL,
  service_id {text} REFERENCES services (id) ON DELETE CASCADE,
  plugins {text} NOT NULL, extra {text} NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
  PRIMARY KEY (gateway_group_id, kind, id)
);
CREATE INDEX group_objects_by_service ON group_objects (service_id);
