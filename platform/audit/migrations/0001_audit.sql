-- Up Migration

-- How far each check of this service has come. Written by one auditor at a time: the revision says which
-- state a write stands on.
CREATE TABLE audit_cursor (
  check_name text PRIMARY KEY,
  revision bigint NOT NULL,
  position json,
  round_at timestamptz NOT NULL,
  round_rows bigint NOT NULL,
  round_ms integer NOT NULL,
  total_rows bigint NOT NULL,
  lag_ms bigint
) WITH (fillfactor = 20);

-- What was on its way when a check came to it, and is looked at again.
CREATE TABLE audit_waiting (
  check_name text NOT NULL,
  subject text NOT NULL,
  first_at timestamptz NOT NULL DEFAULT now(),
  look_at timestamptz NOT NULL,
  PRIMARY KEY (check_name, subject)
) WITH (fillfactor = 50);
CREATE INDEX audit_waiting_due ON audit_waiting (check_name, look_at);

-- What does not hold, with all that is needed to look into it, and what was done about it. Kept for ever.
CREATE TABLE audit_breach (
  id uuid PRIMARY KEY,
  check_name text NOT NULL,
  invariant text NOT NULL,
  subject text NOT NULL,
  message text NOT NULL,
  detail json NOT NULL,
  accounts uuid[] NOT NULL,
  frozen uuid[] NOT NULL DEFAULT '{}',
  -- When its accounts were frozen; null as long as that is to be done.
  frozen_at timestamptz,
  found_at timestamptz NOT NULL DEFAULT now(),
  seen_at timestamptz NOT NULL DEFAULT now(),
  -- A standing condition has passed.
  ended_at timestamptz,
  acknowledged_at timestamptz,
  acknowledged_by text,
  acknowledge_reason text,
  CHECK ((acknowledged_at IS NULL) = (acknowledged_by IS NULL)),
  CHECK ((acknowledged_at IS NULL) = (acknowledge_reason IS NULL))
);
-- The same breach is found again and again, and is one.
CREATE UNIQUE INDEX audit_breach_once ON audit_breach (check_name, subject) WHERE ended_at IS NULL;
CREATE INDEX audit_breach_found ON audit_breach (found_at DESC, id DESC);
CREATE INDEX audit_breach_open ON audit_breach (found_at DESC, id DESC)
  WHERE acknowledged_at IS NULL AND ended_at IS NULL;
CREATE INDEX audit_breach_unfrozen ON audit_breach (id) WHERE frozen_at IS NULL;

-- Down Migration

DROP TABLE audit_breach;
DROP TABLE audit_waiting;
DROP TABLE audit_cursor;
