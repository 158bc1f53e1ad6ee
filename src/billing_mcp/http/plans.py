"""A plan as the OpenAPI document describes it: what a write would do, and what it needs first."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Needs = Literal["allowed", "plan", "approval", "two-approvals"]


class PlanDocument(BaseModel):
    """What `plan` holds, in a problem and in the answer to a dry run."""

    model_config = ConfigDict(alias_generator=to_camel)

    tool: str
    effect: Annotated[str, Field(description="What it would do; texts of others stand quoted")]
    before: Annotated[Any, Field(description="What is so now, where it can be told")] = None
    after: Annotated[Any, Field(description="What would be so then")] = None
    amount: Annotated[str | None, Field(description="Money that it gives to somebody")] = None
    currency: str | None = None
    affects: Annotated[list[str] | None, Field(description="Ids of customers and accounts")] = None
    reversible: bool
    undo: Annotated[str | None, Field(description="How it is taken back")] = None
    provided: Annotated[Any, Field(description="What must still be so when it is committed")] = None
    needs: Annotated[Needs, Field(description="What it needs before it may run")]
    why: Annotated[str, Field(description="What the rule says that needs it")]
    rule: Annotated[str, Field(description="The place of that rule in the policy")]
    expires_at: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
