-- Up Migration

-- A refund that is to be paid out at a bank. It is recorded when the ledger says that it is booked, and
-- kept for ever: it makes a repeated event harmless. Nobody outside asks what became of the payment, so
-- this row remembers what is to be asked next, and when.
CREATE TABLE refund_payout (
  refund_id uuid PRIMARY KEY,
  payment_id uuid NOT NULL,
  merchant_account_id uuid NOT NULL,
  bank_code text NOT NULL,
  account_number text NOT NULL,
  currency text NOT NULL,
  amount bigint NOT NULL CHECK (amount > 0),
  memo text NOT NULL,
  traceparent text,
  state text NOT NULL DEFAULT 'paying' CHECK (state IN ('paying', 'paid', 'not-paid')),
  next text NOT NULL DEFAULT 'send' CHECK (next IN ('send', 'inquire')),
  attempts integer NOT NULL DEFAULT 0,
  -- While it is tried: when it belongs to whoever comes.
  due_at timestamptz NOT NULL DEFAULT now(),
  failure_code text,
  failure_message text,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT refund_payout_failure CHECK ((state = 'not-paid') = (failure_code IS NOT NULL))
) WITH (fillfactor = 70);

CREATE INDEX refund_payout_due ON refund_payout (due_at) WHERE state = 'paying';

-- Down Migration

DROP TABLE refund_payout;
