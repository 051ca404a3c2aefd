-- The audit log: a chain of entries, and marks of its end and of what was taken away because it was old. The columns
-- between kind and content repeat what is searched; the text in content is what the chain covers.

CREATE TABLE audit_entries (
  number BIGINT PRIMARY KEY, kind {text} NOT NULL, record_id {text} NOT NULL, at BIGINT NOT NULL,
  event_type {text} NOT NULL, operator_id {text} NOT NULL, resource_id {text} NOT NULL,
  gateway_group_id {text} NOT NULL, content {text} NOT NULL, previous {text} NOT NULL, hash {text} NOT NULL
);
CREATE INDEX audit_entries_by_time ON audit_entries (kind, at, number);
CREATE INDEX audit_entries_by_event_type ON audit_entries (kind, event_type, at, number);
CREATE INDEX audit_entries_by_operator ON audit_entries (kind, operator_id, at, number);
CREATE INDEX audit_entries_by_resource ON audit_entries (kind, resource_id, at, number);
CREATE INDEX audit_entries_by_gateway_group ON audit_entries (kind, gateway_group_id, at, number);
CREATE INDEX audit_entries_by_record ON audit_entries (record_id, number);

CREATE TABLE audit_marks (
  name {text} PRIMARY KEY, number BIGINT NOT NULL, hash {text} NOT NULL, seal {text} NOT NULL
);
