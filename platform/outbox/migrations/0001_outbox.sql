-- Up Migration

-- Messages that leave with the transaction that wrote them: a row holds all of one transaction. They
-- are published, and marked, in the order of (xid, seq): by seq alone a row of a later transaction
-- with a lower seq would be skipped.
CREATE TABLE outbox (
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  seq bigint GENERATED ALWAYS AS IDENTITY,
  -- The process that wrote it: it publishes its own from memory, when it is the one that publishes.
  origin uuid NOT NULL,
  -- A ferry.outbox.v1.OutboxBatch.
  batch bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (xid, seq)
);
-- A batch is read once or never: compressing it was most of what its insert cost.
ALTER TABLE outbox ALTER COLUMN batch SET STORAGE EXTERNAL;

-- Everything up to and with (xid, seq) was acknowledged by the broker.
CREATE TABLE outbox_mark (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  xid xid8 NOT NULL,
  seq bigint NOT NULL
) WITH (fillfactor = 10);

INSERT INTO outbox_mark (xid, seq) VALUES ('0', 0);

-- Down Migration

DROP TABLE outbox_mark;
DROP TABLE outbox;
