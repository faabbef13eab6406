-- Up Migration

-- What each caller has spent in its window, leases of the edges included. Unlogged: what a crash
-- loses is a minute's count.
CREATE UNLOGGED TABLE rate_budget (
  key text PRIMARY KEY,
  window_end timestamptz NOT NULL,
  spent integer NOT NULL,
  -- The last lease, and the limit that it was given under.
  granted integer NOT NULL,
  budget integer NOT NULL
) WITH (fillfactor = 50);

CREATE INDEX rate_budget_window_end ON rate_budget (window_end);

-- Down Migration

DROP TABLE rate_budget;
