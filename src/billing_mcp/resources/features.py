"""`billing://features/{id}`: what accounts are entitled to, and which event attributes use it."""

from billing_mcp.resources.addresses import Address, uri
from billing_mcp.resources.markdown import facts, moment, quoted, row
from billing_mcp.resources.pages import Document, Section, rendered
from billing_mcp.resources.reading import Content, Reader, Wanted

FEATURE = Wanted("feature", "feature", "featureId", "list-features")


async def read(address: Address, reader: Reader) -> Content:
    feature = await reader.one("get-feature", FEATURE, address.name or "")
    feature_id = quoted(feature["id"])
    described = facts(
        (
            ("display name", quoted(feature.get("displayName"))),
            ("billable name", quoted(feature.get("billableName"))),
            ("created (UTC)", moment(feature.get("createdAt"))),
            ("last changed (UTC)", moment(feature.get("updatedAt"))),
        )
    )
    used_up = [
        row(
            (
                quoted(association["schemaName"]),
                quoted(association["attributeName"]),
                uri("event-schemas", association["schemaName"]),
            )
        )
        for association in feature.get("schemaAssociations") or ()
    ]
    nothing = () if used_up else ("No events use it up.",)
    with_it = f"with featureId {feature_id}"
    following = (
        f"- what an account has of it: `get-feature-credits-balance` {with_it}",
        f"- whether an account may use it: `check-entitlement-value-account` {with_it}",
        f"- how grants and overage work: {uri('guides', 'entitlements-and-feature-credits')}",
    )
    sections = (
        Section(facts=described),
        Section("## Used up by", nothing, ("event schema", "attribute", "resource"), used_up),
        Section("## Where to go next", rows=following),
    )
    title = f"{quoted(feature['name'])} (feature {feature_id})"
    document = Document(title, feature["environment"], sections)
    return Content(rendered(document, address), "text/markdown")
