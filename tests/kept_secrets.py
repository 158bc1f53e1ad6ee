"""What no log, answer or figure may hold: the secrets that tests plant wherever one can stand.

`conftest.py` looks for them in what every test has logged and printed, `http_processes.py` in what
a real server has, and `tests/security/test_secrets.py` in all that callers are answered.
"""

import re

# Tokens with a signature, whole API keys of ours, and the vendors' keys of the tests.
_PLANTED = re.compile(
    r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}"
    r"|bmk_[\w-]{43}"
    r"|(?:togai|suger)-key-of-[\w-]+"
    r"|s3cret-[\w-]+"
    r"|(?:togai-)?key-0123456789"
)
# They hand secrets to the log or print keys, because what becomes of these is their subject.
ON_PURPOSE = frozenset({"test_logs.py", "test_keys.py"})


def planted_in(text: str) -> str | None:
    """The first planted secret of a text; None when there is none."""
    found = _PLANTED.search(text)
    return None if found is None else found[0]
