-- Up Migration
CREATE TABLE saga (
  id uuid PRIMARY KEY,
  definition text NOT NULL,
  version integer NOT NULL,
  status text NOT NULL CHECK (status IN ('running', 'undoing', 'completed', 'undone', 'parked')),
  step integer NOT NULL,
  attempts integer NOT NULL,
  tries integer NOT NULL,
  trying_since timestamptz NOT NULL,
  waiting jsonb NOT NULL,
  state jsonb NOT NULL,
  steps jsonb NOT NULL,
  failure jsonb,
  traceparent text,
  -- When it must be looked at again; null when it has ended or is parked.
  due_at timestamptz,
  parked_at timestamptz,
  -- The transaction that the newest command left with: tells whether the broker has it.
  command_xid xid8,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  CHECK ((status IN ('running', 'undoing')) = (due_at IS NOT NULL)),
  CHECK ((status = 'parked') = (parked_at IS NOT NULL))
);
CREATE INDEX saga_due ON saga (due_at) WHERE due_at IS NOT NULL;
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
