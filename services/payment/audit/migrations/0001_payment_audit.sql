-- Up Migration

-- The auditor looks at what is new in the order of its time, which never changes.
CREATE INDEX top_up_by_time ON top_up (created_at);
CREATE INDEX payment_by_time ON payment (created_at);
CREATE INDEX refund_by_time ON refund (created_at);

-- Down Migration

DROP INDEX refund_by_time;
DROP INDEX payment_by_time;
DROP INDEX top_up_by_time;
