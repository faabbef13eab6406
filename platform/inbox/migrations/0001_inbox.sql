-- Up Migration

-- Messages that were handled, by consumer. An entry outlives the topics' retention of 7 days.
CREATE TABLE inbox (
  consumer text NOT NULL,
  message_id text NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (consumer, message_id)
);

-- Rows are appended in the order of time, so a few pages tell what is old.
CREATE INDEX inbox_received_at ON inbox USING brin (received_at);

-- Down Migration

DROP TABLE inbox;
