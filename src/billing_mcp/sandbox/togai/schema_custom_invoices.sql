-- What Togai's custom invoices were asked to be. Written as schema.sql says; read after it.

create table custom_invoices (
    invoice_id text primary key references invoices (id),
    idempotency_key text unique,
    line_items text not null, -- as sent
    apply_credits integer not null,
    apply_wallet integer not null,
    created_at text not null
) strict;
create index custom_invoices_that_advance on invoices (end_date)
    where type = 'CUSTOM' and status = 'DRAFT' and auto_advance = 1;
