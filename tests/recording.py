"""A vendor in a test's hands: it answers what the test says and keeps every request."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
from pydantic import SecretStr

from billing_mcp.connection import Application, Connection
from billing_mcp.credentials import Credential, Vendor
from billing_mcp.server import BillingServer

TOKEN = "togai-key-0123456789"


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it was on the wire; `target` has the raw path and the query."""

    method: str
    target: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Says:
    """One answer. Text stands for its bytes, anything else for its JSON."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return json.dumps(self.body).encode()


SILENCE = object()
"""An answer that never comes."""


class Recorder:
    """An ASGI application that gives its answers in turn, the last one for ever.

    An exception among the answers is raised, as a transport raises it.
    """

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        query = scope["query_string"].decode()
        target = scope["raw_path"].decode() + (f"?{query}" if query else "")
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        answer = self._answer_to(Request(scope["method"], target, body, headers))
        if isinstance(answer, Exception):
            raise answer
        if answer is SILENCE:
            await anyio.sleep_forever()
        assert isinstance(answer, Says)
        wire = [(name.lower().encode(), value.encode()) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": wire})
        await send({"type": "http.response.body", "body": answer.content})

    def _answer_to(self, request: Request) -> object:
        self.requests.append(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    @property
    def bodies(self) -> list[str]:
        return [request.body.decode() for request in self.requests]


class Granting(Recorder):
    """A recorder that tells by itself whose an account is, as every grant asks before it is sent.

    What was told so is in `told` and not in `requests`: it is not what the test is about.
    """

    ACCOUNT = re.compile(r"(?:/togai)?/accounts/([^/?]+)")
    CUSTOMER = re.compile(r"(?:/togai)?/customers/([^/?]+)")

    def __init__(self, *answers: object) -> None:
        super().__init__(*answers)
        self.told: list[Request] = []

    def _answer_to(self, request: Request) -> object:
        if request.method == "GET":
            if account := self.ACCOUNT.fullmatch(request.target):
                self.told.append(request)
                account_of = {"customerId": "acme", "invoiceCurrency": "USD"}
                return Says({"id": account[1], "name": "Acme Europe", **account_of})
            if customer := self.CUSTOMER.fullmatch(request.target):
                self.told.append(request)
                email = "billing@acme.example"
                return Says({"id": customer[1], "name": "Acme", "primaryEmail": email})
        return super()._answer_to(request)


class Waits:
    """A sleep that takes no time and remembers how long it should have been."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def attach(
    server: BillingServer,
    application: Application,
    *,
    timeout_s: float = 25,
    concurrency: int = 128,
    jitter: float = 1,
    sleep: Callable[[float], Awaitable[None]] | None = None,
) -> Waits:
    """Put an application in the place of both vendors. Gives back the waits between tries."""
    waits = Waits()
    vendors: tuple[Vendor, ...] = ("togai", "suger")
    for vendor in vendors:
        server.tenant._connections[vendor] = Connection(
            Credential(f"http://vendor/{vendor}", SecretStr(f"Bearer {TOKEN}")),
            timeout_s,
            concurrency,
            application=application,
            sleep=sleep or waits,
            jitter=lambda: jitter,
        )
    return waits
