-- Up Migration

-- A payment as its readers see it; how far it has come is its saga's. Its id is made from member, method
-- and idempotency key, so this row is the idempotency row too, for ever. What is refunded, or on its way to
-- be, is counted here under the row's lock: so it is never more than what was paid.
CREATE TABLE payment (
  id uuid PRIMARY KEY,
  member_id uuid NOT NULL,
  request_hash bytea NOT NULL,
  source_account_id uuid NOT NULL,
  merchant_member_id uuid NOT NULL,
  merchant_account_id uuid NOT NULL,
  currency text NOT NULL,
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  memo text NOT NULL,
  top_up_bank_code text,
  top_up_account_number text,
  top_up_amount_minor bigint CHECK (top_up_amount_minor > 0),
  top_up_id uuid,
  refunded_minor bigint NOT NULL DEFAULT 0,
  state text NOT NULL,
  failure_code text,
  failure_message text,
  version bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT payment_refunded CHECK (refunded_minor BETWEEN 0 AND amount_minor),
  CONSTRAINT payment_top_up CHECK ((top_up_bank_code IS NULL) = (top_up_account_number IS NULL))
) WITH (fillfactor = 70);

CREATE INDEX payment_by_member ON payment (member_id, created_at DESC, id DESC);
CREATE INDEX payment_by_merchant ON payment (merchant_member_id, created_at DESC, id DESC) WHERE state = 'COMPLETED';

-- A refund as its readers see it. There is no saga behind it: it follows what ledger and banking say.
CREATE TABLE refund (
  id uuid PRIMARY KEY,
  payment_id uuid NOT NULL REFERENCES payment,
  request_hash bytea NOT NULL,
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  bank_code text,
  account_number text,
  memo text NOT NULL,
  state text NOT NULL CHECK (state IN ('REQUESTED', 'BOOKED', 'COMPLETED', 'FAILED')),
  failure_code text,
  failure_message text,
  version bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT refund_bank_account CHECK ((bank_code IS NULL) = (account_number IS NULL)),
  CONSTRAINT refund_failure CHECK ((state = 'FAILED') = (failure_code IS NOT NULL))
) WITH (fillfactor = 70);

CREATE INDEX refund_by_payment ON refund (payment_id, created_at DESC, id DESC);

-- The payment that began a top-up by itself.
ALTER TABLE top_up ADD COLUMN payment_id uuid;

-- Down Migration

ALTER TABLE top_up DROP COLUMN payment_id;
DROP TABLE refund;
DROP TABLE payment;
