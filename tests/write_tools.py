"""Which tools write at a vendor, as the catalogue publishes them."""

from billing_mcp import tools
from billing_mcp.catalog import shipped_schemas

# The tool that runs others is of no vendor, and is each of these in turn.
WRITES = tuple(
    name
    for name, schema in shipped_schemas().items()
    if not schema["annotations"]["readOnlyHint"] and tools.vendor_of(name) is not None
)
