-- Up Migration
-- The saga that began this one, and at which step it waits for the end. Null where nobody waits.
ALTER TABLE saga ADD COLUMN parent_id uuid, ADD COLUMN parent_step text;
CREATE INDEX saga_parent ON saga (parent_id) WHERE parent_id IS NOT NULL;

-- Down Migration
ALTER TABLE saga DROP COLUMN parent_id, DROP COLUMN parent_step;
