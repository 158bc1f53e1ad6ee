"""The files of the prompts are in what is built, and an installed copy reads them from there."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from processes import environment

ROOT = Path(__file__).parents[1]
FILES = {file.name for file in (ROOT / "prompts").iterdir()}
LIST = """
import billing_mcp
from billing_mcp.config import Settings
from billing_mcp.server import BillingServer
print(billing_mcp.__file__)
print(*BillingServer(Settings()).prompts.playbooks)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution and the wheel, built without a network."""
    folder = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, check=True)
    return folder


def test_the_source_distribution_has_every_prompt(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = archive.getnames()
    assert {Path(name).name for name in names if Path(name).parts[1:-1] == ("prompts",)} == FILES


def test_an_installed_copy_reads_every_prompt_from_the_package(built: Path, tmp_path: Path) -> None:
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
    assert {file.name for file in (tmp_path / "billing_mcp" / "prompt_files").iterdir()} == FILES
    ran = subprocess.run(
        [sys.executable, "-c", LIST],
        cwd=tmp_path,
        env=environment(PYTHONPATH=str(tmp_path)),
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    place, names = ran.stdout.splitlines()
    assert Path(place).is_relative_to(tmp_path)
    assert names.split() == sorted(Path(name).stem for name in FILES)
