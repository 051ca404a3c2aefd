-- What gateway nodes are told beside the rows: which line of revisions they are on, and what they must hold.

CREATE TABLE revisions (
  revision BIGINT PRIMARY KEY, mark {text} NOT NULL, committed_at BIGINT NOT NULL
);

-- Counters of rows by scope and kind; digest_sum is an unsigned number's bits.
CREATE TABLE gateway_digests (
  scope {text} NOT NULL, kind {text} NOT NULL,
  live_rows BIGINT NOT NULL, digest_sum BIGINT NOT NULL, revision BIGINT NOT NULL,
  PRIMARY KEY (scope, kind)
);

-- Pages of the log are read in this order, whatever scopes are wanted; the scope stands last to be looked at
-- without the row.
DROP INDEX gateway_resources_by_revision;
CREATE INDEX gateway_resources_in_order ON gateway_resources (revision, kind, key, scope);

-- The second counter: the revision up to which deleted rows are forgotten.
INSERT INTO revision_counter (id, value) VALUES (2, 0);
