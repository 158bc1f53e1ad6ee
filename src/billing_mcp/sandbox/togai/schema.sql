-- Togai's tables. Times are fixed-width UTC texts (clock.written), exact numbers are plain decimal
-- texts, money of invoices is whole minor units
-- (as texts too: they may be longer than a column of integers holds) beside its currency, lists and objects are JSON.

create table customers (
    id text primary key,
    internal_id text not null,
    name text not null,
    primary_email text not null,
    address text not null,
    status text not null check (status in ('ACTIVE', 'ARCHIVED')),
    created_at text not null,
    updated_at text not null
) strict;
create index customers_by_change on customers (updated_at desc, id);

create table accounts (
    id text primary key,
    internal_id text not null,
    customer_id text not null references customers (id),
    name text not null,
    invoice_currency text not null,
    net_term_days integer not null,
    address text,
    primary_email text,
    billing_information text,
    metadata text not null,
    tags text not null,
    status text not null check (status in ('ACTIVE', 'DRAFT', 'ARCHIVED')),
    created_at text not null,
    updated_at text not null
) strict;
create index accounts_by_change on accounts (updated_at desc, id);
create index accounts_by_customer on accounts (customer_id);

create table account_aliases (
    id text primary key,
    account_id text not null references accounts (id),
    value text not null,
    effective_from text not null,
    effective_until text not null,
    created_at text not null
) strict;
create index account_aliases_by_value on account_aliases (value);
create index account_aliases_by_account on account_aliases (account_id);

-- The row with the highest version is the schema; the others are its past.
create table event_schemas (
    name text not null,
    version integer not null,
    status text not null check (status in ('DRAFT', 'ACTIVE', 'INACTIVE', 'ARCHIVED')),
    description text,
    attributes text not null,
    dimensions text not null,
    filter_fields text not null,
    enrichments text,
    event_id_template text,
    created_at text not null,
    updated_at text not null,
    primary key (name, version)
) strict;

create table usage_meters (
    id text primary key,
    name text not null,
    billable_name text,
    description text,
    filters text not null,
    type text not null,
    aggregation text not null check (aggregation in ('COUNT', 'SUM')),
    computations text not null,
    event_schema_name text not null,
    version integer not null,
    status text not null check (status in ('DRAFT', 'ACTIVE', 'INACTIVE', 'ARCHIVED')),
    created_at text not null,
    last_activated_at text,
    updated_at text not null
) strict;
create index usage_meters_by_schema on usage_meters (event_schema_name, status);
create unique index usage_meters_by_name on usage_meters (name) where status <> 'ARCHIVED';

create table features (
    id text primary key,
    name text not null unique,
    billable_name text,
    created_at text not null,
    updated_at text not null
) strict;

create table feature_schemas (
    schema_name text primary key,
    feature_id text not null references features (id),
    attribute_name text not null
) strict;
create index feature_schemas_by_feature on feature_schemas (feature_id);

-- `version` is the one that counts: the latest ACTIVE one, or the draft of a plan never active.
create table price_plans (
    id text primary key,
    name text not null,
    type text not null check (type in ('BILLING', 'PURCHASE')),
    status text not null check (status in ('DRAFT', 'ACTIVE', 'ARCHIVED')),
    version integer not null
) strict;
create unique index price_plans_by_name on price_plans (name) where status <> 'ARCHIVED';

create table pricing_schedules (
    id text primary key,
    account_id text not null references accounts (id),
    price_plan_id text not null references price_plans (id),
    price_plan_version integer not null,
    -- When the plan was associated: cutting a schedule's start must not move its cycles.
    associated_on text not null,
    start_date text not null,
    end_date text not null,
    details_override text,
    rules_override text,
    next_cycle_at text, -- when its next cycle opens; null: all have opened
    created_at text not null
) strict;
create index pricing_schedules_by_account on pricing_schedules (account_id, start_date);
create index pricing_schedules_by_next_cycle on pricing_schedules (next_cycle_at);

-- What the events of a cycle add up to. An event is added once, when it is counted.
create table cycle_usage (
    schedule_id text not null,
    cycle_number integer not null, -- 0 holds the association
    usage_meter_id text not null,
    units text not null,
    primary key (schedule_id, cycle_number, usage_meter_id)
) strict, without rowid;

-- What a final invoice charged in advance for the licences of a cycle.
create table licences_in_advance (
    schedule_id text not null,
    cycle_number integer not null, -- the one that was paid for
    licence_id text not null,
    amount text not null,
    primary key (schedule_id, cycle_number, licence_id)
) strict, without rowid;

-- Accounts whose drafts are no longer what their usage, credits and plans make of them.
create table stale_accounts (
    account_id text primary key
) strict, without rowid;

create table feature_entries (
    number integer primary key,
    id text not null,
    account_id text not null references accounts (id),
    feature_id text not null references features (id),
    source text not null check (source in ('ENTITLEMENT', 'PRICE_PLAN', 'OVERAGE', 'REFUND')),
    status text not null check (status in ('ACTIVE', 'EXPIRED', 'VOIDED')),
    effective_from text not null,
    effective_until text not null,
    granted text, -- null: overage without a limit
    used text not null,
    unique (account_id, feature_id, id)
) strict;
create index feature_entries_by_end on feature_entries (status, effective_until);

create table events (
    number integer primary key,
    reference_id text not null unique,
    event_id text,
    schema_name text not null,
    account_reference text not null, -- as sent: an account's id or one of its aliases
    account_id text,
    customer_id text,
    happened_at text not null,
    payload text not null,
    status text not null,
    status_description text not null,
    pipeline text not null,
    created_at text not null
) strict;
create index events_by_event_id on events (event_id, created_at);
create index events_by_account on events (account_id, happened_at);

-- What each counted event took of which entry; taken back, it has no rows.
create table feature_takings (
    event_number integer not null,
    entry_number integer not null references feature_entries (number),
    amount text not null,
    primary key (event_number, entry_number)
) strict, without rowid;

create table credits (
    id text primary key,
    account_id text not null references accounts (id),
    customer_id text not null,
    purpose text not null,
    applicable_entity_ids text not null,
    effective_from text not null, -- a date
    effective_until text, -- a date; the credit is no longer there on it
    amount text not null,
    held text not null,
    consumed text not null,
    lapsed text not null, -- what expired or was voided
    currency text not null,
    priority integer not null,
    grantor_id text,
    idempotency_key text unique,
    status text not null check (status in ('ACTIVE', 'CONSUMED', 'EXPIRED', 'VOIDED')),
    created_at text not null,
    updated_at text not null
) strict;
create index credits_by_account on credits (account_id);
create index credits_by_end on credits (status, effective_until);

create table credit_transactions (
    number integer primary key,
    id text not null unique,
    credit_id text not null references credits (id),
    type text not null check (type in ('CREDITED', 'DEBITED', 'EXPIRED', 'VOIDED')),
    invoice_id text,
    entity_id text,
    amount text not null,
    created_at text not null
) strict;
create index credit_transactions_by_credit on credit_transactions (credit_id);

create table invoices (
    id text primary key,
    sequence_id text,
    customer_id text references customers (id),
    owner_id text not null, -- an account's, or an invoice group's
    price_plan_id text,
    -- Of an invoice that is computed from a cycle, and when that one becomes final.
    schedule_id text,
    cycle_number integer,
    final_at text,
    status text not null,
    finalizing_status text,
    class text not null check (class in ('INVOICE', 'ORDER', 'BILLABLE')),
    type text not null,
    auto_advance integer not null,
    start_date text not null,
    end_date text not null, -- exclusive
    invoice_date text not null,
    due_date text not null,
    generated_at text,
    updated_at text not null,
    currency text not null,
    total_minor text not null,
    paid_minor text not null,
    net_term_days integer not null,
    details text not null,
    usage_info text not null,
    revenue_info text not null,
    info text not null,
    metadata text not null
) strict;
create index invoices_by_date on invoices (invoice_date desc, id);
create index invoices_by_owner on invoices (owner_id);
create index invoices_that_run on invoices (final_at) where status = 'DRAFT';
create index invoices_by_cycle on invoices (schedule_id, cycle_number);
