-- Up Migration

-- Names this log in the names of its transactions: a coordinator never touches those of another log.
CREATE TABLE two_phase_log (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  id uuid NOT NULL
);

-- What was decided. Presumed abort: whatever is not here is rolled back. Only commits are written on the
-- way; an abort is written where somebody else than its coordinator presumed it, so that the two cannot
-- decide differently. Commits are deleted when all participants have ended, aborts after days.
CREATE TABLE two_phase_decision (
  id uuid PRIMARY KEY,
  decision text NOT NULL CHECK (decision IN ('commit', 'abort')),
  participants text[] NOT NULL,
  decided_at timestamptz NOT NULL DEFAULT statement_timestamp()
);
CREATE INDEX two_phase_decision_age ON two_phase_decision (decided_at);

-- What operators decided: who, when, why, and how the transaction stood before.
CREATE TABLE two_phase_audit (
  transaction_id uuid NOT NULL,
  at timestamptz NOT NULL DEFAULT statement_timestamp(),
  operator_id text NOT NULL,
  action text NOT NULL CHECK (action IN ('commit', 'abort')),
  reason text NOT NULL,
  before jsonb NOT NULL
);
CREATE INDEX two_phase_audit_transaction ON two_phase_audit (transaction_id, at);

-- Down Migration

DROP TABLE two_phase_audit;
DROP TABLE two_phase_decision;
DROP TABLE two_phase_log;
