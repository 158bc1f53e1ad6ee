"""The page at /approvals: what it is made of, and what a person does with it in a real browser."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from approving import CREDITS, GRANT, hosted, made_keys
from billing_mcp.http.approvals_page import rendered
from browser import CHROMIUM, Browser, browsing
from html_pages import Page, require_closed
from http_processes import serving
from processes import PATIENCE_S

TRAP = '<img src=x onerror="document.title = 1"> says “approve \u202eme”'
BIG = GRANT | {"creditAmount": "1250.5", "purpose": TRAP}

in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed here")


@pytest.mark.anyio
async def test_the_page_is_open_whole_and_closed_to_other_scripts(tmp_path: Path) -> None:
    async with hosted(tmp_path) as desk:
        answer = await desk.http.get("/approvals")
        require_closed(answer)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        # It holds nobody's data: with a key and a plan that waits it is the same.
        await desk.planned()
        assert (await desk.get("anna", "/approvals")).text == answer.text
        assert (await desk.http.head("/approvals")).content == b""


def test_the_key_is_kept_nowhere_and_no_text_becomes_markup() -> None:
    text = rendered()[0]
    assert "Storage" not in text
    assert "cookie" not in re.sub(r"//.*", "", text)
    assert 'credentials: "omit"' in text
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", text)
    # A form that is sent without the script would put what is typed into the address.
    assert all("name" not in given for given in Page(text).all("input"))


def test_every_input_of_the_page_has_a_label() -> None:
    page = Page(rendered()[0])
    labels = page.all("label")
    assert len(labels) == len(page.all("input")) == 2
    assert [label.get("for") for label in labels] == ["key", None]


class Desk:
    """A server that runs, with plans that wait, and a browser at its page."""

    def __init__(self, url: str, keys: dict[str, str], browser: Browser) -> None:
        self.url = url
        self.keys = keys
        self.browser = browser

    def asked(self, method: str, name: str, path: str, **sent: Any) -> httpx2.Response:
        headers = {"authorization": f"Bearer {self.keys[name]}", **sent.pop("headers", {})}
        url = f"{self.url}{path}"
        return httpx2.request(method, url, headers=headers, timeout=PATIENCE_S, **sent)

    def planned(self, body: dict[str, Any]) -> str:
        path = CREDITS.replace("harbor-main", "acme-prod")
        answer = self.asked("POST", "agent", path, json=body)
        assert answer.status_code == 202, answer.text
        operation_id: str = answer.json()["operationId"]
        return operation_id

    def entered(self, key: str) -> None:
        self.browser.run(
            f"document.getElementById('key').value = {json.dumps(key)};"
            "document.querySelector('#key-form button').click()"
        )

    def text(self, selector: str) -> str:
        text: str = self.browser.run(f"document.querySelector({json.dumps(selector)}).innerText")
        return text

    def press(self, selector: str) -> None:
        self.browser.run(f"document.querySelector({json.dumps(selector)}).click()")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("browser")) as started:
        yield started


@contextmanager
def at_the_page(
    browser: Browser, tmp_path: Path, *plans: dict[str, Any], policy: str = ""
) -> Iterator[Desk]:
    keys = made_keys(tmp_path / "keys.json")
    (tmp_path / "tenants.toml").write_text(
        "[tenants.acme]\nsandbox = true\n[tenants.harbor]\nsandbox = true\n"
    )
    (tmp_path / "policy.toml").write_text(policy)
    settings = ("api-keys", "keys.json"), ("tenants", "tenants.toml"), ("policy", "policy.toml")
    flags = [word for name, file in settings for word in (f"--{name}", str(tmp_path / file))]
    with serving(*flags) as served:
        desk = Desk(served.url, keys, browser)
        for body in plans:
            desk.planned(body)
        browser.open(f"{served.url}/approvals")
        yield desk
        assert browser.complaints == []


@in_a_browser
def test_a_person_reads_what_waits_and_approves_it_in_two_steps(
    browser: Browser, tmp_path: Path
) -> None:
    with at_the_page(browser, tmp_path, GRANT) as desk:
        desk.entered(desk.keys["anna"])
        desk.browser.until("document.querySelectorAll('.plan').length === 1")
        assert desk.text("#who-text") == "You are “key:anna”, of the tenant “acme”."
        assert desk.text("#notice") == "1 plan waits."
        assert desk.text(".plan .amount") == "150.00 USD"
        assert "Grants 150.00 USD of credit to account acme-prod" in desk.text(".plan .effect")
        assert desk.text(".plan .environment").lower() == "sandbox"
        operation_id = desk.browser.run("document.querySelector('.plan').id")
        desk.press(".plan form.approve button")
        assert desk.text(".plan .sure strong") == "Approve 150.00 USD?"
        (row,) = desk.asked("GET", "ben", "/approvals/pending").json()["data"]
        assert row["approvals"] == []
        desk.press(".plan form.approve .sure button")
        desk.browser.until("document.querySelector('.plan.decided') !== null")
        assert desk.text(".plan .outcome").startswith("Approved. It is done when whoever asked")
        assert desk.asked("GET", "ben", "/approvals/pending").json()["data"] == []
        path = CREDITS.replace("harbor-main", "acme-prod")
        sent = {"json": GRANT, "headers": {"idempotency-key": operation_id}}
        assert desk.asked("POST", "agent", path, **sent).status_code == 200
        desk.press("#reload")
        desk.browser.until("document.querySelectorAll('.plan').length === 0")
        assert desk.text("#notice") == "Nothing waits for approval."


@in_a_browser
def test_what_customers_wrote_is_shown_quoted_and_never_run(
    browser: Browser, tmp_path: Path
) -> None:
    with at_the_page(browser, tmp_path, BIG) as desk:
        desk.entered(desk.keys["anna"])
        desk.browser.until("document.querySelectorAll('.plan').length === 1")
        facts = desk.text(".plan dl")
        assert '“<img src=x onerror="document.title = 1"> says "approve \ufffdme"”' in facts
        assert desk.browser.run("document.querySelectorAll('img').length") == 0
        assert desk.browser.run("document.title") == "Approvals · billing-mcp"


@in_a_browser
def test_a_denial_needs_its_reason_and_says_what_it_means(browser: Browser, tmp_path: Path) -> None:
    with at_the_page(browser, tmp_path, GRANT) as desk:
        desk.entered(desk.keys["anna"])
        desk.browser.until("document.querySelectorAll('.plan').length === 1")
        desk.press(".plan form.deny button")
        assert desk.browser.run("document.querySelector('.deny input').validity.valueMissing")
        desk.browser.run("document.querySelector('.deny input').value = 'Ask them first'")
        desk.press(".plan form.deny button")
        desk.browser.until("document.querySelector('.plan.decided') !== null")
        assert desk.text(".plan .outcome") == "Denied. It cannot be done any more."
        assert desk.asked("GET", "ben", "/approvals/pending").json()["data"] == []


@in_a_browser
def test_the_second_of_two_is_another_person(browser: Browser, tmp_path: Path) -> None:
    policy = '[everyone]\nneeds_two_approvals = ["grant-credit"]\n'
    with at_the_page(browser, tmp_path, GRANT, policy=policy) as desk:
        for name, left in (("anna", 1), ("ben", 0)):
            desk.entered(desk.keys[name])
            desk.browser.until("document.querySelectorAll('.plan').length === 1")
            desk.press(".plan form.approve button")
            desk.press(".plan form.approve .sure button")
            desk.browser.until("document.querySelector('.plan.decided') !== null")
            desk.press("#reload")
            desk.browser.until("document.querySelector('.plan.decided') === null")
            assert desk.browser.run("document.querySelectorAll('.plan').length") == left
            if left:
                assert desk.text(".plan .barred").startswith("You have approved it.")
                assert desk.browser.run("document.querySelector('form.approve').hidden")
            desk.press("#forget")


@in_a_browser
def test_a_key_that_may_not_approve_is_told_so_and_forgotten(
    browser: Browser, tmp_path: Path
) -> None:
    with at_the_page(browser, tmp_path, GRANT) as desk:
        wrong = {
            desk.keys["agent"]: "This needs a token with the scope billing:approve.",
            "bmk_made-up": "The token is refused: it is not an API key of this server.",
            "schlüssel": "That is no key: it holds characters that keys and tokens never have.",
        }
        for key, said in wrong.items():
            desk.entered(key)
            desk.browser.until(
                f"document.getElementById('notice').textContent === {json.dumps(said)}"
            )
            assert desk.browser.run("document.querySelectorAll('.plan').length") == 0
            assert desk.browser.run("document.getElementById('who').hidden")
        # The browser itself notes each refused request.
        assert all("40" in complaint for complaint in desk.browser.complaints)
        desk.browser.complaints.clear()


@in_a_browser
def test_a_key_stands_nowhere_that_outlives_the_page(browser: Browser, tmp_path: Path) -> None:
    with at_the_page(browser, tmp_path, GRANT) as desk:
        desk.entered(desk.keys["anna"])
        desk.browser.until("document.querySelectorAll('.plan').length === 1")
        kept = desk.browser.run(
            "[document.cookie, location.href, document.getElementById('key').value,"
            " JSON.stringify({...localStorage}), JSON.stringify({...sessionStorage}),"
            " document.documentElement.outerHTML].join(' ')"
        )
        assert "bmk_" not in kept
        desk.browser.run("dispatchEvent(new PageTransitionEvent('pagehide'))")
        assert desk.browser.run("document.querySelectorAll('.plan').length") == 0
        desk.press("#reload")
        desk.browser.until("document.getElementById('notice').classList.contains('bad')")
        desk.browser.complaints.clear()
