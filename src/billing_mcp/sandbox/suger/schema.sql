-- What the sandbox keeps of Suger. Times are texts as the clock writes them; quantities and prices
-- are exact numbers, as text or inside JSON.

create table suger_buyers (
    serial integer primary key,
    id text not null unique,
    partner text not null,
    external_id text not null,
    name text not null,
    description text not null,
    contact_ids text not null, -- JSON array
    info text not null, -- JSON: the vendor's BuyerInfo
    creation_time text not null,
    last_update_time text not null
) strict;

create table suger_entitlements (
    serial integer primary key,
    id text not null unique,
    buyer_id text not null references suger_buyers (id),
    partner text not null,
    product_id text not null,
    offer_id text not null,
    entitlement_term_id text not null,
    external_id text not null,
    external_buyer_id text not null,
    external_product_id text not null,
    name text not null,
    type text not null,
    status text not null check (
        status in ('ACTIVE', 'CANCELLED', 'DELETED', 'PENDING_CANCEL', 'PENDING_START', 'SUSPENDED')
    ),
    start_time text not null,
    end_time text,
    info text not null, -- JSON: the vendor's EntitlementInfo
    meta_info text not null, -- JSON: the vendor's WorkloadMetaInfo
    list_prices text not null, -- JSON: dimension key -> unit price of the public listing
    used_commit_amount text not null default '0',
    creation_time text not null,
    last_update_time text not null
) strict;
create index suger_entitlements_by_buyer on suger_entitlements (buyer_id);

-- What successful reports have added up to, and what AWS's whole numbers left over.
create table suger_dimension_usage (
    entitlement_id text not null references suger_entitlements (id),
    dimension_key text not null,
    reported text not null,
    included text not null,
    decimal_part text not null,
    primary key (entitlement_id, dimension_key)
) strict;

create table suger_billable_metrics (
    serial integer primary key,
    id text not null unique,
    name text not null,
    description text not null,
    aggregation_type text not null check (
        aggregation_type in ('COUNT', 'UNIQUE_COUNT', 'SUM', 'MAX', 'LAST')
    ),
    status text not null check (status in ('ACTIVE', 'DELETED')),
    info text not null, -- JSON: the vendor's BillableMetricInfo
    creation_time text not null,
    last_update_time text not null
) strict;

create table suger_metering_configs (
    position integer primary key,
    partner text not null unique,
    config text not null -- JSON: the vendor's PartnerUsageMeteringConfig
) strict;

create table suger_usage_record_reports (
    serial integer primary key,
    id text not null unique,
    entitlement_id text not null references suger_entitlements (id),
    creation_time text not null,
    info text not null -- JSON: the vendor's MeteringUsageRecordReportInfo
) strict;
create index suger_reports_by_time on suger_usage_record_reports (creation_time);
create index suger_reports_by_entitlement
    on suger_usage_record_reports (entitlement_id, creation_time);

create table suger_usage_record_groups (
    serial integer primary key,
    id text not null unique,
    entitlement_id text not null references suger_entitlements (id),
    status text not null check (
        status in ('CREATED', 'DELETED', 'INVALID', 'REPORTED', 'REPORT_PENDING', 'REPORT_FAILED')
    ),
    records text not null, -- JSON: key -> quantity, after the dimension mapping
    origin_records text not null, -- JSON: key -> quantity, as it was reported
    billable_records text not null, -- JSON array of the vendor's MeteringUsageRecord
    source text not null,
    skip_validation integer not null check (skip_validation in (0, 1)),
    usage_time text not null, -- when the usage happened
    creation_time text not null,
    last_update_time text not null,
    reported_time text,
    report_id text references suger_usage_record_reports (id)
) strict;
create index suger_groups_by_time on suger_usage_record_groups (creation_time);
create index suger_groups_waiting on suger_usage_record_groups (entitlement_id, usage_time)
    where status in ('CREATED', 'REPORT_PENDING');
