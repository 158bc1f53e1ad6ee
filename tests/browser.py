"""A headless Chromium that a test can look at a page with, where one is installed."""

import json
import os
import shutil
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from processes import PATIENCE_S

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

# It reads from 3 and writes to 4, whatever numbers the pipes have here.
_LAUNCH = """
import fcntl, os, sys
reads, writes = (fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3])
os.dup2(reads, 3)
os.dup2(writes, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """Speaks the DevTools protocol over a pair of pipes, one page at a time."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._writes = os.fdopen(to_browser, "wb", buffering=0)
        self._reads = os.fdopen(from_browser, "rb")
        self._number = 0
        self._session: str | None = None
        self._context: str | None = None
        self.complaints: list[str] = []

    def open(self, url: str, *, dark: bool = False, width: int = 900, height: int = 1200) -> None:
        """A page that is the only one, of somebody who has been nowhere before."""
        if self._context is not None:
            self._asked("Target.disposeBrowserContext", browserContextId=self._context)
        self._context = self._asked("Target.createBrowserContext")["browserContextId"]
        self.complaints.clear()
        target = self._asked(
            "Target.createTarget", url="about:blank", browserContextId=self._context
        )["targetId"]
        attached = self._asked("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._asked(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._asked("Emulation.setEmulatedMedia", features=[scheme])
        self._asked(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        self._asked("Emulation.setScrollbarsHidden", hidden=True)
        self._asked("Page.navigate", url=url)
        self.until("location.href !== 'about:blank' && document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """The value of an expression on the page; a promise is awaited."""
        answer = self._asked(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, condition: str) -> None:
        """Wait in the page itself until something holds there."""
        self.run(
            f"""new Promise((done, failed) => {{
              const late = setTimeout(() => failed(new Error("never")), {PATIENCE_S * 1000});
              const look = () => {{
                if ({condition}) {{ clearTimeout(late); done(true); }}
                else setTimeout(look, 10);
              }};
              look();
            }})"""
        )

    def photograph(self, path: Path) -> None:
        shot = self._asked("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(b64decode(shot["data"]))

    def close(self) -> None:
        self._writes.close()
        self._reads.close()

    def _asked(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None and not method.startswith("Target."):
            message["sessionId"] = self._session
        self._writes.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = json.loads(self._message())
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def _message(self) -> bytes:
        found = bytearray()
        while (byte := self._reads.read(1)) != b"\0":
            assert byte, "the browser has ended"
            found += byte
        return bytes(found)

    def _note(self, event: dict[str, Any]) -> None:
        """What the browser itself complains of: a script that failed or was not let run."""
        if event.get("method") == "Log.entryAdded":
            entry = event["params"]["entry"]
            if entry["level"] == "error":
                self.complaints.append(entry["text"])
        elif event.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(event["params"]["exceptionDetails"]))


@contextmanager
def browsing(folder: Path) -> Iterator[Browser]:
    """A browser of its own, with nothing remembered."""
    assert CHROMIUM is not None
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", _LAUNCH, str(theirs_in), str(theirs_out)),
            *(CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu"),
            *("--no-first-run", "--disable-background-networking", "--remote-debugging-pipe"),
            f"--user-data-dir={folder}",
        ],
        pass_fds=(theirs_in, theirs_out),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs_in)
    os.close(theirs_out)
    browser = Browser(ours_out, ours_in)
    try:
        yield browser
    finally:
        process.kill()
        process.wait(timeout=PATIENCE_S)
        browser.close()
