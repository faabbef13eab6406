-- Up Migration

-- A transfer as its readers see it; how far it has come is the saga's. Its id is made from member,
-- method and idempotency key, so this row is the idempotency row too, for ever.
CREATE TABLE transfer (
  id uuid PRIMARY KEY,
  member_id uuid NOT NULL,
  request_hash bytea NOT NULL,
  source_account_id uuid NOT NULL,
  destination_account_id uuid,
  destination_bank_code text,
  destination_account_number text,
  currency text NOT NULL,
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  memo text NOT NULL,
  state text NOT NULL,
  failure_code text,
  failure_message text,
  version bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CHECK ((destination_account_id IS NULL) <> (destination_bank_code IS NULL)),
  CHECK ((destination_bank_code IS NULL) = (destination_account_number IS NULL))
) WITH (fillfactor = 70);

CREATE INDEX transfer_by_member ON transfer (member_id, created_at DESC, id DESC);

-- Down Migration

DROP TABLE transfer;
