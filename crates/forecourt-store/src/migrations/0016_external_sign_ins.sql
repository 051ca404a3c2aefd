-- Sign-ins that wait for somebody to come back from a provider. A row is taken, and so deleted, by whoever comes back.
-- `held`: somebody was proven already and has yet to show their cookie.

CREATE TABLE pending_sign_ins (
  state_digest {text} PRIMARY KEY,
  option_id {text} NOT NULL REFERENCES login_options (id) ON DELETE CASCADE,
  browser_digest {text} NOT NULL, memo {text} NOT NULL, next {text} NOT NULL,
  expires_at BIGINT NOT NULL, held BOOLEAN NOT NULL
);
CREATE INDEX pending_sign_ins_by_option ON pending_sign_ins (option_id);
CREATE INDEX pending_sign_ins_by_end ON pending_sign_ins (expires_at);
