-- Togai's add-ons and the licences of accounts. Written as schema.sql says; read after it.

create table add_ons (
    id text primary key,
    name text not null,
    billable_name text,
    type text not null check (type in ('LICENSE', 'FIXED_FEE', 'CREDIT_GRANT', 'NAMED_LICENSE')),
    status text not null check (status in ('ACTIVE', 'ARCHIVED')),
    created_at text not null,
    updated_at text not null
) strict;
create index add_ons_by_change on add_ons (updated_at desc, id);
create unique index add_ons_by_name on add_ons (name) where status <> 'ARCHIVED';

-- Updates of plain licences. `quantity` is what is held after it; an update that is entered
-- before others in time changes theirs.
create table licence_updates (
    number integer primary key,
    account_id text not null references accounts (id),
    licence_id text not null references add_ons (id),
    update_type text not null check (update_type in ('RELATIVE', 'ABSOLUTE')),
    asked text not null,
    quantity text not null,
    effective_from text not null,
    idempotency_key text unique,
    metadata text,
    created_at text not null
) strict;
create index licence_updates_in_order
    on licence_updates (account_id, licence_id, effective_from, number);

-- Who holds a named licence, from when until when (exclusive; null: still).
create table named_licences (
    id text primary key,
    account_id text not null references accounts (id),
    licence_id text not null references add_ons (id),
    name text not null,
    effective_from text not null,
    effective_until text,
    created_at text not null,
    updated_at text not null
) strict;
create index named_licences_by_holder on named_licences (account_id, licence_id, name);
