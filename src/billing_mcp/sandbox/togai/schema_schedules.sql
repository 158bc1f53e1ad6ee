-- What is drafted for the schedules of an account, until it is finalized or discarded.
create table schedule_drafts (
    account_id text primary key references accounts (id),
    base text not null, -- the schedules as they were when the draft was begun
    edits text not null, -- in their order
    created_at text not null,
    updated_at text not null
) strict;
