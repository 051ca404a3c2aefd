-- Usage in detail: what gateways delivered and waits to be added up, and what it adds up to by minute, hour and day.
-- `usage_hours` is moved and no longer read; a later release drops it.

CREATE TABLE usage_inbox (number BIGINT PRIMARY KEY, counts BIGINT NOT NULL, body {text} NOT NULL);

-- What a sum is of. `subject` is all of its ids in one text; an id that a kind of sum does not tell apart is empty.
CREATE TABLE usage_series (
  id BIGINT PRIMARY KEY, subject {text} NOT NULL UNIQUE, grain SMALLINT NOT NULL,
  portal_id {text} NOT NULL, developer_id {text} NOT NULL, application_id {text} NOT NULL,
  product_id {text} NOT NULL, credential_id {text} NOT NULL, route_id {text} NOT NULL
);
CREATE INDEX usage_series_by_portal ON usage_series (grain, portal_id);
CREATE INDEX usage_series_by_developer ON usage_series (developer_id, grain);
CREATE INDEX usage_series_by_application ON usage_series (application_id, grain);
CREATE INDEX usage_series_by_product ON usage_series (product_id, grain);
CREATE INDEX usage_series_by_credential ON usage_series (credential_id);

-- An hour of minutes, a day of hours, or 32 days, of one series.
CREATE TABLE usage_chunks (
  series BIGINT NOT NULL REFERENCES usage_series (id) ON DELETE CASCADE, step SMALLINT NOT NULL, chunk BIGINT NOT NULL,
  cells {bytes} NOT NULL,
  PRIMARY KEY (series, step, chunk)
);
CREATE INDEX usage_chunks_by_age ON usage_chunks (step, chunk);

CREATE TABLE usage_names (kind {text} NOT NULL, id {text} NOT NULL, name {text} NOT NULL, PRIMARY KEY (kind, id));

INSERT INTO usage_inbox (number, counts, body)
  SELECT ROW_NUMBER() OVER (ORDER BY hour, product_id, application_id, credential_id), 1,
    '[{"product_id":"' || product_id || '","application_id":"' || application_id || '","credential_id":"'
    || credential_id || '","minute":' || CAST(hour AS TEXT) || ',"totals":{"calls":' || CAST(calls AS TEXT) || '}}]'
  FROM usage_hours;
INSERT INTO usage_names (kind, id, name)
  SELECT 'product', product_id, MAX(product_name) FROM usage_hours GROUP BY product_id;
