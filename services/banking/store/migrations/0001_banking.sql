-- Up Migration

-- Every call to a bank: recorded before it is made, and with its outcome after. A pending call whose
-- lease is over belongs to an instance that is gone, and is taken over by another.
CREATE TABLE bank_call (
  id text PRIMARY KEY,
  reference uuid NOT NULL,
  bank_code text NOT NULL,
  operation jsonb NOT NULL,
  reply_to text,
  saga_id text,
  saga_step text,
  traceparent text,
  outcome text NOT NULL DEFAULT 'pending',
  failure_code text,
  failure_message text,
  detail text NOT NULL DEFAULT '',
  lease_until timestamptz NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(),
  duration_ms integer
) WITH (fillfactor = 80);

CREATE INDEX bank_call_by_reference ON bank_call (reference, started_at);
CREATE INDEX bank_call_pending ON bank_call (lease_until) WHERE outcome = 'pending';

-- Down Migration

DROP TABLE bank_call;
