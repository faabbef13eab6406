-- Up Migration

-- Frozen: the account takes no new holds. Transit: what is on its way to another shard, or was booked
-- here before it left there; the sum over all shards is what is under way.
ALTER TABLE account
  ADD COLUMN peer_shard smallint,
  DROP CONSTRAINT account_kind_check,
  DROP CONSTRAINT account_state_check,
  DROP CONSTRAINT account_limit,
  DROP CONSTRAINT account_closed_empty,
  ADD CONSTRAINT account_kind_check CHECK (kind IN ('member', 'clearing', 'suspense', 'transit')),
  ADD CONSTRAINT account_state_check CHECK (state IN ('open', 'frozen', 'closed')),
  ADD CONSTRAINT account_frozen CHECK (state <> 'frozen' OR kind = 'member'),
  ADD CONSTRAINT account_limit CHECK (kind IN ('clearing', 'transit') OR balance >= held),
  ADD CONSTRAINT account_closed_empty CHECK (state <> 'closed' OR (balance = 0 AND held = 0)),
  ADD CONSTRAINT account_peer CHECK ((kind = 'transit') = (peer_shard IS NOT NULL));

-- A leg is the kind of a movement and its side; which kinds there are is the code's to know.
ALTER TABLE entry
  DROP CONSTRAINT entry_leg_check,
  ADD CONSTRAINT entry_leg_check CHECK (leg ~ '^[a-z]+-(from|to)$');

-- Who froze which account, when, why, and what its state was.
CREATE TABLE account_audit (
  account_id uuid NOT NULL,
  at timestamptz NOT NULL DEFAULT statement_timestamp(),
  -- A service's name, or "operator:" and the operator's id.
  actor text NOT NULL,
  action text NOT NULL CHECK (action IN ('freeze', 'unfreeze')),
  reason text NOT NULL,
  before text NOT NULL,
  after text NOT NULL
);
CREATE INDEX account_audit_account ON account_audit (account_id, at);

-- Money that came from another shard, kept for ever: it makes a repeated hand-over harmless.
CREATE TABLE arrival (
  reference uuid PRIMARY KEY,
  account_id uuid NOT NULL,
  amount bigint NOT NULL CHECK (amount > 0),
  currency text NOT NULL,
  from_shard smallint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT statement_timestamp()
);

-- Which part of a ledger over several databases this one is; empty where there is only one. A bucket
-- is a share of all account ids; moving buckets is how shards are added.
CREATE TABLE shard (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  -- The same in all databases of one ledger.
  ledger_id uuid NOT NULL,
  position smallint NOT NULL,
  buckets integer[] NOT NULL
);

-- Down Migration

DROP TABLE shard;
DROP TABLE arrival;
DROP TABLE account_audit;
ALTER TABLE entry
  DROP CONSTRAINT entry_leg_check,
  ADD CONSTRAINT entry_leg_check CHECK (leg IN ('transfer-from', 'transfer-to', 'credit-from', 'credit-to'));
ALTER TABLE account
  DROP CONSTRAINT account_peer,
  DROP CONSTRAINT account_frozen,
  DROP CONSTRAINT account_kind_check,
  DROP CONSTRAINT account_state_check,
  DROP CONSTRAINT account_limit,
  DROP CONSTRAINT account_closed_empty,
  ADD CONSTRAINT account_kind_check CHECK (kind IN ('member', 'clearing', 'suspense')),
  ADD CONSTRAINT account_state_check CHECK (state IN ('open', 'closed')),
  ADD CONSTRAINT account_limit CHECK (kind = 'clearing' OR balance >= held),
  ADD CONSTRAINT account_closed_empty CHECK (state = 'open' OR (balance = 0 AND held = 0)),
  DROP COLUMN peer_shard;
