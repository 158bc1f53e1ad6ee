"""For every route a request that succeeds on the demo company of the sandbox."""

from collections.abc import Mapping
from typing import Any

_ACCOUNT = {"accountId": "acme-prod"}
_FEATURE = {"accountId": "quill-desk", "featureId": "feat.aRBuni6zzwx.iznI9"}
_ENTRY = {**_FEATURE, "entryId": "sch.eQ3DOOK9vc6.bq4tY#2026-11-01$PRICE_PLAN"}
_ORG = {"orgId": "sandbox"}
_USAGE = {"records": {"api_requests": "1200"}}

_PLAN = {
    "supportedCurrencies": ["USD"],
    "pricingCycleConfig": {"interval": "MONTHLY", "gracePeriod": 3},
    "fixedFeeRateCards": [
        {
            "id": "seat-fee",
            "displayName": "Base fee",
            "enableProration": True,
            "rateValues": [{"currency": "USD", "rate": "49"}],
        }
    ],
}

EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "list-customers": {"search": "acme"},
    "create-customer": {
        "id": "tern-supply",
        "name": "Tern Supply",
        "primaryEmail": "billing@tern-supply.example",
    },
    "get-customer": {"customerId": "acme"},
    "list-accounts": {"customerId": "acme"},
    "create-account": {"customerId": "acme", "id": "acme-lab", "name": "Acme laboratory"},
    "ingest-events": {
        "events": [
            {
                "schemaName": "compute",
                "accountId": "acme-prod",
                "timestamp": "2026-11-20T11:00:00Z",
                "attributes": [{"name": "hours", "value": "2.5"}],
                "dimensions": {"region": "eu"},
            }
        ]
    },
    "list-price-plans": {"pageSize": 2},
    "create-price-plan": {"name": "Base fee", "pricePlanDetails": _PLAN},
    "list-invoices": {**_ACCOUNT, "status": "DUE"},
    "list-credits": {**_ACCOUNT, "status": "ACTIVE"},
    "grant-credit": {
        **_ACCOUNT,
        "creditAmount": "50.00",
        "effectiveFrom": "2026-11-20",
        "purpose": "Goodwill for the outage",
    },
    "get-entitlements-account": {"accountId": "quill-desk"},
    "get-entitlement-value-account": _FEATURE,
    "check-entitlement-value-account": {**_FEATURE, "body": {"value": "5"}},
    "get-feature-credits-balance": _FEATURE,
    "list-feature-credits-entries-feature": _FEATURE,
    "update-feature-credits-entry": {**_ENTRY, "body": {"granted": "1200"}},
    "void-feature-credits-entry-feature": _ENTRY,
    "ingest-event-if-user-is": {
        "body": {
            "event": {
                "schemaName": "assistant",
                "accountId": "quill-desk",
                "timestamp": "2026-11-20T11:00:00Z",
                "attributes": [{"name": "answers", "value": "1"}],
                "dimensions": {"workspace": "editorial"},
            }
        }
    },
    "list-usagerecordgroups": {**_ORG, "status": "REPORT_FAILED"},
    "report-usagerecordgroup": {**_ORG, "entitlementId": "0m4qasAtR", "body": _USAGE},
    "batch-validate-usagerecordgroups": {
        **_ORG,
        "body": [{"entitlementID": "0m4qasAtR", **_USAGE}],
    },
    "batch-report-usagerecordgroups": {
        **_ORG,
        "body": [{"entitlementID": "0m4qasAtR", **_USAGE}],
    },
    "retry-usagerecordgroup": {
        **_ORG,
        "usageRecordGroupId": "38ebcad3-8c31-461c-81c1-eb363af7ba6f",
    },
    "delete-usagerecordgroup": {
        **_ORG,
        "usageRecordGroupId": "7a62e274-bee6-4aa9-b0d3-b76a15f25a6a",
        # It takes something back, so without this it would wait for a person.
        "dryRun": True,
    },
    "list-usagerecordreports": {**_ORG, "partner": "AWS", "limit": 5},
    "list-billable-metrics": {**_ORG, "status": "ACTIVE"},
    "create-billable-metric": {**_ORG, "body": {"name": "Seats", "aggregationType": "MAX"}},
    "get-billable-metric": {**_ORG, "billableMetricId": "answers-by-workspace"},
    "update-billable-metric": {
        **_ORG,
        "billableMetricId": "answers-by-workspace",
        "body": {"description": "Answers, by the workspace that asked"},
    },
    "get-usage-metering-config-info": _ORG,
    "update-usage-metering-config-info": {
        **_ORG,
        "body": {"partnerUsageMeteringConfigs": [{"partner": "AWS"}]},
    },
}
