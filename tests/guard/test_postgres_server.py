"""A machine without a PostgreSQL leaves its tests out, and one that has to have it does not."""

import pytest

from guard import postgres_server
from guard.postgres_server import NoPostgres, is_there, postgres


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine on which none runs and none is installed."""
    for name in (postgres_server.URL, postgres_server.WANTED):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(postgres_server, "PACKAGE", "no_such_package")
    monkeypatch.setenv("PATH", "")
    return monkeypatch


def test_a_machine_without_postgresql_has_none_to_give(bare: pytest.MonkeyPatch) -> None:
    assert not is_there()
    with pytest.raises(NoPostgres, match="install the extra postgres-server"), postgres():
        pass


def test_a_machine_that_has_to_have_postgresql_says_what_is_missing(
    bare: pytest.MonkeyPatch,
) -> None:
    bare.setenv(postgres_server.WANTED, "required")
    with pytest.raises(NoPostgres, match=postgres_server.URL):
        is_there()


def test_a_running_postgresql_is_taken_as_it_is(bare: pytest.MonkeyPatch) -> None:
    bare.setenv(postgres_server.URL, "postgresql:///ledgers")
    assert is_there()
    with postgres() as url:
        assert url == "postgresql:///ledgers"
