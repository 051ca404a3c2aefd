-- Lists of subscriptions come in this order: a page of it is read off the index, however many there are.

CREATE INDEX subscriptions_of_product
  ON subscriptions (product_id, (COALESCE(subscribed_at, created_at)), created_at, id);
CREATE INDEX subscriptions_of_portal
  ON subscriptions (portal_id, (COALESCE(subscribed_at, created_at)), created_at, id);
DROP INDEX subscriptions_by_product;
DROP INDEX subscriptions_by_portal;
