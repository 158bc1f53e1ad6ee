"""A vendor's refusal, told in our kinds: what it said, and what to do next."""

import json
from typing import Any

from billing_mcp import errors


def said(body: Any, secret: str) -> str:
    """The vendor's own words, from the shapes its errors have, made safe to quote.

    Togai answers `{"message": …}`, Suger a JSON string. What it repeats of `secret` is taken out.
    """
    text = body
    if isinstance(body, dict):
        text = body.get("message") or body.get("error")
    if not isinstance(text, str) or not text.strip():
        return ""
    return errors.one_line(without(secret, text))


def without(secret: str, text: str) -> str:
    """A vendor's text without any part of `secret`, the value of the `Authorization` header."""
    for part in secret.split():
        if len(part) > len("Bearer"):
            text = text.replace(part, "[secret]")
    return text


def of_status(
    vendor: str, key_setting: str, status: int, words: str, retry_after: int | None
) -> errors.BillingError:
    """The error of ours that an HTTP status of the vendor means. `retry_after` is in seconds."""
    quoted = f": {json.dumps(words, ensure_ascii=False)}" if words else ""
    answered = f"{vendor} answered HTTP {status}{quoted}."
    if status == 401:
        return errors.NotConfigured(
            f"{vendor} refused this server's key (HTTP 401).",
            next_step=f"Set {key_setting} to a valid key; `billing-mcp doctor` checks it.",
        )
    if status == 403:
        return errors.NotPermitted(
            answered, next_step="This server's key lacks the right; its owner can grant it."
        )
    if status == 404:
        return errors.NotFound(answered)
    if status == 409:
        return errors.Conflict(answered)
    if status == 429:
        wait = f"in {retry_after} seconds" if retry_after else "in a minute"
        return errors.RateLimited(
            answered,
            retry_after_seconds=retry_after,
            next_step=f"Nothing was changed. Try again {wait}.",
        )
    if status == 501:
        return errors.NotConfigured(answered)
    if status >= 500 or status in (408, 425):
        return errors.Unavailable(
            answered, retry_after_seconds=retry_after, next_step="Try again in a minute."
        )
    return errors.InvalidRequest(
        answered, next_step="Correct the arguments and call again; nothing was changed."
    )
