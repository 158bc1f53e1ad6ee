"""A server that the Inspector has to refuse: what shows that `--strict` looks at schemas at all."""

from mcp.server import MCPServer
from mcp.server.mcpserver.tools import Tool


def anything(value: str) -> str:
    """Say it again."""
    return value


if __name__ == "__main__":
    tool = Tool.from_function(anything)
    tool.parameters = {"type": "object", "properties": {"value": True}}
    MCPServer("unportable", tools=[tool]).run("stdio")
