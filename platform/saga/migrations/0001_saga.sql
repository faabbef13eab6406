-- Up Migration
-- A row is written at every step, so it is made to be written where it stands: fillfactor leaves room
-- for its next version, and no indexed column changes between a saga's beginning and its end.
CREATE TABLE saga (
  id uuid PRIMARY KEY,
  definition text NOT NULL,
  version integer NOT NULL,
  -- Rises by one with each change: who changes it says which one it knew.
  revision integer NOT NULL,
  status text NOT NULL CHECK (status IN ('running', 'undoing', 'completed', 'undone', 'parked')),
  -- What it knows.
  state json NOT NULL,
  -- Where it is: step, attempts, tries, tryingSinceMs, waiting, steps, failure.
  progress json NOT NULL,
  traceparent text,
  -- At the latest then somebody must look at it; null when it has ended or is parked. It may be earlier
  -- than what the saga waits for: it is only written anew when it would be too late, or has come.
  look_at timestamptz,
  parked_at timestamptz,
  -- The transaction that the newest command left with: tells whether the broker has it.
  command_xid xid8,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  CHECK ((status IN ('running', 'undoing')) = (look_at IS NOT NULL)),
  CHECK ((status = 'parked') = (parked_at IS NOT NULL))
) WITH (fillfactor = 50);
CREATE INDEX saga_look ON saga (look_at) WHERE look_at IS NOT NULL;
CREATE INDEX saga_parked ON saga (parked_at, id) WHERE parked_at IS NOT NULL;

-- What operators decided: who, when, why, and the saga before and after.
CREATE TABLE saga_audit (
  saga_id uuid NOT NULL REFERENCES saga (id),
  at timestamptz NOT NULL,
  operator_id text NOT NULL,
  action text NOT NULL CHECK (action IN ('resume', 'undo', 'skip')),
  reason text NOT NULL,
  before jsonb NOT NULL,
  after jsonb NOT NULL
);
CREATE INDEX saga_audit_saga ON saga_audit (saga_id, at);

-- Replies for sagas that this database does not know, as after a restore from a backup.
CREATE TABLE saga_stray_reply (
  message_id text PRIMARY KEY,
  saga_id text,
  saga_step text,
  type text NOT NULL,
  message bytea NOT NULL,
  received_at timestamptz NOT NULL
);
CREATE INDEX saga_stray_reply_received ON saga_stray_reply (received_at);

-- Down Migration
DROP TABLE saga_stray_reply;
DROP TABLE saga_audit;
DROP TABLE saga;
