-- Up Migration

-- Where a member wants events sent. due_at is when the queue of its deliveries is worth a look
-- (NULL: nothing waits); whoever adds deliveries, takes some or ends one does it under this row's lock.
CREATE TABLE webhook_endpoint (
  id uuid PRIMARY KEY,
  member_id uuid NOT NULL,
  url text NOT NULL,
  event_types text[] NOT NULL,
  description text NOT NULL,
  -- Sealed: AES-256-GCM under FERRY_NOTIFY_KEY_SECRET, bound to the id.
  secret bytea NOT NULL,
  previous_secret bytea,
  previous_secret_until timestamptz,
  state text NOT NULL DEFAULT 'ENABLED' CHECK (state IN ('ENABLED', 'DISABLED', 'DELETED')),
  disable_reason text,
  disabled_at timestamptz,
  failing_since timestamptz,
  pending_count integer NOT NULL DEFAULT 0,
  due_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);

CREATE INDEX webhook_endpoint_member ON webhook_endpoint (member_id, created_at, id);
CREATE INDEX webhook_endpoint_due ON webhook_endpoint (due_at) WHERE due_at IS NOT NULL;

-- One event for one endpoint. The id is made from both, so an event that comes again adds nothing.
CREATE TABLE webhook_delivery (
  id uuid PRIMARY KEY,
  seq bigint GENERATED ALWAYS AS IDENTITY,
  endpoint_id uuid NOT NULL REFERENCES webhook_endpoint (id),
  event_id uuid NOT NULL,
  event_type text NOT NULL,
  -- Deliveries to one endpoint about one subject go one after the other, by version.
  subject text NOT NULL,
  version bigint NOT NULL,
  body text NOT NULL,
  state text NOT NULL DEFAULT 'PENDING' CHECK (state IN ('PENDING', 'DELIVERED', 'DEAD')),
  -- While it is sent, due_at is the end of the sender's lease. Infinity: it waits for an earlier one.
  sending boolean NOT NULL DEFAULT false,
  due_at timestamptz NOT NULL DEFAULT now(),
  attempt_count integer NOT NULL DEFAULT 0,
  attempts jsonb NOT NULL DEFAULT '[]',
  created_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz
) WITH (fillfactor = 70);

CREATE INDEX webhook_delivery_due ON webhook_delivery (endpoint_id, due_at) WHERE state = 'PENDING';
CREATE INDEX webhook_delivery_sending ON webhook_delivery (endpoint_id) WHERE sending;
CREATE INDEX webhook_delivery_subject ON webhook_delivery (endpoint_id, subject, version, seq) WHERE state = 'PENDING';
CREATE INDEX webhook_delivery_list ON webhook_delivery (endpoint_id, seq);
CREATE INDEX webhook_delivery_state ON webhook_delivery (endpoint_id, state, seq);
CREATE INDEX webhook_delivery_ended ON webhook_delivery (ended_at) WHERE ended_at IS NOT NULL;

-- Down Migration

DROP TABLE webhook_delivery;
DROP TABLE webhook_endpoint;
