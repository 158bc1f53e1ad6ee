-- What a price plan is in each of its versions. At most one is a DRAFT, and it is the latest. An
-- ACTIVE one changes no more, except in currencies that nobody is billed in.
create table price_plan_versions (
    price_plan_id text not null references price_plans (id),
    version integer not null,
    reference_id text not null unique, -- the vendor's id of this version: its pricing schedule
    status text not null check (status in ('DRAFT', 'ACTIVE')),
    description text,
    details text not null,
    active_currencies text not null,
    pricing_rules text not null,
    created_at text not null,
    updated_at text not null,
    primary key (price_plan_id, version)
) strict;

-- What pricing rules did when an invoice was computed last.
create table pricing_rule_logs (
    invoice_id text primary key,
    logs text not null
) strict;
