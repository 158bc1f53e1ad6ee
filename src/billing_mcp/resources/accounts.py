"""`billing://accounts/{id}`: who is billed, in which currency, and where its bills are."""

from billing_mcp.resources.addresses import Address, uri
from billing_mcp.resources.markdown import facts, mapping_rows, quoted
from billing_mcp.resources.pages import Document, Section, rendered
from billing_mcp.resources.reading import Content, Reader, Wanted

ACCOUNT = Wanted("account", "account", "accountId", "list-accounts")


async def read(address: Address, reader: Reader) -> Content:
    account = await reader.one("get-account", ACCOUNT, address.name or "")
    account_id = quoted(account["id"])
    net_term = account.get("netTermDays")
    described = facts(
        (
            ("status", quoted(account.get("status"))),
            ("customer", quoted(account.get("customerId"))),
            ("invoice currency", quoted(account.get("invoiceCurrency"))),
            ("pays within", None if net_term is None else f"{net_term} days (net term)"),
            ("email", quoted(account.get("primaryEmail"))),
            ("vendor's id", quoted(account.get("togaiAccountId"))),
            ("address", quoted(account.get("address"))),
            ("tags", quoted(account.get("tags") or None)),
            ("aliases (events may name them too)", _aliases(account.get("aliases"))),
        )
    )
    sections = [Section(facts=described)]
    for name, heading in (("metadata", "Metadata"), ("settings", "Settings")):
        entries = account.get(name)
        if isinstance(entries, dict) and entries:
            rows = mapping_rows(entries)
            sections.append(Section(f"## {heading}", columns=("name", "value"), rows=rows))
        elif entries:
            lines = [f"- {quoted(entry)}" for entry in entries]
            sections.append(Section(f"## {heading}", rows=lines))
    with_it = f"with accountId {account_id}"
    following = (
        f"- its invoices, each at billing://invoices/{{id}}: `list-invoices` {with_it}",
        f"- its credits: `list-credits` {with_it}",
        f"- what it may use: `get-entitlements-account` {with_it}",
        f"- how bills come about: {uri('guides', 'invoices')}",
    )
    sections.append(Section("## Where to go next", rows=following))
    title = f"{quoted(account.get('name') or account['id'])} (account {account_id})"
    document = Document(title, account["environment"], sections)
    return Content(rendered(document, address), "text/markdown")


def _aliases(aliases: object) -> str | None:
    if not isinstance(aliases, list) or not aliases:
        return None
    return ", ".join(
        quoted(alias.get("alias", alias) if isinstance(alias, dict) else alias) for alias in aliases
    )
