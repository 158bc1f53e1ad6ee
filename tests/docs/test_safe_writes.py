"""The section "Safe writes" of the README, done as it says: the call, its answer, the approval."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from answers import connected, facts, said
from billing_mcp.config import Settings
from billing_mcp.guard import policy_file
from billing_mcp.server import BillingServer
from processes import PATIENCE_S, environment

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTION = README.split("## Safe writes\n")[1].split("\n## ")[0]


def block(mark: str) -> str:
    match = re.search(rf"<!-- {mark} -->\n```\w+\n(.*?)```", SECTION, re.DOTALL)
    assert match is not None
    return match[1]


def typed(mark: str, operation_id: str, settings: Mapping[str, str]) -> str:
    """What the commands of a block print."""
    printed = ""
    for line in block(mark).replace("ID", operation_id).splitlines():
        program, *words = line.split()
        assert program == "billing-mcp"
        done = subprocess.run(
            [sys.executable, "-m", "billing_mcp", *words],
            env=environment(**settings),
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE_S,
            check=True,
        )
        printed += done.stdout
    return printed


@pytest.mark.anyio
async def test_a_grant_above_the_ceiling_waits_for_a_person_and_is_done_once(
    tmp_path: Path,
) -> None:
    data = tmp_path / "company.db"
    settings = {"BILLING_MCP_SANDBOX_DATA": str(data)}
    call = json.loads(block("safe-writes-call"))
    async with connected(BillingServer(Settings(sandbox_data=data)), "legacy") as client:
        waiting = await client.call_tool("grant-credit", call)
        assert waiting.structured_content is not None
        error = waiting.structured_content["error"]
        assert error["kind"] == "approval-required"
        operation_id = error["operationId"]
        shown = said(waiting).replace(operation_id, "ID")
        assert shown.startswith(block("safe-writes-answer"))

        printed = typed("safe-writes-approve", operation_id, settings)
        assert "Grants 250.00 USD of credit to account acme-prod" in printed
        assert "Approved by terminal:" in printed

        again = call | {"operationId": operation_id}
        granted = facts(await client.call_tool("grant-credit", again))
        repeated = facts(await client.call_tool("grant-credit", again))
        assert repeated == granted | {"replayed": True}
        credits_ = facts(await client.call_tool("list-credits", {"accountId": "acme-prod"}))
        assert [row["creditAmount"] for row in credits_["data"]].count("250.00") == 1

    after = typed("safe-writes-after", operation_id, settings)
    assert re.search(rf"{operation_id} .* committed .* acme .* 250.00 .* USD", after)
    assert "\nsound " in after


def test_the_numbers_of_the_built_in_policy_are_those_that_are_built_in() -> None:
    built_in = policy_file.BUILT_IN.without_approval
    assert built_in.per_call is not None
    assert built_in.per_customer_day is not None
    assert f"up to {built_in.per_call['other']} units" in SECTION
    assert f"and {built_in.per_customer_day['other']} a" in SECTION
