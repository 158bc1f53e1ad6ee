-- Money that comes in: wallets, payments, invoice groups, charges beside the plan. Written as
-- schema.sql says; read after it.

-- An account without a row has an empty wallet. What drafts hold of it is computed when it is read.
create table wallets (
    account_id text primary key references accounts (id),
    funds_minor text not null, -- put in less taken out, never below zero
    status text not null check (status in ('ACTIVE', 'INACTIVE')),
    effective_from text not null,
    created_at text not null,
    updated_at text not null
) strict;

create table wallet_entries (
    number integer primary key,
    id text not null unique,
    account_id text not null references accounts (id),
    type text not null check (type in ('CREDITED', 'DEBITED')),
    description text not null,
    entity_id text,
    amount_minor text not null,
    closing_minor text not null, -- what was in the wallet after it
    created_at text not null
) strict;
create index wallet_entries_by_account on wallet_entries (account_id, number);

create table payments (
    number integer primary key,
    id text not null unique,
    account_id text not null references accounts (id),
    description text,
    notes text,
    reference text not null,
    records text not null, -- what it was used for, amounts as on the wire
    total_minor text not null,
    currency text not null,
    created_at text not null
) strict;

-- Whose money paid how much of an invoice; an invoice that was only said to be paid has none.
create table invoice_receipts (
    invoice_id text not null references invoices (id),
    account_id text not null references accounts (id),
    amount_minor text not null
) strict;
create index invoice_receipts_by_invoice on invoice_receipts (invoice_id);

-- A group that has lost its last account stays for the invoices that name it.
create table invoice_groups (
    id text primary key,
    name text not null,
    email text not null,
    consolidates integer not null,
    net_term_days integer,
    currency text not null,
    address text not null,
    status text not null check (status in ('ACTIVE', 'DELETED')),
    created_at text not null,
    updated_at text not null
) strict;

create table invoice_group_accounts (
    account_id text primary key references accounts (id),
    group_id text not null references invoice_groups (id),
    joined_at text not null -- invoices that were due before stay by themselves
) strict;
create index invoice_group_accounts_by_group on invoice_group_accounts (group_id);

create table merged_invoices (
    invoice_id text primary key references invoices (id),
    composite_id text not null references invoices (id)
) strict;
create index merged_invoices_by_composite on merged_invoices (composite_id);

-- Under an account's id: for its upcoming invoice. Under a draft's: for that one.
create table miscellaneous_charges (
    owner_id text primary key,
    items text not null -- as sent
) strict;
