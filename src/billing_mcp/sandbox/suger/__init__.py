"""Suger, emulated: one file per resource, named as in `tools/suger`."""

from billing_mcp.sandbox.suger import (
    billable_metrics,
    buyers,
    entitlements,
    marketplace_report,
    metering_config,
    usage_record_groups,
    usage_record_reports,
)

RESOURCES = (
    buyers.resource,
    entitlements.resource,
    billable_metrics.resource,
    metering_config.resource,
    usage_record_groups.resource,
    usage_record_reports.resource,
)
JOBS = (marketplace_report.JOB,)
