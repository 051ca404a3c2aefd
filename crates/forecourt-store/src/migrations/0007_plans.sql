-- Plans of products: how often an application may call, and the plan of each subscription.

CREATE TABLE plans (
  id {text} PRIMARY KEY, product_id {text} NOT NULL REFERENCES products (id) ON DELETE CASCADE,
  name {text} NOT NULL, "desc" {text} NOT NULL, limits {text} NOT NULL, is_default BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
  UNIQUE (product_id, name)
);

ALTER TABLE subscriptions ADD COLUMN plan_id {text} REFERENCES plans (id);
CREATE INDEX subscriptions_by_plan ON subscriptions (plan_id);
