"""billing-mcp: the MCP server people trust with billing."""

__version__ = "0.1.0"
