"""The command line: verbs and flags. Each verb imports only what it needs."""

import argparse
import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from io import TextIOWrapper
from itertools import pairwise

from billing_mcp import __version__, logs
from billing_mcp.config import VARIABLES, Settings, from_environ
from billing_mcp.credentials import SettingsError

VERBS = {
    "stdio": "serve MCP over stdio (the default; what a desktop client starts)",
    "http": "serve MCP over streamable HTTP at /mcp, on loopback",
    "sandbox": "serve the emulated Togai and Suger APIs on loopback",
    "demo": "run the support story against the server and show every step",
    "operations": "list what was written and what became of it",
    "approvals": "list the plans of writes that wait for a person",
    "approve": "approve ID: show a plan that waits, and agree to it",
    "deny": "deny ID: refuse a plan for good",
    "audit": "audit verify: prove that no record of a write was altered or removed",
    "tools": "list what would be served under the present settings",
    "doctor": "check settings, credentials and reachability; say what to do next",
    "keys": "add NAME, list or revoke NAME: the API keys that http accepts",
}
# The verbs that are followed by further words.
WITH_WORDS = frozenset({"keys", "approve", "deny", "audit"})


def parser() -> argparse.ArgumentParser:
    """Flags may stand before or after the verb, so one parser knows them all."""
    summary = "\n".join(f"  {verb:12}{meaning}" for verb, meaning in VERBS.items())
    made = argparse.ArgumentParser(
        prog="billing-mcp",
        description=f"Billing tools for AI agents.\n\nverbs:\n{summary}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("verb", nargs="?", default="stdio", choices=list(VERBS), metavar="verb")
    made.add_argument("words", nargs="*", metavar="word", help="what to do, a name or an id")
    made.add_argument("--version", action="version", version=f"billing-mcp {__version__}")
    for variable in VARIABLES:
        made.add_argument(
            variable.flag,
            metavar=variable.kind.upper(),
            help=f"{variable.meaning} [{variable.variable}; default: {variable.default}]",
        )
    made.add_argument("--json", action="store_true", help="lists and audit: print JSON")
    made.add_argument("--host", help="http: same as --http-host")
    made.add_argument("--port", help="http, sandbox: the port to listen on (sandbox: 9070)")
    made.add_argument("--data", help="sandbox: same as --sandbox-data")
    made.add_argument("--now", help="sandbox: same as --sandbox-now")
    made.add_argument("--scopes", help="keys add: what the key allows (default: billing:read)")
    made.add_argument("--tenant", help="keys add: whose data the key is for; approvals: whose plan")
    made.add_argument("--expires", metavar="DAYS", help="keys add: when it ends (default: never)")
    made.add_argument("--yes", action="store_true", help="approve: do not ask at the terminal")
    made.add_argument("--why", metavar="TEXT", help="deny: what whoever asked is told")
    made.add_argument("--heads", metavar="FILE", help="audit verify: what --json printed before")
    return made


def main(arguments: Sequence[str]) -> int:
    """Run a verb; the process's exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A Windows console's code page would break on the first dash. What else may stand in its
        # place, such as a text in memory, has no encoding to change.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    made = parser()
    options = made.parse_intermixed_args(list(_spelled_out(arguments)))
    if options.words and options.verb not in WITH_WORDS:
        made.error(f"unrecognized arguments: {' '.join(options.words)}")
    try:
        settings = from_environ(os.environ, _flags(options))
        logs.configure(settings)
        code = _run(options, settings)
        sys.stdout.flush()
    except BrokenPipeError:
        return _unread()
    except BaseExceptionGroup as group:
        # What a verb that runs tasks makes of the same; with anything beside it, it is a failure.
        if group.split(BrokenPipeError)[1] is not None:
            raise
        return _unread()
    except SettingsError as error:
        if options.verb == "doctor":
            print(f"trouble  {error}")
            return 1
        print(f"billing-mcp: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return code


def _unread() -> int:
    """Whoever read our output has gone, as `head` does: end as a program that SIGPIPE ended."""
    # The interpreter flushes at its end, and would complain about the same pipe once more.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141


def _spelled_out(arguments: Sequence[str]) -> Iterator[str]:
    """A boolean flag that stands alone means true; the verb that may follow it is not its value."""
    booleans = {variable.flag for variable in VARIABLES if variable.kind == "boolean"}
    for argument, following in pairwise((*arguments, "-")):
        alone = following in VERBS or following.startswith("-")
        yield f"{argument}=true" if argument in booleans and alone else argument


def _flags(options: argparse.Namespace) -> dict[str, str]:
    flags = {
        variable.attribute: value
        for variable in VARIABLES
        if (value := getattr(options, variable.attribute)) is not None
    }
    short = {"host": "http_host", "data": "sandbox_data", "now": "sandbox_now"}
    if options.verb == "http":
        short["port"] = "http_port"
    for name, attribute in short.items():
        if (value := getattr(options, name)) is not None:
            flags[attribute] = value
    return flags


def _run(options: argparse.Namespace, settings: Settings) -> int:
    verbs: dict[str, Callable[[argparse.Namespace, Settings], int]] = {
        "stdio": _stdio,
        "http": _http,
        "sandbox": _sandbox,
        "demo": _demo,
        "operations": _operations,
        "approvals": _approvals,
        "approve": _answer,
        "deny": _answer,
        "audit": _audit,
        "tools": _tools,
        "doctor": _doctor,
        "keys": _keys,
    }
    return verbs[options.verb](options, settings)


def _stdio(_: argparse.Namespace, settings: Settings) -> int:
    from billing_mcp.server import BillingServer

    if len(settings.tenants) > 1:
        raise SettingsError(
            f"stdio serves one tenant, and BILLING_MCP_TENANTS has {len(settings.tenants)}."
            " Use `billing-mcp http`, or a file with one tenant."
        )
    server = BillingServer(settings)
    gc.freeze()
    gc.enable()
    server.run("stdio")
    return 0


def _http(_: argparse.Namespace, settings: Settings) -> int:
    from billing_mcp.http.app import serve

    gc.enable()
    serve(settings, ready=lambda address: print(f"MCP {address}", flush=True))
    return 0


def _demo(_: argparse.Namespace, _settings: Settings) -> int:
    from billing_mcp.demo import run

    gc.enable()
    return run()


def _tools(options: argparse.Namespace, settings: Settings) -> int:
    from billing_mcp.listing import print_tools

    return print_tools(settings, as_json=options.json)


def _operations(options: argparse.Namespace, settings: Settings) -> int:
    from billing_mcp.listing import print_operations

    gc.enable()
    return print_operations(settings, as_json=options.json)


def _approvals(options: argparse.Namespace, settings: Settings) -> int:
    from billing_mcp.approving import print_waiting

    gc.enable()
    return print_waiting(settings, options.tenant, as_json=options.json)


def _answer(options: argparse.Namespace, settings: Settings) -> int:
    from billing_mcp.approving import Wanted, run

    gc.enable()
    wanted = Wanted(options.tenant, options.why, yes=options.yes)
    return run(options.verb, options.words, wanted, settings)


def _audit(options: argparse.Namespace, settings: Settings) -> int:
    from billing_mcp.auditing import run

    gc.enable()
    return run(options.words, options.heads, settings, as_json=options.json)


def _doctor(_: argparse.Namespace, settings: Settings) -> int:
    from billing_mcp.doctor import examine

    return examine(settings)


def _keys(options: argparse.Namespace, settings: Settings) -> int:
    from datetime import UTC, datetime

    from billing_mcp.keys import Wanted, run

    gc.enable()
    wanted = Wanted(options.scopes, options.tenant, options.expires, options.role)
    return run(options.words, wanted, settings, datetime.now(UTC))


def _sandbox(options: argparse.Namespace, settings: Settings) -> int:
    import anyio

    from billing_mcp.sandbox import SandboxSettings, UnusableDataFile, open_sandbox
    from billing_mcp.sandbox.serve import serve

    gc.enable()
    number = options.port or "9070"
    if not number.isdecimal() or int(number) > 65535:
        raise SettingsError(f"--port cannot be {number!r}: use a whole number from 0 to 65535.")
    try:
        sandbox = open_sandbox(
            SandboxSettings(data=settings.sandbox_data, now=settings.sandbox_now)
        )
    except UnusableDataFile as error:
        raise SettingsError(str(error)) from error

    def ready(listening: int) -> None:
        base = f"http://127.0.0.1:{listening}"
        print(f"Togai {base}/togai · Suger {base}/suger · controls {base}/control", flush=True)

    try:
        anyio.run(lambda: serve(sandbox, port=int(number), ready=ready))
    except OSError as error:
        raise SettingsError(f"Port {number} cannot be opened: {error}.") from error
    finally:
        sandbox.close()
    return 0
