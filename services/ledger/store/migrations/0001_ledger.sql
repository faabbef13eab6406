-- Up Migration

-- Amounts are minor units of the account's currency. Members' accounts and the platform's own
-- (clearing, suspense) are of one kind of row, so that all postings are. The platform's own are
-- striped: each stripe is a row with an id made of its name, and the balance is the sum of stripes.
-- fillfactor leaves room for the new version of a row on its page, so that no index is touched.
CREATE TABLE account (
  id uuid PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('member', 'clearing', 'suspense')),
  owner_id uuid,
  currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  bank_code text,
  stripe smallint,
  balance bigint NOT NULL DEFAULT 0,
  held bigint NOT NULL DEFAULT 0,
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
  version bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
  CONSTRAINT account_owner CHECK ((kind = 'member') = (owner_id IS NOT NULL)),
  CONSTRAINT account_stripe CHECK ((kind = 'member') = (stripe IS NULL)),
  CONSTRAINT account_bank CHECK ((kind = 'clearing') = (bank_code IS NOT NULL)),
  CONSTRAINT account_limit CHECK (kind = 'clearing' OR balance >= held),
  CONSTRAINT account_held CHECK (held >= 0 AND (kind = 'member' OR held = 0)),
  CONSTRAINT account_closed_empty CHECK (state = 'open' OR (balance = 0 AND held = 0))
) WITH (fillfactor = 60);
-- Ids begin with the time, so this is the order of opening too.
CREATE INDEX account_by_owner ON account (owner_id, id) WHERE owner_id IS NOT NULL;

-- One posting, seen from its account. The version is the account's after the posting: it gives the
-- order on the account, which ids made on several machines could not. No foreign key: an entry is
-- only written under the lock of its account, and accounts are never deleted.
CREATE TABLE entry (
  account_id uuid NOT NULL,
  version bigint NOT NULL,
  reference uuid NOT NULL,
  leg text NOT NULL CHECK (leg IN ('transfer-from', 'transfer-to', 'credit-from', 'credit-to')),
  amount bigint NOT NULL CHECK (amount <> 0),
  balance_after bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
  PRIMARY KEY (account_id, version)
);
-- The natural key: a transfer is settled once and a top-up booked once, whatever else goes wrong. A
-- movement takes from one account, once, and gives in the same statement, so one side of it is enough.
CREATE UNIQUE INDEX entry_by_reference ON entry (reference, leg) WHERE amount < 0;

-- Rows are kept for ever: they make a repeated command harmless. A refused hold may name an account
-- that does not exist.
CREATE TABLE hold (
  transfer_id uuid PRIMARY KEY,
  account_id uuid NOT NULL,
  state text NOT NULL CHECK (state IN ('held', 'settled', 'released', 'refused', 'tombstone')),
  payer_id uuid,
  amount bigint CHECK (amount > 0),
  currency text,
  destination_id uuid,
  refusal text,
  created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT statement_timestamp(),
  CONSTRAINT hold_refusal CHECK ((state = 'refused') = (refusal IS NOT NULL)),
  CONSTRAINT hold_terms CHECK (
    (state = 'tombstone') = (payer_id IS NULL)
    AND (payer_id IS NULL) = (amount IS NULL)
    AND (payer_id IS NULL) = (currency IS NULL)
  )
) WITH (fillfactor = 50);

-- What was answered to each credit, kept for ever.
CREATE TABLE credit (
  reference uuid PRIMARY KEY,
  account_id uuid NOT NULL,
  amount bigint NOT NULL CHECK (amount > 0),
  currency text NOT NULL,
  bank_code text NOT NULL,
  refusal text,
  created_at timestamptz NOT NULL DEFAULT statement_timestamp()
);

-- Down Migration

DROP TABLE credit;
DROP TABLE hold;
DROP TABLE entry;
DROP TABLE account;
