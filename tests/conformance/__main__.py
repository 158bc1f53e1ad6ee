"""Runs the conformance suite and MCP Inspector on our server: `python -m conformance` in tests/.

The suite's requirements of a revision run on the fixtures, where every scored check must pass, and
on the product as it is, where `expected.toml` says which scenarios mean anything. Where callers
have to show a token, a proxy shows it for the suite, which has none; the Inspector shows its own.

The last line has the suite's checks that passed, and all that is wrong, the Inspector's as well.
"""

import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import anyio
from mcp import Client
from mcp.shared.exceptions import MCPDeprecationWarning
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from billing_mcp.config import from_environ
from billing_mcp.server import BillingServer
from conformance import inspector
from conformance.app import listening, served
from conformance.callers import Known, known
from conformance.node import Node, NotInstalledError, installed
from conformance.proxy import Proxy
from conformance.verdict import Run, Verdict, expected, judge, read
from processes import command, running

SUITE = "@modelcontextprotocol/conformance"
DEFAULT = {"BILLING_MCP_TOOLSETS": "default"}
# With the two tools that no setting of toolsets serves.
EVERYTHING = {"BILLING_MCP_TOOLSETS": "all", "BILLING_MCP_SECRET_TOOLS": "true"}


def main() -> int:
    """0 when everything is as it must be; what is not, is printed."""
    # The suite asks for what the newest revision deprecates.
    warnings.simplefilter("ignore", MCPDeprecationWarning)
    try:
        node = installed()
    except NotInstalledError as error:
        _say(str(error))
        return 1
    began = time.monotonic()
    _say(f"The servers read HTTP by {AutoHTTPProtocol.__name__}")
    verdicts = list(_suite(node))
    problems = [*(said for verdict in verdicts for said in verdict.problems), *_inspector(node)]
    for problem in problems:
        _say(f"✗ {problem}")
    _say(f"{len(problems)} problems in {time.monotonic() - began:.0f} s")
    _say(f"{sum(verdict.passed for verdict in verdicts)} passed, {len(problems)} failed")
    return 1 if problems else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _suite(node: Node) -> Iterator[Verdict]:
    _say(f"{'server':36}{'revision':12}{'scenarios':>10}{'checks':>8}{'excused':>9}")
    for run in expected(Path(__file__).with_name("expected.toml")):
        verdict = _verdict(node, run)
        row = f"{run.server:36}{run.revision:12}{len(run.passing):10}{verdict.passed:8}"
        _say(f"{row}{len(run.excused):9}")
        problems = [f"{run.server}, {run.revision}: {problem}" for problem in verdict.problems]
        yield Verdict(verdict.passed, problems)


def _verdict(node: Node, run: Run) -> Verdict:
    with _server(run.server) as url, tempfile.TemporaryDirectory() as out:
        asked = ["server", "--url", url, "--requirements", run.revision, "-o", out]
        done = node.run(SUITE, "conformance", asked)
        verdict = judge(run, read(Path(out), list(run.passing)))
    # The suite's own verdict is of everything that it scores.
    if run.scores_all and done.returncode:
        return Verdict(verdict.passed, [*verdict.problems, f"the suite says no: {done.stdout}"])
    return verdict


def _server(name: str) -> AbstractContextManager[str]:
    match name:
        case "fixtures, with sessions":
            return served(stateful=True, sse=True)
        case "fixtures, with sessions, API key":
            return served(stateful=True, sse=True, kind="API key")
        case "fixtures, as shipped, SSE":
            return served(stateful=False, sse=True)
        case "fixtures, as shipped, SSE, API key":
            return served(stateful=False, sse=True, kind="API key")
        case "fixtures, as shipped, JSON":
            return served(stateful=False, sse=False)
        case "fixtures, as shipped, JSON, JWT":
            return served(stateful=False, sse=False, kind="access token")
        case "billing-mcp http":
            return _product()
        case "billing-mcp http, API key":
            return _product_behind_a_proxy()
    raise ValueError(name)


@contextmanager
def _product(**settings: str) -> Iterator[str]:
    with running("http", "--port", "0", env=settings) as line:
        yield line.removeprefix("MCP ")


@contextmanager
def _product_behind_a_proxy() -> Iterator[str]:
    with known("API key") as caller, _product(**_variables(caller)) as url:
        assert caller.token is not None
        with listening(Proxy(url.removesuffix("/mcp"), caller.token)) as origin:
            yield f"{origin}/mcp"


def _variables(caller: Known) -> dict[str, str]:
    """The settings by which a server in a process of its own knows a caller."""
    return {f"BILLING_MCP_{name.upper()}": text for name, text in caller.settings.items()}


def _inspector(node: Node) -> Iterator[str]:
    if not inspector.refuses_what_is_unportable(node):
        yield "Inspector takes a schema that it should refuse"
    for given, methods in ((DEFAULT, inspector.LISTS), (EVERYTHING, ["tools/list"])):
        every = anyio.run(_counts, given)
        counts = {method: every[method] for method in methods}
        toolsets = given["BILLING_MCP_TOOLSETS"]
        _say(f"Inspector, {toolsets}: {', '.join(f'{n} in {name}' for name, n in counts.items())}")
        settings = [word for name, text in given.items() for word in ("-e", f"{name}={text}")]
        for problem in inspector.problems(node, [*command(), *settings], counts):
            yield f"Inspector over stdio, {toolsets}: {problem}"
        with _product(**given) as url:
            for problem in inspector.problems(node, [url, "--transport", "http"], counts):
                yield f"Inspector over HTTP, {toolsets}: {problem}"
    for problem in _inspector_with_a_key(node):
        yield f"Inspector with an API key: {problem}"


def _inspector_with_a_key(node: Node) -> list[str]:
    counts = anyio.run(_counts, DEFAULT)
    with known("API key") as caller, _product(**_variables(caller)) as url:
        stranger = [url, "--transport", "http"]
        known_one = [*stranger, "--header", f"Authorization: Bearer {caller.token}"]
        return [
            *inspector.problems(node, known_one, counts),
            *inspector.problems_of_a_call(node, known_one),
            *inspector.problems_without_a_token(node, stranger),
        ]


async def _counts(given: Mapping[str, str]) -> dict[str, int]:
    """How much each list has, as a client in this process sees it."""
    server = BillingServer(from_environ(given))
    async with Client(server) as client:
        return {
            "tools/list": len((await client.list_tools()).tools),
            "resources/list": len((await client.list_resources()).resources),
            "resources/templates/list": len(
                (await client.list_resource_templates()).resource_templates
            ),
            "prompts/list": len((await client.list_prompts()).prompts),
        }


if __name__ == "__main__":
    sys.exit(main())
