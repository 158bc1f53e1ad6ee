"""What no log, answer or figure may hold: the secrets that tests plant wherever one can stand.

`secret_search.py` looks for them in what every test has logged and printed, and when all tests are
over in all of that and in what real processes printed; `http_processes.py` in what a real server
has, and `tests/security/test_secrets.py` in all that callers are answered.
"""

import os
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


class Outputs:
    """What was logged and printed by this process and those that it started, to be searched."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}

    def keep(self, text: str, source: str | None = None) -> None:
        """`source` says where it stood; of a process, it is the test that started it."""
        if text:
            source = source or os.environ.get("PYTEST_CURRENT_TEST", "no test")
            self._texts.setdefault(source, []).append(text)

    def sources_of_secrets(self) -> list[str]:
        """Where a planted secret stands. It is not said which, as that would print it once more."""
        return [
            source
            for source, texts in self._texts.items()
            if any(planted_in(text) is not None for text in texts)
        ]


OUTPUTS = Outputs()
