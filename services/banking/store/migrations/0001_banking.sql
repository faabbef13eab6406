-- Up Migration

-- Every call to a bank: recorded before it is made, and with its outcome after. A pending call (it has
-- no duration yet) whose lease is over belongs to an instance that is gone, and is taken over by another.
-- No index holds a column that changes, and half of each page is left to the second version of its rows:
-- so an outcome touches no index.
CREATE TABLE bank_call (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  reference uuid NOT NULL,
  -- The command's id, without the reference where it begins with it.
  id text COLLATE "C" NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(),
  bank_code text NOT NULL,
  operation text NOT NULL CHECK (operation IN ('verify', 'send', 'collect', 'inquire')),
  account_number text,
  currency text,
  amount bigint,
  memo text,
  member_id text,
  reply_to text,
  saga_id text,
  saga_step text,
  traceparent text,
  lease_until timestamptz NOT NULL,
  outcome text NOT NULL DEFAULT 'pending',
  duration_ms integer,
  failure_code text,
  failure_message text,
  detail text NOT NULL DEFAULT '',
  CONSTRAINT bank_call_pending CHECK ((outcome = 'pending') = (duration_ms IS NULL))
) WITH (fillfactor = 50);

-- A command is recorded once. It also finds all calls of a reference.
CREATE UNIQUE INDEX bank_call_by_reference ON bank_call (reference, id);

-- Every call below is at its end: who looks for pending ones begins here, and not at the beginning of time.
CREATE TABLE bank_call_mark (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  seq bigint NOT NULL
) WITH (fillfactor = 10);

INSERT INTO bank_call_mark (seq) VALUES (0);

-- Down Migration

DROP TABLE bank_call_mark;
DROP TABLE bank_call;
