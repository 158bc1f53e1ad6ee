"""Suger buyers: the customers as their cloud marketplace knows them. Read only, as here."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from billing_mcp import money
from billing_mcp.sandbox.call import Call, Refusal, Reply
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.suger import paging
from billing_mcp.sandbox.suger.organization import ORGANIZATION, OrganizationResource

resource = OrganizationResource()


@resource.route("GET", "/org/{orgId}/buyer")
def list_buyers(call: Call) -> Reply:
    paging.not_imitated(call, "emailDomain")
    page = paging.page(call)
    rows = call.db.execute(
        """
        select * from suger_buyers
        where (:partner is null or partner = :partner)
          and (:contactId is null
               or exists (select 1 from json_each(contact_ids) where value = :contactId))
          and (:awsAccountId is null
               or json_extract(info, '$.awsBuyer.awsAccountID') = :awsAccountId)
        order by serial desc limit :limit offset :offset
        """,
        paging.filters(call, "partner", "contactId", "awsAccountId")
        | {"limit": page.limit, "offset": page.offset},
    )
    return Reply([render(row) for row in rows])


@resource.route("GET", "/org/{orgId}/buyer/{buyerId}")
def get_buyer(call: Call) -> Reply:
    buyer_id = call.path["buyerId"]
    row = call.db.execute("select * from suger_buyers where id = ?", (buyer_id,)).fetchone()
    if row is None:
        raise Refusal(404, f"buyer {buyer_id} not found")
    return Reply(render(row))


def insert_buyer(
    call: Call,
    *,
    partner: str,
    external_id: str,
    name: str,
    info: Mapping[str, Any],
    description: str = "",
    contact_ids: Sequence[str] = (),
    id: str | None = None,  # noqa: A002 - the column's own name
) -> str:
    """A buyer as a marketplace would have announced it; the API itself cannot create one.

    (Its POST takes only buyers whom Suger bills itself.) Gives back the buyer's id.
    """
    buyer_id = id or call.new_short_id()
    call.db.execute(
        """
        insert into suger_buyers
          (id, partner, external_id, name, description, contact_ids, info,
           creation_time, last_update_time)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        (
            *(buyer_id, partner, external_id, name, description),
            *(json.dumps(list(contact_ids)), money.to_json(info).decode()),
            *(call.stamp, call.stamp),
        ),
    )
    return buyer_id


def render(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "organizationID": ORGANIZATION,
        "partner": row["partner"],
        "externalID": row["external_id"],
        "name": row["name"],
        "description": row["description"],
        "contactIds": money.from_json(row["contact_ids"]),
        "info": money.from_json(row["info"]),
        "creationTime": row["creation_time"],
        "lastUpdateTime": row["last_update_time"],
    }
