-- Up Migration

CREATE TABLE member (
  id uuid PRIMARY KEY,
  -- In its normal form, lower case: see domain/member.ts.
  email text NOT NULL CONSTRAINT member_email UNIQUE,
  display_name text NOT NULL,
  -- PHC string, with its own parameters and salt.
  password_hash text NOT NULL,
  role text NOT NULL DEFAULT 'member' CHECK (role IN ('member', 'operator')),
  state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'suspended')),
  version bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT statement_timestamp()
);

-- The snapshot that verifiers get.
CREATE INDEX member_suspended ON member (id) WHERE state = 'suspended';

-- Who suspended whom, or lifted it, when and why. Rows are only ever added.
CREATE TABLE suspension_audit (
  id uuid PRIMARY KEY,
  member_id uuid NOT NULL REFERENCES member (id),
  operator_id uuid NOT NULL REFERENCES member (id),
  state text NOT NULL CHECK (state IN ('active', 'suspended')),
  reason text NOT NULL,
  version bigint NOT NULL,
  recorded_at timestamptz NOT NULL,
  UNIQUE (member_id, version)
);

CREATE TABLE session (
  id uuid PRIMARY KEY,
  member_id uuid NOT NULL REFERENCES member (id),
  created_at timestamptz NOT NULL,
  -- When its newest refresh token ends; then the session is forgotten.
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz
);

CREATE INDEX session_member ON session (member_id);
CREATE INDEX session_expires ON session (expires_at);
-- Sessions whose access tokens may still be about.
CREATE INDEX session_revoked ON session (revoked_at) WHERE revoked_at IS NOT NULL;

-- Every refresh token that may come back, the used ones too: their second use ends the session.
CREATE TABLE refresh_token (
  -- SHA-256; the token holds 256 random bits, so that a slow hash would add nothing.
  hash bytea PRIMARY KEY,
  session_id uuid NOT NULL REFERENCES session (id) ON DELETE CASCADE,
  expires_at timestamptz NOT NULL,
  used_at timestamptz
);

CREATE INDEX refresh_token_session ON refresh_token (session_id);
CREATE INDEX refresh_token_expires ON refresh_token (expires_at);

-- A handful of rows: retired keys are deleted.
CREATE TABLE signing_key (
  kid text PRIMARY KEY,
  -- PKCS #8, sealed with AES-256-GCM: nonce (12 bytes), tag (16 bytes), ciphertext.
  sealed_private_key bytea NOT NULL,
  public_key_pem text NOT NULL,
  created_at timestamptz NOT NULL,
  signs_from timestamptz NOT NULL,
  retire_at timestamptz
);

CREATE INDEX signing_key_retire ON signing_key (retire_at);

-- Down Migration

DROP TABLE signing_key;
DROP TABLE refresh_token;
DROP TABLE session;
DROP TABLE suspension_audit;
DROP TABLE member;
