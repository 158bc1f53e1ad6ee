"""The 32 routes of the REST face as data: which tool answers where, and where arguments stand."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote_to_bytes

from billing_mcp import errors

Place = Literal["path", "query", "field", "body"]
"""`body` is the whole JSON body, `field` a field of an object that is the body."""

# How the three seeds spell a parameter of a path, and the argument of the tools that it is.
ARGUMENTS = {
    "customerId": "customerId",
    "accountId": "accountId",
    "account-id": "accountId",
    "feature-id": "featureId",
    "entry-id": "entryId",
    "orgid": "orgId",
    "entitlementid": "entitlementId",
    "billablemetricid": "billableMetricId",
    "usagerecordgroupid": "usageRecordGroupId",
}

_PARAMETER = re.compile(r"\{([^}]+)\}")

_CUSTOMER = "/v1/customers/{customerId}"
_ACCOUNT = "/v1/accounts/{accountId}"
_ENTITLEMENT = "/v1/accounts/{account-id}/entitlements"
_FEATURE = "/v1/accounts/{account-id}/features/{feature-id}"
_ENTRY = f"{_FEATURE}/entries/{{entry-id}}"
_ORG = "/v1/org/{orgid}"
_GROUP = f"{_ORG}/usagerecordgroup/{{usagerecordgroupid}}"
_METRIC = f"{_ORG}/billablemetric/{{billablemetricid}}"


@dataclass(frozen=True, slots=True)
class RestRoute:
    """A method and a path as the seeds spell it; the tool behind it; its name in OpenAPI."""

    method: str
    path: str
    tool: str
    operation: str

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of the path as it spells them, each with the argument that it is."""
        return {name: ARGUMENTS[name] for name in _PARAMETER.findall(self.path)}

    def place(self, argument: str, schema: Mapping[str, Any]) -> Place | None:
        """Where an argument of the tool stands (design §2.8); None: it is not taken.

        `schema` is the tool's input schema. REST always answers in full, so `detail` is not taken.
        """
        if argument in self.parameters.values():
            return "path"
        if argument == "detail":
            return None
        if "body" in schema["properties"]:
            return "body" if argument == "body" else "query"
        return "field" if self.takes_body else "query"

    @property
    def takes_body(self) -> bool:
        return self.method in ("POST", "PATCH")


# Seed 000 has the tool's name for the operation too; the others have the vendor's.
GROUPS: Mapping[str, tuple[RestRoute, ...]] = {
    "Customers and accounts": (
        RestRoute("GET", "/v1/customers", "list-customers", "list-customers"),
        RestRoute("POST", "/v1/customers", "create-customer", "create-customer"),
        RestRoute("GET", _CUSTOMER, "get-customer", "get-customer"),
        RestRoute("GET", f"{_CUSTOMER}/accounts", "list-accounts", "list-accounts"),
        RestRoute("POST", f"{_CUSTOMER}/accounts", "create-account", "create-account"),
    ),
    "Events": (
        RestRoute("POST", "/v1/events", "ingest-events", "ingest-events"),
        RestRoute("POST", "/v1/entitled", "ingest-event-if-user-is", "ingestentitledevent"),
    ),
    "Price plans": (
        RestRoute("GET", "/v1/price-plans", "list-price-plans", "list-price-plans"),
        RestRoute("POST", "/v1/price-plans", "create-price-plan", "create-price-plan"),
    ),
    "Invoices and credits": (
        RestRoute("GET", f"{_ACCOUNT}/invoices", "list-invoices", "list-invoices"),
        RestRoute("GET", f"{_ACCOUNT}/credits", "list-credits", "list-credits"),
        RestRoute("POST", f"{_ACCOUNT}/credits", "grant-credit", "grant-credit"),
    ),
    "Entitlements": (
        RestRoute("GET", _ENTITLEMENT, "get-entitlements-account", "getentitlements"),
        RestRoute(
            "GET",
            f"{_ENTITLEMENT}/{{feature-id}}",
            "get-entitlement-value-account",
            "getentitlementvalue",
        ),
        RestRoute(
            "POST",
            f"{_ENTITLEMENT}/{{feature-id}}",
            "check-entitlement-value-account",
            "validateentitlementvalue",
        ),
    ),
    "Feature credits": (
        RestRoute("GET", _FEATURE, "get-feature-credits-balance", "getfeaturecredits"),
        RestRoute(
            "GET",
            f"{_FEATURE}/entries",
            "list-feature-credits-entries-feature",
            "listfeaturecreditentries",
        ),
        RestRoute("PATCH", _ENTRY, "update-feature-credits-entry", "updatefeaturecreditentry"),
        RestRoute(
            "POST",
            f"{_ENTRY}/void",
            "void-feature-credits-entry-feature",
            "voidfeaturecreditentry",
        ),
    ),
    "Marketplace usage": (
        RestRoute(
            "GET", f"{_ORG}/usagerecordgroup", "list-usagerecordgroups", "listusagerecordgroups"
        ),
        RestRoute(
            "POST",
            f"{_ORG}/entitlement/{{entitlementid}}/usagerecordgroup",
            "report-usagerecordgroup",
            "reportusagerecordgroup",
        ),
        RestRoute(
            "POST",
            f"{_ORG}/batchvalidateusagerecordgroups",
            "batch-validate-usagerecordgroups",
            "batchvalidateusagerecordgroups",
        ),
        RestRoute(
            "POST",
            f"{_ORG}/batchcreateusagerecordgroups",
            "batch-report-usagerecordgroups",
            "batchreportusagerecordgroups",
        ),
        RestRoute("POST", f"{_GROUP}/retry", "retry-usagerecordgroup", "retryusagerecordgroup"),
        RestRoute("DELETE", _GROUP, "delete-usagerecordgroup", "deleteusagerecordgroup"),
        RestRoute(
            "GET", f"{_ORG}/usagerecordreport", "list-usagerecordreports", "listusagerecordreports"
        ),
    ),
    "Billable metrics": (
        RestRoute("GET", f"{_ORG}/billablemetric", "list-billable-metrics", "listbillablemetrics"),
        RestRoute(
            "POST", f"{_ORG}/billablemetric", "create-billable-metric", "createbillablemetric"
        ),
        RestRoute("GET", _METRIC, "get-billable-metric", "getbillablemetric"),
        RestRoute("PATCH", _METRIC, "update-billable-metric", "updatebillablemetric"),
    ),
    "Metering configuration": (
        RestRoute(
            "GET",
            f"{_ORG}/usagemeteringconfiginfo",
            "get-usage-metering-config-info",
            "getusagemeteringconfiginfo",
        ),
        RestRoute(
            "PATCH",
            f"{_ORG}/usagemeteringconfiginfo",
            "update-usage-metering-config-info",
            "updateusagemeteringconfiginfo",
        ),
    ),
}

ROUTES: tuple[RestRoute, ...] = tuple(route for group in GROUPS.values() for route in group)


@dataclass(frozen=True, slots=True)
class Found:
    """What stands at a path: its routes by method, and the text of its parameters."""

    routes: Mapping[str, RestRoute]
    values: Mapping[str, str]

    def arguments(self, route: RestRoute) -> dict[str, str]:
        """The arguments of the tool that the path has. Raises `InvalidRequest`.

        Decoded here and not by the server, because a `/` that is part of an id arrives as `%2F`.
        """
        found = {}
        for name, argument in route.parameters.items():
            try:
                found[argument] = unquote_to_bytes(self.values[name]).decode()
            except UnicodeDecodeError as error:
                raise errors.InvalidRequest(
                    f"{argument} in the path is not UTF-8.",
                    field=argument,
                    next_step="Percent-encode the bytes of its UTF-8.",
                ) from error
        return found


def _patterns() -> Iterator[tuple[re.Pattern[str], dict[str, RestRoute]]]:
    by_path: dict[str, dict[str, RestRoute]] = {}
    for route in ROUTES:
        by_path.setdefault(route.path, {})[route.method] = route
    for path, routes in by_path.items():
        pieces = _PARAMETER.split(path)
        fixed = [re.escape(piece) for piece in pieces[::2]]
        yield re.compile("([^/]+)".join(fixed)), routes


_PATTERNS = tuple(_patterns())


def at(path: str) -> Found | None:
    """What stands at a path, still percent-encoded; None when nothing does."""
    for pattern, routes in _PATTERNS:
        match = pattern.fullmatch(path)
        if match is not None:
            names = next(iter(routes.values())).parameters
            return Found(routes, dict(zip(names, match.groups(), strict=True)))
    return None
