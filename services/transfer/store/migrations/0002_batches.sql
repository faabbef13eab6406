-- Up Migration

-- Of transfers that were planned for later, that expire, or that are lines of batches.
ALTER TABLE transfer
  ADD COLUMN execute_at timestamptz,
  ADD COLUMN expire_at timestamptz,
  ADD COLUMN batch_id uuid,
  ADD COLUMN batch_line integer;

-- A batch; its id is made from member, method and idempotency key, so this row is the idempotency row too.
CREATE TABLE transfer_batch (
  id uuid PRIMARY KEY,
  member_id uuid NOT NULL,
  request_hash bytea NOT NULL,
  mode text NOT NULL CHECK (mode IN ('BEST_EFFORT', 'ALL_OR_NOTHING')),
  state text NOT NULL,
  source_account_id uuid,
  line_count integer NOT NULL,
  execute_at timestamptz,
  expire_at timestamptz,
  -- Written once, under the row's lock: GO, every line was held and money moves; STOP, what has not been sent is
  -- taken back, and the failure says why.
  verdict text CHECK (verdict IN ('GO', 'STOP')),
  failure_code text,
  failure_message text,
  -- Transfers that were on their way at the STOP have been asked to turn back.
  swept boolean NOT NULL DEFAULT false,
  -- Lines by state, once it has ended.
  counts json,
  created_at timestamptz NOT NULL,
  ended_at timestamptz,
  CHECK ((verdict IS NOT DISTINCT FROM 'STOP') = (failure_code IS NOT NULL)),
  CHECK (verdict IS DISTINCT FROM 'GO' OR mode = 'ALL_OR_NOTHING')
);
CREATE INDEX transfer_batch_by_member ON transfer_batch (member_id, created_at DESC, id DESC);
CREATE INDEX transfer_batch_under_way ON transfer_batch (id) WHERE state IN ('RUNNING', 'STOPPING');

-- A line as it was asked for, good or bad, and what became of it.
CREATE TABLE transfer_batch_line (
  batch_id uuid NOT NULL REFERENCES transfer_batch (id),
  line integer NOT NULL,
  state text NOT NULL,
  reference text NOT NULL,
  -- As it was written: it may be none.
  source_account_id text NOT NULL,
  destination_account_id text,
  destination_bank_code text,
  destination_account_number text,
  currency text NOT NULL,
  amount_minor bigint,
  memo text NOT NULL,
  -- Null: no transfer was begun.
  transfer_id uuid,
  failure_code text,
  failure_message text,
  PRIMARY KEY (batch_id, line)
) WITH (fillfactor = 80);
CREATE INDEX transfer_batch_line_by_state ON transfer_batch_line (batch_id, state, line);

-- What has its time: transfers that begin or expire, batches that are under way or begin later. A row is taken by
-- moving its time ahead, and deleted when it is done: who dies in between leaves it to the next who looks.
CREATE TABLE due_work (
  id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('begin-transfer', 'expire-transfer', 'advance-batch')),
  due_at timestamptz NOT NULL,
  PRIMARY KEY (id, kind)
);
CREATE INDEX due_work_by_time ON due_work (due_at);

-- Down Migration

DROP TABLE due_work;
DROP TABLE transfer_batch_line;
DROP TABLE transfer_batch;
ALTER TABLE transfer
  DROP COLUMN execute_at,
  DROP COLUMN expire_at,
  DROP COLUMN batch_id,
  DROP COLUMN batch_line;
