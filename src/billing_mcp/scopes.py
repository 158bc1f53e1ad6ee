"""What a caller's token may allow, and which scope includes which."""

from collections.abc import Iterable

READ = "billing:read"
WRITE = "billing:write"
APPROVE = "billing:approve"
SCOPES = (READ, WRITE, APPROVE)

# Who approves has to see what is asked for, and need not be able to ask for it.
_INCLUDES = {READ: {READ}, WRITE: {WRITE, READ}, APPROVE: {APPROVE, READ}}


def expanded(granted: Iterable[str]) -> frozenset[str]:
    """The scopes of ours that are granted, with those that they include."""
    return frozenset(included for scope in granted for included in _INCLUDES.get(scope, ()))


ALL = expanded(SCOPES)
