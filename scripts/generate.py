"""Write everything that is made from the code: the shipped schemas and the README's tables.

    python scripts/generate.py

Run it after a change to a tool or a setting; tests fail while what it writes is stale.
"""

import importlib
import json
from pathlib import Path

from billing_mcp import tools
from billing_mcp.shapes import published

ROOT = Path(__file__).parents[1]
SCHEMAS = ROOT / "src" / "billing_mcp" / "schemas.json"


def schemas_text() -> str:
    """One tool per line-broken object, in the order of the table of contents."""
    listed = [
        published(importlib.import_module(module).toolset.declarations[name])
        for name, module in tools.MODULES.items()
    ]
    return json.dumps(listed, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMAS.write_text(schemas_text(), encoding="utf-8")
