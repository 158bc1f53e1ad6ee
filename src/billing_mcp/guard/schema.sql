-- The ledger, in SQL that SQLite and PostgreSQL both read. Times are microseconds since 1970 in UTC,
-- because they sort the same in both; amounts are exact decimal text; JSON is canonical text.

CREATE TABLE billing_ledger (
  version BIGINT NOT NULL
);

CREATE TABLE billing_operations (
  tenant TEXT NOT NULL,
  environment TEXT NOT NULL,
  id TEXT NOT NULL,
  tool TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  principal TEXT NOT NULL,
  client TEXT,
  role TEXT,
  target TEXT,
  customer TEXT,
  purpose TEXT,
  rule TEXT,
  arguments TEXT NOT NULL,
  amount TEXT,
  currency TEXT,
  day TEXT,
  state TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  sent_at BIGINT,
  baseline TEXT,
  settled_at BIGINT,
  forgotten_at BIGINT,
  expires_at BIGINT,
  plan TEXT,
  seal TEXT,
  approvals TEXT,
  denial TEXT,
  outcome TEXT,
  vendor_request_ids TEXT,
  retryable BIGINT NOT NULL,
  attempt BIGINT NOT NULL,
  lease_until BIGINT,
  sequence BIGINT NOT NULL,
  PRIMARY KEY (tenant, environment, id)
);
CREATE INDEX billing_operations_newest ON billing_operations (tenant, environment, created_at, id);
-- What recovery looks for is a handful of rows among all that were ever decided.
CREATE INDEX billing_operations_open ON billing_operations (tenant, environment, created_at, id)
  WHERE state IN ('claimed', 'sent', 'unknown');

-- What was spent, by each customer and by each role. Sums, so that a ceiling costs one row.
CREATE TABLE billing_spent (
  tenant TEXT NOT NULL,
  environment TEXT NOT NULL,
  per TEXT NOT NULL,
  subject TEXT NOT NULL,
  currency TEXT NOT NULL,
  day TEXT NOT NULL,
  amount TEXT NOT NULL,
  PRIMARY KEY (tenant, environment, per, subject, currency, day)
);

-- One row a partition. Whoever writes to a partition locks it first: it is the partition's mutex.
CREATE TABLE billing_audit_heads (
  tenant TEXT NOT NULL,
  environment TEXT NOT NULL,
  sequence BIGINT NOT NULL,
  hash TEXT NOT NULL,
  PRIMARY KEY (tenant, environment)
);

CREATE TABLE billing_audit (
  tenant TEXT NOT NULL,
  environment TEXT NOT NULL,
  sequence BIGINT NOT NULL,
  operation_id TEXT,
  body TEXT NOT NULL,
  hash TEXT NOT NULL,
  PRIMARY KEY (tenant, environment, sequence)
);
