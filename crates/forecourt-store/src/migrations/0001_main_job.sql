-- Written for both engines. {text} is the text type that compares by bytes. Times are microseconds since the epoch.
-- search_text and label_index are folded copies to search in; see dialect.rs.

CREATE TABLE revision_counter (id BIGINT PRIMARY KEY, value BIGINT NOT NULL);
INSERT INTO revision_counter (id, value) VALUES (1, 0);

CREATE TABLE gateway_resources (
  scope {text} NOT NULL, kind {text} NOT NULL, key {text} NOT NULL,
  body {text} NOT NULL, revision BIGINT NOT NULL, deleted_at BIGINT,
  PRIMARY KEY (kind, key)
);
CREATE INDEX gateway_resources_by_revision ON gateway_resources (scope, revision);

CREATE TABLE events (
  id {text} PRIMARY KEY, at BIGINT NOT NULL, name {text} NOT NULL,
  actor_kind {text} NOT NULL, actor_id {text} NOT NULL, source {text} NOT NULL,
  noun {text} NOT NULL, noun_id {text} NOT NULL, portal_id {text},
  detail {text} NOT NULL, request_id {text} NOT NULL, address {text}, revision BIGINT
);
CREATE INDEX events_by_time ON events (at);
CREATE INDEX events_by_noun ON events (noun, noun_id, at);

CREATE TABLE settings (key {text} PRIMARY KEY, value {text} NOT NULL);

CREATE TABLE administrators (
  id {text} PRIMARY KEY, username {text} NOT NULL UNIQUE, email {text} NOT NULL,
  first_name {text} NOT NULL, last_name {text} NOT NULL,
  password_hash {text} NOT NULL, password_one_time BOOLEAN NOT NULL, activated BOOLEAN NOT NULL,
  super_admin BOOLEAN NOT NULL, initial BOOLEAN NOT NULL, search_text {text} NOT NULL,
  created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL
);

CREATE TABLE admin_tokens (
  id {text} PRIMARY KEY, administrator_id {text} NOT NULL REFERENCES administrators (id) ON DELETE CASCADE,
  name {text} NOT NULL, digest {text} NOT NULL UNIQUE, expires_at BIGINT, last_used_at BIGINT,
  search_text {text} NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
  UNIQUE (administrator_id, name)
);

CREATE TABLE portals (
  id {text} PRIMARY KEY, name {text} NOT NULL UNIQUE, "desc" {text} NOT NULL,
  labels {text} NOT NULL, label_index {text} NOT NULL, search_text {text} NOT NULL,
  public_url {text}, domain {text}, public_access BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL
);

CREATE TABLE portal_tokens (
  id {text} PRIMARY KEY, portal_id {text} NOT NULL REFERENCES portals (id) ON DELETE CASCADE,
  name {text} NOT NULL, digest {text} NOT NULL UNIQUE, expires_at BIGINT, last_used_at BIGINT,
  created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL
);
CREATE INDEX portal_tokens_by_portal ON portal_tokens (portal_id);

CREATE TABLE sign_in_options (
  id {text} PRIMARY KEY, portal_id {text} NOT NULL UNIQUE REFERENCES portals (id) ON DELETE CASCADE,
  name {text} NOT NULL, logo {text} NOT NULL, disable BOOLEAN NOT NULL,
  enable_self_registration BOOLEAN NOT NULL, registration_auto_approval BOOLEAN NOT NULL,
  login_with_email BOOLEAN NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL
);

CREATE TABLE gateway_groups (
  id {text} PRIMARY KEY, name {text} NOT NULL UNIQUE, "desc" {text} NOT NULL,
  labels {text} NOT NULL, label_index {text} NOT NULL, search_text {text} NOT NULL,
  admin_key_digest {text} UNIQUE, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL
);

CREATE TABLE instance_tokens (
  id {text} PRIMARY KEY, gateway_group_id {text} NOT NULL REFERENCES gateway_groups (id) ON DELETE CASCADE,
  digest {text} NOT NULL UNIQUE, created_at BIGINT NOT NULL
);
CREATE INDEX instance_tokens_by_group ON instance_tokens (gateway_group_id);

CREATE TABLE services (
  id {text} PRIMARY KEY, gateway_group_id {text} NOT NULL REFERENCES gateway_groups (id) ON DELETE CASCADE,
  name {text} NOT NULL, "desc" {text} NOT NULL, labels {text} NOT NULL, label_index {text} NOT NULL,
  search_text {text} NOT NULL, stream BOOLEAN NOT NULL, enabled BOOLEAN NOT NULL, hosts {text} NOT NULL,
  path_prefix {text}, strip_path_prefix BOOLEAN NOT NULL, upstream {text}, extra {text} NOT NULL,
  has_openapi BOOLEAN NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL
);
CREATE INDEX services_by_group ON services (gateway_group_id);

CREATE TABLE service_documents (
  service_id {text} PRIMARY KEY REFERENCES services (id) ON DELETE CASCADE,
  text {text} NOT NULL, operation_count BIGINT NOT NULL
);

CREATE TABLE routes (
  id {text} PRIMARY KEY, service_id {text} NOT NULL REFERENCES services (id) ON DELETE CASCADE,
  gateway_group_id {text} NOT NULL REFERENCES gateway_groups (id) ON DELETE CASCADE,
  name {text} NOT NULL, "desc" {text} NOT NULL, labels {text} NOT NULL, label_index {text} NOT NULL,
  search_text {text} NOT NULL, paths {text} NOT NULL, methods {text} NOT NULL, priority BIGINT NOT NULL,
  extra {text} NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL
);
CREATE INDEX routes_by_service ON routes (service_id);
CREATE INDEX routes_by_group ON routes (gateway_group_id);

CREATE TABLE dcr_providers (
  id {text} PRIMARY KEY, name {text} NOT NULL UNIQUE, search_text {text} NOT NULL,
  provider_type {text} NOT NULL, issuer {text} NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL
);

CREATE TABLE products (
  id {text} PRIMARY KEY, portal_id {text} NOT NULL REFERENCES portals (id),
  name {text} NOT NULL, "desc" {text} NOT NULL, logo {text} NOT NULL, labels {text} NOT NULL,
  label_index {text} NOT NULL, search_text {text} NOT NULL, status {text} NOT NULL, visibility {text} NOT NULL,
  product_type {text} NOT NULL, auth {text} NOT NULL, subscription_auto_approval BOOLEAN NOT NULL,
  can_view_unsubscribed BOOLEAN NOT NULL, document {text} NOT NULL, document_operations BIGINT NOT NULL,
  server_urls {text} NOT NULL, server_url {text}, tags {text} NOT NULL, api_desc {text} NOT NULL,
  created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL
);
CREATE INDEX products_by_portal ON products (portal_id, updated_at);

CREATE TABLE product_services (
  service_id {text} PRIMARY KEY REFERENCES services (id),
  product_id {text} NOT NULL REFERENCES products (id) ON DELETE CASCADE,
  gateway_group_id {text} NOT NULL REFERENCES gateway_groups (id),
  position BIGINT NOT NULL, linked_hosts {text} NOT NULL
);
CREATE INDEX product_services_by_product ON product_services (product_id, position);
CREATE INDEX product_services_by_group ON product_services (gateway_group_id);

CREATE TABLE developers (
  id {text} PRIMARY KEY, portal_id {text} NOT NULL REFERENCES portals (id),
  name {text} NOT NULL, display_name {text} NOT NULL, username {text}, email {text},
  status {text} NOT NULL, provider {text} NOT NULL, search_text {text} NOT NULL,
  last_active_at BIGINT, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
  UNIQUE (portal_id, name)
);
CREATE INDEX developers_by_name ON developers (name);

CREATE TABLE persons (
  id {text} PRIMARY KEY, portal_id {text} NOT NULL REFERENCES portals (id) ON DELETE CASCADE,
  email {text}, username {text}, name {text} NOT NULL,
  password_hash {text} NOT NULL, password_one_time BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
  UNIQUE (portal_id, email), UNIQUE (portal_id, username)
);

CREATE TABLE organizations (
  id {text} PRIMARY KEY, portal_id {text} NOT NULL REFERENCES portals (id) ON DELETE CASCADE,
  developer_id {text} NOT NULL UNIQUE REFERENCES developers (id) ON DELETE CASCADE,
  name {text} NOT NULL, personal BOOLEAN NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL
);
CREATE INDEX organizations_by_portal ON organizations (portal_id);

CREATE TABLE memberships (
  organization_id {text} NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  person_id {text} NOT NULL REFERENCES persons (id) ON DELETE CASCADE,
  role {text} NOT NULL, created_at BIGINT NOT NULL,
  PRIMARY KEY (organization_id, person_id)
);
CREATE INDEX memberships_by_person ON memberships (person_id);

CREATE TABLE sessions (
  digest {text} PRIMARY KEY,
  administrator_id {text} REFERENCES administrators (id) ON DELETE CASCADE,
  person_id {text} REFERENCES persons (id) ON DELETE CASCADE,
  address {text} NOT NULL, user_agent {text} NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_administrator ON sessions (administrator_id);
CREATE INDEX sessions_by_person ON sessions (person_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE applications (
  id {text} PRIMARY KEY, portal_id {text} NOT NULL REFERENCES portals (id) ON DELETE CASCADE,
  developer_id {text} NOT NULL REFERENCES developers (id) ON DELETE CASCADE,
  name {text} NOT NULL, "desc" {text} NOT NULL, labels {text} NOT NULL, label_index {text} NOT NULL,
  search_text {text} NOT NULL, status {text} NOT NULL, status_reason {text} NOT NULL,
  created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL
);
CREATE INDEX applications_by_developer ON applications (developer_id, updated_at);
CREATE INDEX applications_by_portal ON applications (portal_id);

CREATE TABLE credentials (
  id {text} PRIMARY KEY, application_id {text} NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
  credential_type {text} NOT NULL, name {text} NOT NULL, "desc" {text} NOT NULL,
  labels {text} NOT NULL, label_index {text} NOT NULL, search_text {text} NOT NULL,
  version_id {text} NOT NULL, secret {text} NOT NULL, version_created_at BIGINT NOT NULL,
  last_used_at BIGINT, last_used_from {text}, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL
);
CREATE INDEX credentials_by_application ON credentials (application_id);

CREATE TABLE subscriptions (
  id {text} PRIMARY KEY, portal_id {text} NOT NULL REFERENCES portals (id) ON DELETE CASCADE,
  application_id {text} NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
  product_id {text} NOT NULL REFERENCES products (id) ON DELETE CASCADE,
  status {text} NOT NULL, subscribed_at BIGINT, created_at BIGINT NOT NULL,
  UNIQUE (application_id, product_id)
);
CREATE INDEX subscriptions_by_product ON subscriptions (product_id);
CREATE INDEX subscriptions_by_portal ON subscriptions (portal_id);

CREATE TABLE approvals (
  id {text} PRIMARY KEY, portal_id {text} NOT NULL REFERENCES portals (id) ON DELETE CASCADE,
  event {text} NOT NULL, status {text} NOT NULL, result {text},
  subscription_id {text}, product_id {text}, developer_id {text} NOT NULL,
  resource_name {text} NOT NULL, applicant_id {text} NOT NULL, applicant_name {text} NOT NULL,
  operator_id {text}, operator_name {text}, metadata {text}, reason {text} NOT NULL,
  resource_search {text} NOT NULL, operator_search {text} NOT NULL, applicant_search {text} NOT NULL,
  applied_at BIGINT NOT NULL, operated_at BIGINT, updated_at BIGINT NOT NULL
);
CREATE INDEX approvals_by_portal ON approvals (portal_id, applied_at);
CREATE INDEX approvals_by_subscription ON approvals (subscription_id);
CREATE INDEX approvals_by_developer ON approvals (developer_id);

CREATE TABLE usage_batches (node {text} PRIMARY KEY, last_number BIGINT NOT NULL);

CREATE TABLE usage_hours (
  product_id {text} NOT NULL, application_id {text} NOT NULL, credential_id {text} NOT NULL, hour BIGINT NOT NULL,
  portal_id {text} NOT NULL, developer_id {text} NOT NULL, product_name {text} NOT NULL, calls BIGINT NOT NULL,
  PRIMARY KEY (product_id, application_id, credential_id, hour)
);
CREATE INDEX usage_hours_by_developer ON usage_hours (developer_id, hour);
CREATE INDEX usage_hours_by_hour ON usage_hours (hour);
