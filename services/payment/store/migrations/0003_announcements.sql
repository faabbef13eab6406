-- Up Migration

-- How often a refund that has not ended was announced, and when last: an announcement that came to nothing is
-- made again.
ALTER TABLE refund
  ADD COLUMN announcements integer NOT NULL DEFAULT 1,
  ADD COLUMN announced_at timestamptz NOT NULL DEFAULT now();

CREATE INDEX refund_to_announce ON refund (announced_at) WHERE state IN ('REQUESTED', 'BOOKED');

-- Down Migration

DROP INDEX refund_to_announce;
ALTER TABLE refund DROP COLUMN announcements, DROP COLUMN announced_at;
