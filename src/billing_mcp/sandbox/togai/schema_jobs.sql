-- Work on many entries, each of which succeeds or fails for itself.
create table jobs (
    number integer primary key,
    id text not null unique,
    type text not null check (type in ('PRICE_PLAN', 'EVENT_CORRECTIONS', 'BILL_RUN')),
    status text not null check (
        status in ('WAITING_FOR_CONFIRMATION', 'COMPLETED', 'FAILED', 'CANCELLED')
    ),
    task text not null, -- what is to be done with each entry, for whoever does it
    metadata text not null,
    created_at text not null,
    updated_at text not null,
    settled_at text
) strict;

create table job_entries (
    number integer primary key,
    job_id text not null references jobs (id),
    entity_id text not null,
    status text not null check (status in ('PENDING', 'COMPLETED', 'FAILED', 'CANCELLED')),
    metadata text not null,
    created_at text not null
) strict;
create index job_entries_by_job on job_entries (job_id, status);
