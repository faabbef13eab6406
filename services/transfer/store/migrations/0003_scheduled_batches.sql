-- Up Migration

-- How many batches of a member wait for their time is counted before there is one more.
CREATE INDEX transfer_batch_scheduled ON transfer_batch (member_id) WHERE state = 'SCHEDULED';

-- Down Migration

DROP INDEX transfer_batch_scheduled;
