"""Togai, emulated: the list of its resources and of the jobs that time runs."""

from billing_mcp.sandbox.call import Resource
from billing_mcp.sandbox.jobs import Job
from billing_mcp.sandbox.togai import (
    accounts,
    add_ons,
    billing,
    credits,  # noqa: A004 - named after the resource, as every file here
    custom_invoices,
    customers,
    entitlements,
    event_corrections,
    event_schemas,
    events,
    feature_grants,
    features,
    invoice_changes,
    invoices,
    licence_updates,
    named_licences,
    price_plan_currencies,
    price_plans,
    price_plans_v2,
    pricing_rules,
    pricing_schedules,
    purchases,
    revenue_calculator,
    usage_meters,
)

RESOURCES: tuple[Resource, ...] = (
    accounts.resource,
    add_ons.resource,
    credits.resource,
    custom_invoices.resource,
    customers.resource,
    entitlements.resource,
    event_corrections.resource,
    event_schemas.resource,
    events.resource,
    features.resource,
    invoice_changes.resource,
    invoices.resource,
    licence_updates.resource,
    named_licences.resource,
    price_plan_currencies.resource,
    price_plans.resource,
    price_plans_v2.resource,
    pricing_rules.resource,
    pricing_schedules.resource,
    purchases.resource,
    revenue_calculator.resource,
    usage_meters.resource,
)
# In this order when several fall due at the same time: what ends makes room for what begins.
JOBS: tuple[Job, ...] = (
    credits.EXPIRE,
    feature_grants.EXPIRE,
    billing.RUN,
    custom_invoices.ADVANCE,
)
