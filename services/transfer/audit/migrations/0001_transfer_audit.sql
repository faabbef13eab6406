-- Up Migration

-- The auditor looks at transfers in the order of their times. A new one is always at the index's end,
-- so it costs an insert less than a microsecond; the time never changes, so no update touches it.
CREATE INDEX transfer_by_time ON transfer (created_at);

-- Down Migration

DROP INDEX transfer_by_time;
