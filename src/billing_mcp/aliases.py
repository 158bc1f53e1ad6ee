"""The names that tools have besides their own: what the vendors' documentation calls them.

`aliases.csv` is the whole map. A call by such a name is a call of the tool, in everything that it
may do, says and leaves behind; no list, no search and no suggestion ever shows one. The file is
read when the first name comes that is no tool's.
"""

import functools
from collections.abc import Mapping
from importlib import resources

from billing_mcp import tools


@functools.cache
def aliases() -> Mapping[str, str]:
    """Alias → the name of its tool."""
    text = resources.files("billing_mcp").joinpath("aliases.csv").read_text(encoding="utf-8")
    rows = (line.partition(",") for line in text.splitlines()[1:])
    return {alias: name for alias, _, name in rows}


def own_name(name: str) -> str:
    """The name of the tool that is meant; a name that means none is given back as it is."""
    return name if name in tools.MODULES else aliases().get(name, name)
