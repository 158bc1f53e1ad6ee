-- What is watched, and what was found. Written as schema.sql says.

create table alerts (
    id text primary key,
    number integer not null unique, -- the order in which they were made
    version integer not null,
    template_id text not null,
    description text,
    status text not null check (status in ('ACTIVE', 'INACTIVE')),
    interval_minutes integer not null,
    validity_minutes integer, -- of its incidents; null: until they are closed
    entity_details text not null,
    owner_details text,
    parameters text not null,
    -- Whether a breach opens an incident; not while one is open, nor again before it was over.
    armed integer not null,
    next_check_at text, -- null: INACTIVE
    created_at text not null,
    updated_at text not null
) strict;
create index alerts_by_next_check on alerts (next_check_at);

create table incidents (
    id text primary key,
    number integer not null unique,
    alert_id text not null references alerts (id),
    alert_version integer not null,
    template_id text not null,
    valid_until text,
    report_data text not null,
    status text not null check (status in ('OPEN', 'CLOSED')),
    last_checked_at text not null,
    created_at text not null,
    updated_at text not null
) strict;
create index incidents_by_alert on incidents (alert_id, status);
create index incidents_by_end on incidents (status, valid_until);
