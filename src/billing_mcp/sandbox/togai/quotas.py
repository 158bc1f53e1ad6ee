"""Togai's documented quotas of things per organisation, held when the settings ask for them."""

from billing_mcp.sandbox.call import Call, Refusal

# Table, how many may be there, and its name in the refusal.
CUSTOMERS = ("customers", 100, "customers")
ACCOUNTS = ("accounts", 100, "accounts")
ALIASES = ("account_aliases", 1000, "account aliases")
PRICE_PLANS = ("price_plans", 100, "price plans")
EVENT_SCHEMAS = ("event_schemas", 100, "event schemas")
USAGE_METERS = ("usage_meters", 100, "usage meters")


def room_for_one(call: Call, quota: tuple[str, int, str]) -> None:
    """Refuse with 400 (ours) when one more would be too many."""
    table, limit, noun = quota
    if not call.settings.quotas:
        return
    # `version` counts an event schema's past too; only the schema itself is counted.
    column = "distinct name" if table == "event_schemas" else "*"
    count = call.db.execute(f"select count({column}) from {table}").fetchone()[0]  # noqa: S608 - names above
    if count >= limit:
        raise Refusal(400, f"Quota exceeded: the organisation has {limit} {noun} already")
