"""The data file: what it keeps, and when it is refused."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from billing_mcp.sandbox import (
    SandboxSettings,
    UnusableDataFile,
    open_sandbox,
    store,
    stored_time,
)
from sandbox.asking import Asker

CUSTOMER = {"id": "acme", "name": "Acme", "primaryEmail": "billing@acme.example", "address": {}}
NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)


def opened(path: Path, *, now: datetime | None = None) -> Asker:
    return Asker(open_sandbox(SandboxSettings(data=path, now=now, demo=False)))


def test_a_data_file_keeps_everything_for_the_next_sandbox(tmp_path: Path) -> None:
    first = opened(tmp_path / "sandbox.db")
    first.done("POST", "/customers", CUSTOMER)
    first.control("POST", "/clock", {"now": "2027-01-01T00:00:00Z"})
    first.sandbox.close()

    second = opened(tmp_path / "sandbox.db")

    assert second.done("GET", "/customers/acme")["name"] == "Acme"
    assert second.control("GET", "/clock") == {"now": "2027-01-01T00:00:00Z"}
    assert second.control("POST", "/reset", {"demo": False}) == {"now": "2026-11-20T12:00:00Z"}


def test_an_existing_data_file_is_not_filled_with_the_demo_company(tmp_path: Path) -> None:
    opened(tmp_path / "sandbox.db").sandbox.close()

    again = Asker(open_sandbox(SandboxSettings(data=tmp_path / "sandbox.db")))

    assert again.done("GET", "/customers")["data"] == []


def test_a_later_start_moves_the_clock_of_a_data_file_and_an_earlier_one_does_not(
    tmp_path: Path,
) -> None:
    path = tmp_path / "sandbox.db"
    opened(path).sandbox.close()

    later = opened(path, now=NEW_YEAR)
    assert later.control("GET", "/clock") == {"now": "2027-01-01T00:00:00Z"}
    later.sandbox.close()
    earlier = opened(path, now=datetime(2026, 12, 1, tzinfo=UTC))
    assert earlier.control("GET", "/clock") == {"now": "2027-01-01T00:00:00Z"}


def test_the_stored_time_is_what_an_opened_sandbox_shows(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.db"
    assert stored_time(path, None) == datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert stored_time(None, NEW_YEAR) == NEW_YEAR
    assert not path.exists()

    opened(path, now=NEW_YEAR).sandbox.close()

    assert stored_time(path, None) == NEW_YEAR
    assert stored_time(path, datetime(2026, 12, 1, tzinfo=UTC)) == NEW_YEAR
    path.with_name("empty.db").touch()
    assert stored_time(path.with_name("empty.db"), NEW_YEAR) == NEW_YEAR


def test_a_data_file_of_another_schema_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    opened(path).sandbox.close()
    with sqlite3.connect(path) as db:
        db.execute("pragma user_version = 1")

    with pytest.raises(UnusableDataFile) as caught:
        opened(path)

    assert "another version of the sandbox" in str(caught.value)
    assert "move the file away, or name another one with --data" in str(caught.value)


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as db:
        db.execute("create table notes (text)")

    with pytest.raises(UnusableDataFile, match="is not a sandbox's data file"):
        opened(path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "letter.db"
    path.write_text("Dear sandbox, " * 100)

    with pytest.raises(UnusableDataFile, match="cannot be opened"):
        opened(path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnusableDataFile, match="there is no folder"):
        opened(tmp_path / "nowhere" / "sandbox.db")


def test_a_folder_cannot_be_the_data_file(tmp_path: Path) -> None:
    with pytest.raises(UnusableDataFile, match="cannot be opened"):
        opened(tmp_path)


def test_the_schema_version_follows_the_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    before = store.schema_version()
    text = store.schema()
    monkeypatch.setattr(store, "schema", lambda: text + "create table more (id text) strict;")

    assert store.schema_version() != before
