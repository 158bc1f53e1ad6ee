"""Parts of customers and accounts alike: addresses and billing e-mail addresses."""

from typing import Any

from billing_mcp.sandbox import call

_ADDRESS = ("phoneNumber", "line1", "line2", "postalCode", "city", "state", "country")
_LONGEST_EMAIL = 320
_LONGEST_BILLING_ADDRESS = 1000


def address(body: dict[str, Any], at: str = "") -> dict[str, Any]:
    """The required field `address`; each of its own fields may be left out."""
    place = f"{at}address."
    given = call.closed(call.mapping(body, "address", at=at), _ADDRESS, place)
    return {name: call.text(given, name, at=place) for name in _ADDRESS if name in given}


def billing_address(parts: dict[str, Any]) -> str:
    """The address in one line, as a customer has it beside the address itself."""
    lines = (parts.get(name, "") for name in _ADDRESS[1:])
    return ", ".join(line for line in lines if line)[:_LONGEST_BILLING_ADDRESS]


def email(body: dict[str, Any], name: str, at: str = "") -> str:
    return call.text(body, name, maximum=_LONGEST_EMAIL, at=at)


def billing_information(body: dict[str, Any], at: str = "") -> dict[str, Any]:
    """The required field `billingInformation`: two lists of e-mail addresses."""
    place = f"{at}billingInformation."
    names = ("emailRecipients", "additionalEmailRecipients")
    given = call.closed(call.mapping(body, "billingInformation", at=at), names, place)
    return {name: texts(given, name, maximum=_LONGEST_EMAIL, at=place) for name in given}


def texts(
    body: dict[str, Any], name: str, *, minimum: int = 0, maximum: int | None = None, at: str = ""
) -> list[str]:
    """A required list of texts, each `minimum` to `maximum` characters long."""
    return [
        call.text({"": item}, "", minimum=minimum, maximum=maximum, at=f"{at}{name}[{index}]")
        for index, item in enumerate(call.listed(body, name, at=at))
    ]


def text_map(body: dict[str, Any], name: str, at: str = "") -> dict[str, str]:
    """A required object whose values are texts."""
    given = call.mapping(body, name, at=at)
    return {key: call.text(given, key, at=f"{at}{name}.") for key in given}
