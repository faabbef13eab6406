-- Up Migration

-- Where a session was used from last, as the edge saw it.
ALTER TABLE session
  ADD COLUMN last_used_at timestamptz,
  ADD COLUMN address text NOT NULL DEFAULT '',
  ADD COLUMN user_agent text NOT NULL DEFAULT '',
  -- Of what stands for the session of an API client, so that its tokens end as those of a log-in do.
  ADD COLUMN api_client_id uuid;

-- The list that a member sees.
CREATE INDEX session_open ON session (member_id, id) WHERE revoked_at IS NULL AND api_client_id IS NULL;

CREATE TABLE api_client (
  id uuid PRIMARY KEY,
  member_id uuid NOT NULL REFERENCES member (id),
  display_name text NOT NULL,
  scopes text[] NOT NULL,
  -- SHA-256; the secret is 256 random bits, so that a slow hash would add nothing.
  secret_hash bytea NOT NULL,
  -- Its tokens carry it as their session; a new secret begins a new one.
  session_id uuid NOT NULL UNIQUE REFERENCES session (id),
  created_at timestamptz NOT NULL,
  last_used_at timestamptz
);

CREATE INDEX api_client_member ON api_client (member_id, id);

-- Wrong passwords in a window of time, by the hash of what is counted: an email, an address, or both together.
CREATE TABLE login_guess (
  key bytea PRIMARY KEY,
  count integer NOT NULL,
  ends_at timestamptz NOT NULL
);

CREATE INDEX login_guess_ends ON login_guess (ends_at);

-- Who did what to whom, when, from where, and how it came out. Without references: what it names may be forgotten.
CREATE TABLE audit_log (
  -- UUIDv7: in order of time.
  id uuid PRIMARY KEY,
  kind text NOT NULL,
  recorded_at timestamptz NOT NULL,
  member_id uuid,
  actor_id uuid,
  session_id uuid,
  api_client_id uuid,
  address text NOT NULL,
  user_agent text NOT NULL,
  outcome text NOT NULL,
  reason text NOT NULL
);

CREATE INDEX audit_log_member ON audit_log (member_id, id);
CREATE INDEX audit_log_kind ON audit_log (kind, id);
CREATE INDEX audit_log_recorded ON audit_log (recorded_at);

INSERT INTO audit_log
SELECT id, CASE state WHEN 'suspended' THEN 'MEMBER_SUSPENDED' ELSE 'MEMBER_REINSTATED' END, recorded_at, member_id,
  operator_id, NULL, NULL, '', '', 'OK', reason
FROM suspension_audit;

-- Replicas of the release before go on writing there until the last of them is replaced: nothing of it is lost. The
-- next release takes the table away.
CREATE FUNCTION suspension_audit_copy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO audit_log VALUES (
    NEW.id, CASE NEW.state WHEN 'suspended' THEN 'MEMBER_SUSPENDED' ELSE 'MEMBER_REINSTATED' END, NEW.recorded_at,
    NEW.member_id, NEW.operator_id, NULL, NULL, '', '', 'OK', NEW.reason
  );
  RETURN NULL;
END $$;

CREATE TRIGGER suspension_audit_copy AFTER INSERT ON suspension_audit
  FOR EACH ROW EXECUTE FUNCTION suspension_audit_copy();

CREATE FUNCTION audit_log_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF OLD.recorded_at < now() - interval '400 days' THEN
      RETURN OLD;
    END IF;
  END IF;
  RAISE EXCEPTION 'audit_log: entries are only ever added, and kept 400 days';
END $$;

CREATE TRIGGER audit_log_keep BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION audit_log_keep();
CREATE TRIGGER audit_log_keep_all BEFORE TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION audit_log_keep();

-- Down Migration

DROP TRIGGER suspension_audit_copy ON suspension_audit;
DROP FUNCTION suspension_audit_copy;
INSERT INTO suspension_audit
SELECT id, member_id, actor_id, CASE kind WHEN 'MEMBER_SUSPENDED' THEN 'suspended' ELSE 'active' END, reason,
  row_number() OVER (PARTITION BY member_id ORDER BY id) + 1, recorded_at
FROM audit_log WHERE kind IN ('MEMBER_SUSPENDED', 'MEMBER_REINSTATED') ON CONFLICT DO NOTHING;

DROP TABLE audit_log;
DROP FUNCTION audit_log_keep;
DROP TABLE login_guess;
DROP TABLE api_client;
DROP INDEX session_open;
DELETE FROM session WHERE api_client_id IS NOT NULL;
ALTER TABLE session
  DROP COLUMN last_used_at, DROP COLUMN address, DROP COLUMN user_agent, DROP COLUMN api_client_id;
