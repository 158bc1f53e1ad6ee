"""The section "Hosting it" of the README, done as it says, from nothing to answers."""

import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from answers import facts
from billing_mcp.config import from_environ, hosting_trouble
from hosted_asking import connected
from processes import PATIENCE_S, environment

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTION = README.split("## Hosting it\n")[1].split("\n## ")[0]

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="the README's step uses curl")


def block(mark: str) -> str:
    match = re.search(rf"<!-- {mark} -->\n```\w+\n(.*?)```", SECTION, re.DOTALL)
    assert match is not None
    return match[1]


def typed(script: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """What a person sees who types this in a folder, in an environment where it is installed."""
    given = environment(NO_PROXY="127.0.0.1", **env)
    given["PATH"] = f"{Path(sys.executable).parent}:{given['PATH']}"
    # Whatever was left running in the background ends with the shell.
    whole = f"trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n{script}"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", whole],
        cwd=folder,
        env=given,
        capture_output=True,
        encoding="utf-8",
        timeout=2 * PATIENCE_S,
        check=False,
    )


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number: int = free.getsockname()[1]
    return number


def test_the_section_is_short_enough_to_be_followed() -> None:
    assert len(SECTION.splitlines()) <= 90


@needs_curl
def test_the_first_step_ends_with_customers(tmp_path: Path, port: int) -> None:
    script = block("hosting-key").replace("9080", str(port))
    done = typed(script, tmp_path, BILLING_MCP_HTTP_PORT=str(port))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert f"MCP http://127.0.0.1:{port}/mcp" in lines
    assert not [line for line in lines if line.startswith("trouble")]
    page = json.loads(lines[-1])
    assert page["environment"] == "sandbox"
    assert [row["id"] for row in page["data"]] == ["acme"]
    (kept,) = json.loads((tmp_path / "api-keys.json").read_text())["keys"]
    assert (kept["name"], kept["scopes"]) == ("me", ["billing:write"])


@contextmanager
def first_step(folder: Path, port: int) -> Iterator[tuple[str, str]]:
    """The first step up to the server that runs; its address and the key."""
    script = block("hosting-key").split("curl ")[0].replace("http &", f"http --port {port} &")
    given = environment()
    given["PATH"] = f"{Path(sys.executable).parent}:{given['PATH']}"
    whole = f"trap 'kill $(jobs -p); wait' EXIT\n{script}\necho KEY $KEY\nread -r end"
    with subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", whole],
        cwd=folder,
        env=given,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    ) as shell:
        assert shell.stdout is not None
        said: dict[str, str] = {}
        while not {"KEY", "MCP"} <= set(said):
            line = shell.stdout.readline()
            assert line
            name, _, value = line.strip().partition(" ")
            said[name] = value
        try:
            yield said["MCP"], said["KEY"]
        finally:
            shell.communicate("\n", timeout=PATIENCE_S)


@pytest.mark.anyio
async def test_what_claude_code_is_given_connects(tmp_path: Path, port: int) -> None:
    """Its line names the same address and the same header; a client of the SDK stands in for it."""
    line = next(line for line in SECTION.splitlines() if line.startswith("claude mcp add"))
    url, header = re.findall(r"billing (\S+/mcp) --header \"(.*)\"$", line)[0]
    assert (url, header) == ("http://127.0.0.1:9080/mcp", "Authorization: Bearer $KEY")
    with first_step(tmp_path, port) as (address, key):
        assert address == url.replace("9080", str(port))
        name, value = header.replace("$KEY", key).split(": ")
        for era in ("modern", "legacy"):
            async with (
                httpx2.AsyncClient() as http,
                connected(http, era, {name: value}, address) as client,
            ):
                found = facts(await client.call_tool("list-customers", {"search": "acme"}))
                assert found["data"][0]["id"] == "acme"


def test_the_second_step_gives_each_tenant_a_key(tmp_path: Path) -> None:
    secret = tmp_path / "acme-suger"
    secret.write_text("key-0123456789")
    text = block("hosting-tenants").replace("/run/secrets/acme-suger", str(secret))
    (tmp_path / "tenants.toml").write_text(text)
    env = {
        "ACME_TOGAI_KEY": "key-0123456789",
        "BILLING_MCP_API_KEYS": str(tmp_path / "api-keys.json"),
    }
    before = typed("billing-mcp keys add me", tmp_path, **env)
    assert before.returncode == 0, before.stderr
    done = typed(block("hosting-tenant-keys"), tmp_path, **env)
    assert done.returncode == 0, done.stderr
    acme, trial = done.stdout.splitlines()[-2:]
    assert acme.startswith("acme-desk  bmk_")
    assert "billing:write  acme  " in acme
    assert "billing:read  trial  " in trial
    path = str(tmp_path / "tenants.toml")
    settings = from_environ({**env, "BILLING_MCP_TENANTS": path})
    assert [tenant.name for tenant in settings.tenants] == ["acme", "trial"]
    assert settings.tenants[1].read_only
    assert hosting_trouble(settings) is None


def test_the_third_step_is_complete() -> None:
    exported = re.findall(r"export (\w+)=(\S+)", block("hosting-issuer"))
    settings = from_environ(dict(exported))
    assert settings.authenticated
    assert hosting_trouble(settings) is None
    assert settings.public_url == "https://billing.example.com"
    assert settings.allowed_hosts == ("billing.example.com",)
