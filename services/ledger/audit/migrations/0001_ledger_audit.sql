-- Up Migration

-- The auditor looks at postings in the order of their times. A new one is always at the index's end,
-- so it costs an insert less than a microsecond.
CREATE INDEX entry_by_time ON entry (created_at);

-- A posting is written once, and nothing of the platform changes it: whoever does leaves a trace here.
-- The trigger is for statements that change or delete, so that inserts know nothing of it.
CREATE TABLE entry_change (
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  seq bigint GENERATED ALWAYS AS IDENTITY,
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  role text NOT NULL DEFAULT session_user,
  action text NOT NULL,
  account_id uuid NOT NULL,
  version bigint NOT NULL,
  reference uuid NOT NULL,
  -- The whole row as it was.
  before json NOT NULL,
  PRIMARY KEY (xid, seq)
);

CREATE FUNCTION record_entry_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO entry_change (action, account_id, version, reference, before)
  SELECT TG_OP, account_id, version, reference, row_to_json(changed) FROM changed;
  RETURN NULL;
END
$$;
CREATE TRIGGER entry_updated AFTER UPDATE ON entry REFERENCING OLD TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION record_entry_change();
CREATE TRIGGER entry_deleted AFTER DELETE ON entry REFERENCING OLD TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION record_entry_change();

-- Down Migration

DROP TRIGGER entry_deleted ON entry;
DROP TRIGGER entry_updated ON entry;
DROP FUNCTION record_entry_change();
DROP TABLE entry_change;
DROP INDEX entry_by_time;
