"""What doctor says of a server for others: each wrong setting found, each with what to do."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import pytest

from billing_mcp.cli import main
from billing_mcp.config import Settings
from billing_mcp.credentials import TenantSettings
from billing_mcp.http import api_keys, checkup
from billing_mcp.http.auth import Authentication
from issuer import ISSUER, JWKS_URL, METADATA_URL, NOW, PUBLIC_URL, Issuer, ed_key, published
from processes import served_sandbox

HOSTED = Settings(auth_issuer=ISSUER, public_url=PUBLIC_URL, allowed_hosts=("billing.example",))


def doctor(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    code = main(["doctor", *arguments])
    return code, capsys.readouterr().out.splitlines()


def trouble(lines: list[str]) -> list[str]:
    return [line.removeprefix("trouble  ") for line in lines if line.startswith("trouble")]


async def found(settings: Settings, issuer: Issuer | None = None) -> list[tuple[bool, str]]:
    issuer = issuer or Issuer()
    transport = httpx2.MockTransport(issuer.answer)

    def authentication(settings: Settings) -> Authentication:
        return Authentication(settings, transport=transport, now=issuer.clock)

    looked_at = checkup.findings(settings, authentication=authentication, now=issuer.clock)
    return [finding async for finding in looked_at]


@pytest.mark.anyio
async def test_a_server_for_this_machine_only_has_nothing_to_be_looked_at() -> None:
    assert await found(Settings()) == []


@pytest.mark.anyio
async def test_an_issuer_whose_tokens_can_be_verified_is_well() -> None:
    assert await found(HOSTED) == [
        (True, "callers reach it as billing.example"),
        (True, f"tokens of {ISSUER} can be verified (RS256, ES256)"),
    ]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("url", "answer", "says"),
    [
        (METADATA_URL, httpx2.Response(404), "answered 404"),
        (METADATA_URL, httpx2.Response(302, headers={"location": "/"}), "leads elsewhere"),
        (METADATA_URL, httpx2.ConnectError("no"), "cannot be reached (ConnectError)"),
        (METADATA_URL, httpx2.Response(200, text="<html>"), "is not JSON"),
        (
            METADATA_URL,
            httpx2.Response(200, json={"issuer": f"{ISSUER}/", "jwks_uri": JWKS_URL}),
            "is the metadata of another issuer",
        ),
        (METADATA_URL, httpx2.Response(200, json={"issuer": ISSUER}), "names no jwks_uri"),
        (JWKS_URL, httpx2.Response(500), "answered 500"),
        (JWKS_URL, httpx2.Response(200, json={"keys": []}), "holds no public key"),
    ],
)
async def test_an_issuer_whose_keys_cannot_be_had_is_trouble(
    url: str, answer: httpx2.Response | Exception, says: str
) -> None:
    issuer = Issuer()
    issuer.answers[url] = lambda: answer
    well, sentence = (await found(HOSTED, issuer))[-1]
    assert not well
    assert sentence.startswith("no token can be verified: ")
    assert says in sentence
    assert "Check BILLING_MCP_AUTH_ISSUER letter by letter" in sentence


@pytest.mark.anyio
async def test_keys_that_are_none_for_the_algorithms_that_are_allowed_are_trouble() -> None:
    issuer = Issuer(keys=[published(ed_key("one"), "ed-1")])
    well, sentence = (await found(HOSTED, issuer))[-1]
    assert not well
    assert sentence == (
        f"{ISSUER} publishes no key for RS256, ES256: set BILLING_MCP_AUTH_ALGORITHMS to what it "
        "signs its tokens with"
    )


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("url", "allowed", "well"),
    [
        ("https://billing.example", (), False),
        ("https://billing.example/mcp", ("billing.example",), True),
        ("https://billing.example:8443", ("billing.example",), False),
        ("https://billing.example:8443", ("billing.example:8443",), True),
        ("https://billing.example:8443", ("billing.example:*",), True),
        ("https://billing.example", ("billing.example:*",), False),
        ("http://127.0.0.1:9080", (), True),
        ("http://localhost:9080", (), True),
    ],
)
async def test_a_name_that_the_server_would_refuse_is_trouble(
    url: str, allowed: tuple[str, ...], well: bool
) -> None:
    settings = Settings(auth_issuer=ISSUER, public_url=url, allowed_hosts=allowed)
    is_well, sentence = (await found(settings))[0]
    assert is_well is well
    assert well or "to BILLING_MCP_ALLOWED_HOSTS" in sentence


def keys_file(path: Path, *keys: tuple[str, str | None, int | None]) -> Path:
    """API keys as name, tenant and days until they expire."""
    made = [
        api_keys.made(
            name,
            ["billing:read"],
            tenant,
            NOW,
            None if days is None else NOW + timedelta(days=days),
        )[1]
        for name, tenant, days in keys
    ]
    api_keys.write(path / "keys.json", made)
    return path / "keys.json"


@pytest.mark.anyio
async def test_api_keys_that_open_nothing_are_trouble_by_name(tmp_path: Path) -> None:
    tenants = (TenantSettings("acme"), TenantSettings("harbor"))
    keys = keys_file(
        tmp_path,
        ("good", "acme", None),
        ("lost", None, None),
        ("gone", "mill", 1),
        ("old", "acme", -1),
    )
    lost, gone, good = await found(Settings(api_keys=keys, tenants=tenants))
    assert lost == (
        False,
        (
            "the API key lost names no tenant and opens nothing: billing-mcp keys revoke lost, "
            "then keys add it with --tenant"
        ),
    )
    assert gone == (
        False,
        (
            "the API key gone is for mill, and there is no such tenant: name it in "
            "BILLING_MCP_TENANTS, or billing-mcp keys revoke gone"
        ),
    )
    assert good == (True, "3 of 4 API keys are valid")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("keys", "says"),
    [((), "there is no API key in"), ((("old", None, -1),), "all API keys have expired in")],
)
async def test_a_file_without_a_valid_key_is_trouble(
    tmp_path: Path, keys: tuple[tuple[str, str | None, int | None], ...], says: str
) -> None:
    settings = Settings(api_keys=keys_file(tmp_path, *keys))
    ((well, sentence),) = await found(settings)
    assert not well
    assert sentence.startswith(says)
    assert sentence.endswith("make one with billing-mcp keys add NAME")


@pytest.mark.parametrize(
    ("mode", "says"), [(0o644, "others can read"), (0o666, "Others can write")]
)
def test_a_file_of_keys_that_is_not_private_is_trouble(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: int, says: str
) -> None:
    path = keys_file(tmp_path, ("good", None, None))
    path.chmod(mode)
    code, lines = doctor(capsys, "--api-keys", str(path))
    assert code == 1
    (sentence,) = trouble(lines)
    assert says in sentence
    assert "chmod 600" in sentence


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--http-host", "0.0.0.0"], "Set BILLING_MCP_AUTH_ISSUER or BILLING_MCP_API_KEYS"),
        (["--public-url", "http://billing.example"], "--public-url must be https"),
        (["--public-url", "billing.example"], "--public-url must be a plain base URL"),
        (["--auth-issuer", "https://login.example"], "needs BILLING_MCP_PUBLIC_URL"),
        (["--auth-jwks-url", "https://login.example/keys"], "needs BILLING_MCP_AUTH_ISSUER"),
        (["--auth-algorithms", "HS256"], "use some of ES256"),
        (["--api-keys", "no/such/file"], "Make the first key with billing-mcp keys add NAME"),
        (["--tenants", "no/such/file"], "cannot be read: No such file"),
    ],
)
def test_a_setting_that_others_could_not_be_served_with_is_trouble(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, lines = doctor(capsys, *arguments)
    assert code == 1
    assert says in " ".join(trouble(lines))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[tenants.acme", "is not TOML"),
        ("[tenants]", "names no tenant"),
        ("[tenants.acme]\ntogai_key = 1", "is wrong at tenants.acme.togai_key"),
        ("[tenants.acme]", "has no vendor key. Give togai_api_key or suger_api_key"),
        (
            '[tenants.acme]\ntogai_api_key = { env = "ACME" }',
            "tenants.acme.togai_api_key: the environment variable ACME is not set",
        ),
        (
            '[tenants.acme]\ntogai_api_key = { file = "/no/such/file" }',
            "tenants.acme.togai_api_key: /no/such/file cannot be read",
        ),
        ('[tenants.acme]\ntogai_api_key = "k"', "Make the file private (chmod 600)"),
        ('[tenants.acme]\nsandbox = true\ntoolsets = ["cores"]', "did you mean core?"),
        ("[tenants.acme]\nsandbox = true\n[tenants.mill]\nsandbox = true", "There are 2 tenants"),
    ],
)
def test_a_tenants_file_that_is_wrong_is_trouble_at_its_place(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tenants.toml"
    path.write_text(text)
    path.chmod(0o644)
    code, lines = doctor(capsys, "--tenants", str(path))
    assert code == 1
    assert says in " ".join(trouble(lines))


def test_each_tenant_is_looked_at_with_its_own_keys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tenants.toml"
    keys = keys_file(tmp_path, ("desk", "acme", None))
    with served_sandbox() as (_, address):
        path.write_text(
            f'[tenants.acme]\ntogai_api_key = "key-of-acme"\ntogai_base_url = "{address}/togai"\n'
            'exclude_tools = ["list-customers"]\n'
            f'[tenants.mill]\nsuger_api_key = "key-of-mill"\nsuger_base_url = "{address}/suger"\n'
        )
        path.chmod(0o600)
        code, lines = doctor(capsys, "--tenants", str(path), "--api-keys", str(keys))
    assert code == 1
    of_vendors = [line for line in lines if "policy" not in line.lower() and "ledger" not in line]
    assert of_vendors[2:] == [
        "ok       1 of 1 API keys are valid",
        "ok       tenants.acme: 24 tools are served",
        "ok       tenants.acme: Togai (sandbox): answers",
        "ok       tenants.acme: Suger: no key, so its tools are absent",
        "ok       tenants.mill: 18 tools are served",
        "ok       tenants.mill: Togai: no key, so its tools are absent",
        lines[-1],
    ]
    assert lines[-1].startswith("trouble  tenants.mill: Suger (live): ")
    assert "set tenants.mill.suger_org_id" in lines[-1]


def test_a_key_of_one_tenant_that_the_vendor_refuses_is_trouble_under_its_own_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tenants.toml"
    with served_sandbox() as (_, address):
        path.write_text(
            f'[tenants.acme]\ntogai_api_key = "key-of-acme"\ntogai_base_url = "{address}/togai"\n'
        )
        path.chmod(0o600)
        fault = {"mode": "status", "status": 401, "path": "/togai/*"}
        httpx2.put(f"{address}/control/faults", json=[fault]).raise_for_status()
        code, lines = doctor(capsys, "--tenants", str(path))
    assert code == 1
    (sentence,) = trouble(lines)
    assert "Set tenants.acme.togai_api_key to a valid key" in sentence
    assert "key-of-acme" not in sentence


@contextmanager
def metadata(**changed: Any) -> Iterator[str]:
    """An issuer on a loopback port; `changed` is what its metadata says otherwise."""

    class Documents(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host = f"http://127.0.0.1:{server.server_port}"
            found = {"issuer": host, "jwks_uri": f"{host}/keys", **changed}
            body = json.dumps({"keys": Issuer().keys} if self.path == "/keys" else found).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  # its name
            """Quiet: what it prints would be no output of ours."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Documents)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("changed", [{}, {"issuer": "https://other.example"}])
def test_the_issuer_is_really_asked(
    changed: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with metadata(**changed) as issuer:
        given = ("--auth-issuer", issuer, "--public-url", "http://127.0.0.1:9080")
        code, lines = doctor(capsys, *given)
    assert code == (1 if changed else 0)
    said = "is the metadata of another issuer" if changed else f"tokens of {issuer} can be verified"
    assert said in "\n".join(lines)
