-- Up Migration

-- A top-up as its readers see it; how far it has come is the saga's. Its id is made from member,
-- method and idempotency key, so this row is the idempotency row too, for ever.
CREATE TABLE top_up (
  id uuid PRIMARY KEY,
  member_id uuid NOT NULL,
  request_hash bytea NOT NULL,
  account_id uuid NOT NULL,
  bank_code text NOT NULL,
  account_number text NOT NULL,
  currency text NOT NULL,
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  state text NOT NULL,
  failure_code text,
  failure_message text,
  version bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);

-- Down Migration

DROP TABLE top_up;
