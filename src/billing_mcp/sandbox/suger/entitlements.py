"""Suger entitlements: what a buyer bought, and by which dimensions its usage is metered."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.sandbox import clock
from billing_mcp.sandbox.call import Call, Refusal, Reply
from billing_mcp.sandbox.store import Connection, Row
from billing_mcp.sandbox.suger import paging
from billing_mcp.sandbox.suger.organization import ORGANIZATION, OrganizationResource

resource = OrganizationResource()


@resource.route("GET", "/org/{orgId}/entitlement")
def list_entitlements(call: Call) -> Reply:
    paging.not_imitated(call, "hubspotDealId", "salesforceOpportunityId")
    page = paging.page(call)
    wanted = paging.filters(
        call, "partner", "productId", "offerId", "buyerId", "externalId", "buyerAccountId"
    )
    # The vendor's document calls the buyer's AWS account `buyerAccountId`, its SDK `awsAccountId`.
    wanted["account"] = wanted.pop("buyerAccountId") or call.query.get("awsAccountId")
    rows = call.db.execute(
        """
        select * from suger_entitlements
        where (:partner is null or partner = :partner)
          and (:productId is null or product_id = :productId)
          and (:offerId is null or offer_id = :offerId)
          and (:buyerId is null or buyer_id = :buyerId)
          and (:externalId is null or external_id = :externalId)
          and (:account is null or buyer_id in (
                select id from suger_buyers
                where json_extract(info, '$.awsBuyer.awsAccountID') = :account))
        order by serial desc limit :limit offset :offset
        """,
        wanted | {"limit": page.limit, "offset": page.offset},
    )
    return Reply([render(row) for row in rows])


@resource.route("GET", "/org/{orgId}/entitlement/{entitlementId}")
def get_entitlement(call: Call) -> Reply:
    row = _row(call.db, call.path["entitlementId"])
    body = render(row)
    usage = _usage_counts(call.db, row["id"])
    for dimension in body["info"].get("dimensions", []):
        dimension["usageCount"] = usage.get(dimension["key"], _NO_USAGE)
    return Reply(body)


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What metering has to know of an entitlement."""

    id: str
    buyer_id: str
    partner: str
    product_id: str
    term_id: str
    external_id: str
    external_buyer_id: str
    external_product_id: str
    status: str
    info: Mapping[str, Any]
    list_prices: Mapping[str, Decimal]
    used_commit_amount: Decimal

    def dimension_key(self, key_or_name: str) -> str | None:
        """The key of the usage dimension that is so called; keys win over names."""
        dimensions = self.info.get("dimensions", [])
        for field in ("key", "name"):
            for dimension in dimensions:
                if dimension.get(field) == key_or_name:
                    return str(dimension["key"])
        return None

    def unit_prices(self) -> dict[str, Decimal]:
        """Dimension key -> unit price, for the dimensions that have one."""
        dimensions = self.info.get("dimensions", [])
        return {d["key"]: Decimal(d["rate"]) for d in dimensions if "rate" in d}

    def billable_dimension(self, metric_id: str) -> Mapping[str, Any] | None:
        """The billable dimension that uses the metric."""
        for dimension in self.info.get("billableDimensions", []):
            if dimension["billableMetricId"] == metric_id:
                found: Mapping[str, Any] = dimension
                return found
        return None

    @property
    def commit_amount(self) -> Decimal:
        return Decimal(self.info.get("commitAmount", 0))


def find(db: Connection, entitlement_id: str) -> Entitlement:
    """The entitlement for metering. Refuses with 404."""
    row = _row(db, entitlement_id)
    prices: Any = money.from_json(row["list_prices"])
    info: Any = money.from_json(row["info"])
    return Entitlement(
        id=row["id"],
        buyer_id=row["buyer_id"],
        partner=row["partner"],
        product_id=row["product_id"],
        term_id=row["entitlement_term_id"],
        external_id=row["external_id"],
        external_buyer_id=row["external_buyer_id"],
        external_product_id=row["external_product_id"],
        status=row["status"],
        info=info,
        list_prices={key: Decimal(price) for key, price in prices.items()},
        used_commit_amount=Decimal(row["used_commit_amount"]),
    )


def _row(db: Connection, entitlement_id: str) -> Row:
    row: Row | None = db.execute(
        "select * from suger_entitlements where id = ?", (entitlement_id,)
    ).fetchone()
    if row is None:
        raise Refusal(404, f"entitlement {entitlement_id} not found")
    return row


def insert_entitlement(
    call: Call,
    *,
    buyer_id: str,
    name: str,
    product_id: str,
    start_time: datetime,
    info: Mapping[str, Any],
    end_time: datetime | None = None,
    status: str = "ACTIVE",
    type: str = "",  # noqa: A002 - the column's own name
    offer_id: str = "",
    external_id: str = "",
    external_product_id: str = "",
    list_prices: Mapping[str, Decimal] | None = None,
    meta_info: Mapping[str, Any] | None = None,
    id: str | None = None,  # noqa: A002 - the column's own name
) -> str:
    """An entitlement as a marketplace would have announced it. Gives back its id.

    The API itself creates one only from an offer, and offers are not imitated. `info` is the
    vendor's EntitlementInfo: `dimensions` (key, name, rate), `billableDimensions`
    (billableMetricId, priceModelBasic), `commitAmount`, `currency`. `list_prices` are the unit
    prices of the public listing where a private offer agreed others.
    """
    entitlement_id = id or call.new_short_id()
    call.db.execute(
        """
        insert into suger_entitlements
          (id, buyer_id, partner, product_id, offer_id, entitlement_term_id, external_id,
           external_buyer_id, external_product_id, name, type, status, start_time, end_time,
           info, meta_info, list_prices, creation_time, last_update_time)
        select :id, id, partner, :product_id, :offer_id, :term_id, :external_id,
               external_id, :external_product_id, :name, :type, :status, :start_time, :end_time,
               :info, :meta_info, :list_prices, :stamp, :stamp
        from suger_buyers where id = :buyer_id
        """,
        {
            "id": entitlement_id,
            "buyer_id": buyer_id,
            "product_id": product_id,
            "offer_id": offer_id,
            "term_id": call.new_short_id(),
            "external_id": external_id,
            "external_product_id": external_product_id,
            "name": name,
            "type": type,
            "status": status,
            "start_time": clock.written(start_time),
            "end_time": None if end_time is None else clock.written(end_time),
            "info": money.to_json(info).decode(),
            "meta_info": json.dumps(dict(meta_info or {})),
            "list_prices": money.to_json(dict(list_prices or {})).decode(),
            "stamp": call.stamp,
        },
    )
    _row(call.db, entitlement_id)  # no such buyer: nothing was selected, so nothing inserted
    return entitlement_id


_NO_USAGE = {"reportedCount": Decimal(0), "includedCount": Decimal(0), "creditCount": Decimal(0)}


def _usage_counts(db: Connection, entitlement_id: str) -> dict[str, dict[str, Decimal]]:
    rows = db.execute(
        "select dimension_key, reported, included from suger_dimension_usage"
        " where entitlement_id = ?",
        (entitlement_id,),
    )
    return {
        row["dimension_key"]: _NO_USAGE
        | {"reportedCount": Decimal(row["reported"]), "includedCount": Decimal(row["included"])}
        for row in rows
    }


def render(row: Row) -> dict[str, Any]:
    info: Any = money.from_json(row["info"])
    return {
        "id": row["id"],
        "organizationID": ORGANIZATION,
        "partner": row["partner"],
        "service": "MARKETPLACE",
        "buyerID": row["buyer_id"],
        "productID": row["product_id"],
        "offerID": row["offer_id"],
        "entitlementTermID": row["entitlement_term_id"],
        "externalID": row["external_id"],
        "externalBuyerID": row["external_buyer_id"],
        "externalProductID": row["external_product_id"],
        "name": row["name"],
        "type": row["type"],
        "status": row["status"],
        "startTime": row["start_time"],
        "endTime": row["end_time"],
        "info": info,
        "metaInfo": money.from_json(row["meta_info"]),
        "creationTime": row["creation_time"],
        "lastUpdateTime": row["last_update_time"],
    }
