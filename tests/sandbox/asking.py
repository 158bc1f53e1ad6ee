"""A way to ask a sandbox over HTTP, with exact numbers both ways."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import anyio
import httpx2

from billing_mcp import money
from billing_mcp.sandbox import Sandbox

KEY = {"Authorization": "Bearer any"}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def message(self) -> str:
        """Togai's error text."""
        text: str = self.body["message"]
        return text


@dataclass(frozen=True, slots=True)
class Asker:
    """Requests to a sandbox."""

    sandbox: Sandbox

    def raw(
        self, method: str, target: str, content: bytes = b"", headers: Mapping[str, str] = KEY
    ) -> httpx2.Response:
        async def send() -> httpx2.Response:
            transport = httpx2.ASGITransport(app=self.sandbox)
            async with httpx2.AsyncClient(transport=transport, base_url="http://sandbox") as client:
                return await client.request(method, target, content=content, headers=headers)

        return anyio.run(send)

    def at(self, method: str, path: str, body: Any = None, **query: Any) -> Answer:
        """Any path of the sandbox."""
        content = b"" if body is None else money.to_json(body)
        response = self.raw(method, f"{path}?{urlencode(query)}" if query else path, content)
        return Answer(response.status_code, money.from_json(response.content), response.headers)

    def togai(self, method: str, path: str, body: Any = None, **query: Any) -> Answer:
        return self.at(method, f"/togai{path}", body, **query)

    def done(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """The body of a Togai operation that must succeed."""
        answer = self.togai(method, path, body, **query)
        assert answer.status < 300, answer.body
        return answer.body

    def control(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """The body of a control that must succeed."""
        answer = self.at(method, f"/control{path}", body, **query)
        assert answer.status == 200, answer.body
        return answer.body

    def effects(self, kind: str) -> list[Any]:
        found: list[Any] = self.control("GET", "/effects", kind=kind)["effects"]
        return found
