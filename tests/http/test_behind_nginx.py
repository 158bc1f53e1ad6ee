"""The server behind the nginx of deploy/, with TLS, as callers from outside reach it."""

import os
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from answers import facts
from billing_mcp.http.app import BODY_LIMIT_BYTES
from http_processes import serving
from processes import PATIENCE_S

pytestmark = [pytest.mark.anyio, pytest.mark.long]

DEPLOY = Path(__file__).parents[2] / "deploy"
HOST = "billing.example.com"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@dataclass(frozen=True, slots=True)
class Site:
    """Where nginx listens, and what trusts its certificate."""

    https: str
    http: str
    trust: ssl.SSLContext

    @asynccontextmanager
    async def asking(self, host: str = HOST) -> AsyncIterator[httpx2.AsyncClient]:
        async with httpx2.AsyncClient(
            base_url=self.https, verify=self.trust, headers={"host": host}, timeout=PATIENCE_S
        ) as http:
            yield http


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on: nginx cannot be asked to choose."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


def self_signed(folder: Path) -> None:
    """A certificate for loopback and the key it was signed with."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    names = [x509.DNSName(HOST), x509.IPAddress(ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "fullchain.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "privkey.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def site_of(folder: Path, upstream: int, https: int, http: int) -> str:
    """The site as it is shipped, but for ports and paths."""
    text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    text = re.sub(r"^\s*listen \[::\].*\n", "", text, flags=re.MULTILINE)
    for shipped, here in (
        ("server 127.0.0.1:9080;", f"server 127.0.0.1:{upstream};"),
        ("listen 443 ", f"listen 127.0.0.1:{https} "),
        ("listen 80;", f"listen 127.0.0.1:{http};"),
        ("/etc/ssl/billing-mcp", str(folder)),
    ):
        assert shipped in text
        text = text.replace(shipped, here)
    return text


@contextmanager
def behind_nginx(folder: Path, upstream: int) -> Iterator[Site]:
    assert NGINX is not None, "apt-get install nginx"
    self_signed(folder)
    https, http = free_ports(2)
    (folder / "site.conf").write_text(site_of(folder, upstream, https, http), encoding="utf-8")
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    # Workers of root are somebody else, who may not look into the test's folder.
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user}daemon off;\nworker_processes 1;\npid {folder}/pid;\n"
        f"error_log {folder}/error.log warn;\nevents {{ worker_connections 512; }}\n"
        f"http {{ access_log off;\n{temporary}include {folder}/site.conf; }}\n",
        encoding="utf-8",
    )
    started = [NGINX, "-p", str(folder), "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"]
    checked = subprocess.run([*started, "-t"], capture_output=True, encoding="utf-8", check=False)
    assert checked.returncode == 0, checked.stderr
    process = subprocess.Popen(started)
    try:
        trust = ssl.create_default_context(cafile=str(folder / "fullchain.pem"))
        wait_for(https, process)
        yield Site(f"https://127.0.0.1:{https}", f"http://127.0.0.1:{http}", trust)
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_S)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    while True:
        assert process.poll() is None
        try:
            socket.create_connection(("127.0.0.1", port), PATIENCE_S).close()
        except ConnectionRefusedError:
            continue
        return


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    env = {"BILLING_MCP_ALLOWED_HOSTS": HOST, "BILLING_MCP_HTTP_SSE": "true"}
    with serving(env=env) as server, behind_nginx(tmp_path, server.port) as made:
        yield made


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_an_mcp_client_lists_and_calls_through_tls(site: Site, era: str) -> None:
    async with site.asking() as http:
        streams = streamable_http_client(f"{site.https}/mcp", http_client=http)
        async with Client(streams, mode="legacy" if era == "legacy" else "auto") as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert "list-customers" in names
            assert facts(await client.call_tool("list-customers", {}))["count"] > 0


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_progress_of_a_long_call_arrives(site: Site, era: str) -> None:
    told: list[float] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append(progress)

    event = {
        "schemaName": "api_calls",
        "accountId": "acme-main",
        "timestamp": "2026-11-19T12:00:00Z",
        "attributes": [],
        "dimensions": {},
    }
    events = [event | {"id": f"event-{number}"} for number in range(1_200)]
    async with site.asking() as http:
        streams = streamable_http_client(f"{site.https}/mcp", http_client=http)
        async with Client(streams, mode="legacy" if era == "legacy" else "auto") as client:
            await client.call_tool("ingest-events", {"events": events}, progress_callback=hear)
    assert told == [500, 1_000, 1_200]


async def test_rest_answers_and_refuses_through_tls(site: Site) -> None:
    async with site.asking() as http:
        found = await http.get("/v1/customers")
        assert found.status_code == 200
        assert found.json()["environment"] == "sandbox"
        assert found.headers["strict-transport-security"] == "max-age=31536000"
        missing = await http.get("/v1/customers/nobody")
        assert (missing.status_code, missing.json()["kind"]) == (404, "not-found")


async def test_a_name_that_no_setting_allows_is_told_which_one_would(site: Site) -> None:
    async with site.asking("other.example.com") as http:
        answer = await http.post("/mcp", json={})
        assert answer.status_code == 421
        assert "add it to BILLING_MCP_ALLOWED_HOSTS" in answer.text
        assert (await http.get("/healthz")).status_code == 200


async def test_figures_stay_inside_and_health_is_seen_outside(site: Site) -> None:
    async with site.asking() as http:
        assert (await http.get("/metrics")).status_code == 404
        # nginx compares the path it has decoded, so that no spelling leads around it.
        for spelt in ("/%6detrics", "//metrics", "/x/../metrics"):
            answer = await http.get(spelt)
            assert answer.status_code == 404
            assert "billing_mcp" not in answer.text
        assert (await http.get("/healthz")).json() == {"status": "ok"}
        assert (await http.get("/readyz")).json()["ready"] is True


async def test_a_request_keeps_the_id_it_came_with_and_a_bad_one_is_replaced(site: Site) -> None:
    async with site.asking() as http:
        kept = await http.get("/healthz", headers={"x-request-id": "desk-17"})
        assert kept.headers["x-request-id"] == "desk-17"
        made = await http.get("/healthz", headers={"x-request-id": "two words"})
        assert re.fullmatch("[0-9a-f]{32}", made.headers["x-request-id"])


async def test_a_body_above_four_megabytes_is_refused_at_the_door(site: Site) -> None:
    async with site.asking() as http:
        headers = {"content-type": "application/json"}
        body = b" " * (BODY_LIMIT_BYTES + 1)
        assert (await http.post("/mcp", content=body, headers=headers)).status_code == 413


async def test_without_tls_nothing_is_served(site: Site) -> None:
    async with httpx2.AsyncClient(headers={"host": HOST}) as http:
        answer = await http.get(f"{site.http}/v1/customers")
    assert (answer.status_code, answer.text) == (403, "Use https.\n")


async def test_where_a_caller_is_cannot_be_made_up(tmp_path: Path) -> None:
    env = {"BILLING_MCP_ALLOWED_HOSTS": HOST, "BILLING_MCP_LOG_LEVEL": "INFO"}
    with serving(env=env) as server:
        with behind_nginx(tmp_path, server.port) as site:
            async with site.asking() as http:
                await http.get("/healthz", headers={"x-forwarded-for": "192.0.2.7"})
        assert server.stopped() == 0
    assert '"path":"/healthz"' in server.output
    assert "192.0.2.7" not in server.output


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    assert analyze is not None, "apt-get install systemd"
    text = (DEPLOY / "billing-mcp.service").read_text(encoding="utf-8")
    program = "/opt/billing-mcp/bin/billing-mcp http"
    assert f"ExecStart={program}\n" in text
    unit = tmp_path / "billing-mcp.service"
    unit.write_text(text.replace(program, "/bin/true"), encoding="utf-8")
    checked = subprocess.run(
        [analyze, "verify", str(unit)], capture_output=True, encoding="utf-8", check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")
