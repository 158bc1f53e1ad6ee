"""Good calls of the tools for customers, accounts, aliases, settings, files, schemas, features,
usage meters and events."""

from typing import Any

from world import World, meter

SETTING = {
    "id": "per_kilo",
    "namespace": "USER",
    "entityType": "ORGANIZATION",
    "entityId": "sandbox",
    "name": "Calls in a kilocall",
    "value": "1000",
    "dataType": "NUMERIC",
}


def event(event_id: str) -> dict[str, Any]:
    """An event of 3 calls that harbor-test made today."""
    return {
        "schemaName": "api_calls",
        "id": event_id,
        "timestamp": "2026-11-20T11:00:00Z",
        "accountId": "harbor-test",
        "attributes": [{"name": "calls", "value": "3"}],
        "dimensions": {"region": "eu"},
    }


def drafted_schema(world: World, name: str, status: str = "DRAFT") -> str:
    """The name of a schema in this status."""
    body = {"name": name, "attributes": [{"name": "units"}], "dimensions": [{"name": "region"}]}
    world.ask("POST", "/togai/event_schema", body)
    if status == "ACTIVE":
        world.ask("POST", f"/togai/event_schema/{name}/activate")
    return name


def drafted_meter(world: World, name: str) -> str:
    """The id of a meter that is not active yet."""
    body = {
        "name": name,
        "type": "COUNTER",
        "aggregation": "COUNT",
        "eventSchemaName": "api_calls",
    }
    meter_id: str = world.ask("POST", "/togai/usage_meters", body)["id"]
    return meter_id


def ingested(world: World, event_id: str) -> str:
    """The id of an event that was counted."""
    world.ask("POST", "/togai/ingest", {"event": event(event_id)})
    return event_id


def report(world: World) -> str:
    """The id of a file that a report is in."""
    world.sandbox.backend.run_job("write-reports", None)
    file_id: str = world.ask("GET", "/togai/reports")["data"][0]["fileId"]
    return file_id


def calls(world: World) -> dict[str, dict[str, Any]]:
    """Arguments by tool. Prepares at the vendor what a call needs to find there."""
    file = {"fileId": report(world)}
    return {
        **_whom(world),
        **_settings(world),
        "list-reports": {},
        "get-file": file,
        "get-file-download-url": file | {"expiry": 60},
        **_schemas(world),
        **_meters(world),
        **_events(world),
        "create-access-token": {},
        "create-portal-token": {"customerId": "harbor-labs", "accountIds": ["harbor-main"]},
        "create-feature": {
            "name": "Calls",
            "schemaAssociations": [{"schemaName": "api_calls", "attributeName": "calls"}],
        },
        "update-feature": {"featureId": world.answers, "billableName": "Answers given"},
    }


def _whom(world: World) -> dict[str, dict[str, Any]]:
    closing = {
        "id": "closing",
        "name": "Closing",
        "primaryEmail": "billing@closing.example",
        "address": {},
    }
    world.ask("POST", "/togai/customers", closing)
    for account_id, alias in (("mill-old", "mill-device"), ("mill-aside", "mill-other")):
        body = {"id": account_id, "name": f"Account {account_id}", "customerId": "north-mill"}
        world.ask("POST", "/togai/accounts", body | {"aliases": [alias]})
    free = {"aliases": [{"value": "device-1"}, {"value": "device-2"}]}
    world.ask("POST", "/togai/aliases", free)
    mill = {"accountId": "mill-aside"}
    return {
        "update-customer": {"customerId": "north-mill", "name": "North Mill & Sons"},
        "delete-customer": {"customerId": "closing"},
        "create-customer-contact": {
            "customerId": "harbor-labs",
            "name": "Accounts payable",
            "email": "payable@harbor-labs.example",
        },
        "update-account": mill | {"netTermDays": 30, "tags": ["vip"]},
        "delete-account": {"accountId": "mill-old"},
        "list-account-aliases": mill,
        "add-account-aliases": mill | {"aliases": ["mill-new"]},
        "remove-account-aliases": mill | {"aliases": ["mill-other"]},
        "list-aliases": {},
        "get-alias": {"alias": "device-1"},
        "create-aliases": {"aliases": ["device-3"]},
        "delete-alias": {"alias": "device-2"},
    }


def _settings(world: World) -> dict[str, dict[str, Any]]:
    world.ask("POST", "/togai/settings", SETTING)
    seen = {"settingId": "setting.USER.per_kilo.ORGANIZATION.sandbox"}
    own = {"entityType": "ACCOUNT", "entityId": "harbor-main"}
    return {
        "list-settings": {"namespace": "USER"},
        "get-setting": seen,
        "create-setting": SETTING | own,
        "update-setting": seen | {"value": "1024"},
    }


def _schemas(world: World) -> dict[str, dict[str, Any]]:
    drafted = drafted_schema(world, "draft")
    return {
        "list-event-schema-versions": {"eventSchemaName": "api_calls"},
        "create-event-schema": {
            "name": "storage",
            "attributes": [{"name": "gigabytes"}],
            "dimensions": [],
        },
        "update-event-schema": {"eventSchemaName": drafted, "description": "Drafted"},
        "activate-event-schema": {"eventSchemaName": drafted_schema(world, "ready")},
        "deactivate-event-schema": {
            "eventSchemaName": drafted_schema(world, "paused", "ACTIVE"),
        },
        "delete-event-schema": {"eventSchemaName": drafted_schema(world, "unused")},
    }


def _meters(world: World) -> dict[str, dict[str, Any]]:
    return {
        "get-usage-meter": {"usageMeterId": world.calls_meter},
        "create-usage-meter": {
            "name": "Large calls",
            "eventSchemaName": "api_calls",
            "aggregation": "SUM",
            "computations": [{"computation": '{"var": "attributes.calls"}'}],
        },
        "update-usage-meter": {"usageMeterId": drafted_meter(world, "Old"), "name": "New"},
        "activate-usage-meter": {"usageMeterId": drafted_meter(world, "Ready")},
        "deactivate-usage-meter": {"usageMeterId": meter(world.sandbox, "Paused", "api_calls")},
        "delete-usage-meter": {"usageMeterId": drafted_meter(world, "Unused")},
    }


def _events(world: World) -> dict[str, dict[str, Any]]:
    account = {"accountId": "harbor-test"}
    return {
        "list-events": account,
        "get-event": {"eventId": ingested(world, "seen")},
        "ingest-event": {"event": event("single")},
        "correct-events": account | {"action": "UNDO", "eventId": ingested(world, "wrong")},
        "undo-events": account | {"eventId": ingested(world, "mistaken")},
    }
