"""What Suger sends to a marketplace's metering API, and what that answers. Pure.

The shapes are those of the raw requests and responses in Suger's usage record reports. A refusal
is the same for every dimension of a request: the marketplace does not know the customer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from billing_mcp.sandbox import clock
from billing_mcp.sandbox.suger.entitlements import Entitlement


@dataclass(frozen=True, slots=True)
class PartnerCall:
    """One call to a marketplace: what an entitlement used by dimension, and its ids."""

    entitlement: Entitlement
    quantities: Mapping[str, Decimal]
    start: datetime
    end: datetime
    new_uuid: Callable[[], str]
    refused: bool

    def made(self) -> tuple[dict[str, Any], str]:
        """The request and response fields of a report's info, and a sentence on the outcome."""
        make = {"AWS": _aws, "AZURE": _azure, "GCP": _gcp}[self.entitlement.partner]
        return make(self)


def _aws(call: PartnerCall) -> tuple[dict[str, Any], str]:
    customer = call.entitlement.external_buyer_id
    stamp = clock.written(call.end)
    records = [
        {
            "CustomerIdentifier": customer,
            "Dimension": key,
            "Quantity": int(quantity),
            "Timestamp": stamp,
        }
        for key, quantity in call.quantities.items()
    ]
    status = "CustomerNotSubscribed" if call.refused else "Success"
    results = [
        {
            "meteringRecordId": "" if call.refused else call.new_uuid(),
            "status": status,
            "usageRecord": {
                "customerIdentifier": customer,
                "dimension": record["Dimension"],
                "quantity": record["Quantity"],
                "timestamp": stamp,
            },
        }
        for record in records
    ]
    fields = {
        "awsMeteringRequest": {
            "ProductCode": call.entitlement.external_product_id,
            "UsageRecords": records,
        },
        "awsMeteringResponse": {"results": results, "unprocessedRecords": []},
    }
    return fields, f"AWS Marketplace answered {status}"


def _azure(call: PartnerCall) -> tuple[dict[str, Any], str]:
    subscriptions = call.entitlement.info.get("azureSubscriptions", [{}])
    plan = subscriptions[0].get("planId", call.entitlement.external_product_id)
    events = [
        {
            "resourceId": call.entitlement.external_id,
            "planId": plan,
            "dimension": key,
            "quantity": quantity,
            "effectiveStartTime": clock.written(call.start),
        }
        for key, quantity in call.quantities.items()
    ]
    status = "ResourceNotFound" if call.refused else "Accepted"
    told: dict[str, Any] = {"messageTime": clock.written(call.end), "status": status}
    results: list[dict[str, Any]] = []
    for event in events:
        if call.refused:
            message = f"no subscription {event['resourceId']}"
            told |= {"error": {"code": status, "message": message}}
        else:
            told |= {"usageEventId": call.new_uuid()}
        results.append(event | told)
    fields = {
        "azureMeteringRequest": {"request": events},
        "azureMeteringResponse": {"count": len(results), "result": results},
    }
    return fields, f"Azure Marketplace answered {status}"


def _gcp(call: PartnerCall) -> tuple[dict[str, Any], str]:
    operation_id = call.new_uuid()
    bought = call.entitlement.info.get("gcpEntitlements", [{}])
    fields: dict[str, Any] = {
        "gcpMeteringRequest": {
            "operationId": operation_id,
            "operationName": "usage",
            "consumerId": bought[0].get("usageReportingId", call.entitlement.external_id),
            "startTime": clock.written(call.start),
            "endTime": clock.written(call.end),
            "metricValueSets": [
                {"metricName": key, "metricValues": [_gcp_value(quantity)]}
                for key, quantity in call.quantities.items()
            ],
        },
        "gcpMeteringResponse": {"serviceConfigId": call.entitlement.external_product_id},
    }
    if not call.refused:
        return fields, "Google Cloud Marketplace accepted the operation"
    # 5 is NOT_FOUND among Google's status codes.
    status = {"code": 5, "message": "the consumer is not found"}
    fields["gcpMeteringResponse"]["reportErrors"] = [
        {"operationId": operation_id, "status": status}
    ]
    return fields, f"Google Cloud Marketplace answered: {status['message']}"


def _gcp_value(quantity: Decimal) -> dict[str, Any]:
    if quantity == quantity.to_integral_value():
        return {"int64Value": str(int(quantity))}
    return {"doubleValue": quantity}
