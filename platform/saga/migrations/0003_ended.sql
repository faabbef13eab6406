-- Up Migration
-- When a saga ended: it is never written again, so that is when it was written last. Generated, so that
-- whatever version of the code writes the row, it is there. It stays null while the saga goes from step to
-- step, and so does not keep the row from being written where it stands.
ALTER TABLE saga ADD COLUMN ended_at timestamptz
  GENERATED ALWAYS AS (CASE WHEN status IN ('completed', 'undone') THEN updated_at END) STORED;
CREATE INDEX saga_ended ON saga (ended_at) WHERE ended_at IS NOT NULL;
-- What operators decided outlives the saga that it was about.
ALTER TABLE saga_audit DROP CONSTRAINT saga_audit_saga_id_fkey;

-- Down Migration
DELETE FROM saga_audit WHERE NOT EXISTS (SELECT 1 FROM saga WHERE saga.id = saga_audit.saga_id);
ALTER TABLE saga_audit ADD CONSTRAINT saga_audit_saga_id_fkey FOREIGN KEY (saga_id) REFERENCES saga (id);
ALTER TABLE saga DROP COLUMN ended_at;
