-- What belongs to the organisation itself: settings, aliases, contacts, reports and their files.

create table settings (
    full_id text primary key, -- setting.<namespace>.<id>.<entity type>.<entity id>
    id text not null,
    value text not null,
    entity_type text not null check (entity_type in ('ORGANIZATION', 'CUSTOMER', 'ACCOUNT')),
    entity_id text not null,
    namespace text not null,
    name text not null,
    data_type text not null check (data_type in ('STRING', 'NUMERIC', 'JSON', 'JSON_LOGIC')),
    updated_at text not null
) strict;
create index settings_by_entity on settings (entity_type, entity_id);

-- Aliases that no account has yet; those of accounts are theirs.
create table free_aliases (
    value text primary key,
    created_at text not null
) strict;

create table customer_contacts (
    username text primary key,
    customer_id text not null references customers (id),
    preferred_username text unique,
    name text not null,
    email text not null,
    phone text,
    login_access integer not null,
    verified integer not null,
    created_at text not null,
    unique (customer_id, email)
) strict;

create table files (
    id text primary key,
    name text not null,
    content text not null
) strict;

create table reports (
    id text primary key,
    name text not null,
    account_id text references accounts (id), -- null: of the whole organisation
    file_id text not null references files (id),
    created_at text not null,
    updated_at text not null
) strict;
create index reports_by_change on reports (updated_at desc, id);
