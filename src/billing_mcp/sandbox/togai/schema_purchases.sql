-- What accounts bought, or were proposed to buy; an approved proposal is a purchase as well.
create table purchases (
    id text primary key,
    account_id text not null references accounts (id),
    proposed integer not null,
    type text not null check (
        type in ('ENTITLEMENT_GRANT', 'ASSOCIATION', 'WALLET_TOPUP', 'PREPAID')
    ),
    payment_mode text not null check (payment_mode in ('PREPAID', 'POSTPAID')),
    status text not null check (
        status in (
            'SUCCESS', 'PENDING', 'FAILURE',
            'PROPOSAL_ACTIVE', 'PROPOSAL_DECLINED', 'PROPOSAL_EXPIRED'
        )
    ),
    price_plan_id text references price_plans (id), -- null: a wallet is topped up
    price_plan_version integer,
    quantity integer not null,
    rate_card_quantities text,
    idempotency_key text unique,
    plan_override text, -- of either kind of plan
    wallet_topup text,
    effective_from text not null,
    effective_until text,
    expires_at text,
    price_minor text not null,
    invoice_id text,
    comment text,
    responded_at text,
    created_at text not null,
    updated_at text not null
) strict;
create index purchases_by_account on purchases (account_id);
create index purchases_by_invoice on purchases (invoice_id);
create index purchases_by_expiry on purchases (status, expires_at);
