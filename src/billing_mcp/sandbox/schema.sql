-- What belongs to the sandbox itself and to neither vendor.

create table clock (
    name text primary key check (name in ('start', 'now')),
    moment text not null
) strict;

-- One row. Every generated id is derived from the next number, so that two runs of the same
-- calls show the same ids.
create table sequence (last integer not null) strict;
insert into sequence (last) values (0);

-- What was really applied, for tests that ask whether something happened once.
create table effects (
    number integer primary key,
    kind text not null,
    id text not null,
    key text,
    time text not null
) strict;
create index effects_by_kind on effects (kind);
