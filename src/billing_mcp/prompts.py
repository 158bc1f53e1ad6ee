"""The prompts: what support staff do again and again, from the files in `prompts/`."""

from mcp.types import GetPromptResult, Prompt


class Prompts:
    """The prompts of the package, read when first asked for."""

    def listed(self) -> list[Prompt]:
        return []

    def owns(self, name: str) -> bool:
        return name in {prompt.name for prompt in self.listed()}

    def completed_by(self, name: str, argument: str) -> str | None:
        """The kind of thing an argument names, for `Completions`; None when it is free text."""
        _ = name, argument
        return None

    def get(self, name: str, arguments: dict[str, str]) -> GetPromptResult:
        """The prompt filled in. Raises `MCPError` (invalid params) for missing or wrong ones."""
        _ = arguments
        raise KeyError(name)
