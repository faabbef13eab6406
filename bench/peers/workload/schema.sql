-- Accounts 1 to 1000 are cold, 1001 to 1008 hot. Free room in each page lets an update stay on it.
CREATE TABLE accounts (
  id int PRIMARY KEY,
  initial bigint NOT NULL,
  available bigint NOT NULL CHECK (available >= 0)
) WITH (fillfactor = 50);

CREATE TABLE holds (
  transfer_id uuid PRIMARY KEY,
  account_id int NOT NULL,
  amount bigint NOT NULL CHECK (amount > 0),
  status text NOT NULL
) WITH (fillfactor = 80);

CREATE TABLE entries (
  transfer_id uuid NOT NULL,
  leg smallint NOT NULL,
  account_id int NOT NULL,
  amount bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (transfer_id, leg)
);

CREATE TABLE transfers (
  transfer_id uuid PRIMARY KEY,
  payer int NOT NULL,
  payee int NOT NULL,
  amount bigint NOT NULL,
  status text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO accounts SELECT id, 1000000000, 1000000000 FROM generate_series(1, 1008) AS id;
ANALYZE accounts;
