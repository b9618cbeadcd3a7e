"""That a fresh clone can be set up, and that what is set up is what the project says."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution, version
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.postgres_server import PostgresServer, conninfo

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
REQUIREMENTS = sorted((ROOT / "requirements").glob("*.txt"))
EACH_FILE = pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.name)

PIN = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>[\w.!+]+)(?: ; (?P<marker>[^\\]+?))?"
    r"(?P<hashes>(?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n"
)


def pins(path: Path) -> dict[str, re.Match[str]]:
    return {canonicalize_name(pin["name"]): pin for pin in PIN.finditer(path.read_text())}


def wanted_here(pin: re.Match[str]) -> bool:
    return pin["marker"] is None or Marker(pin["marker"]).evaluate()


# What is pinned


def test_the_requirements_are_the_ones_the_set_up_reads() -> None:
    assert [path.stem for path in REQUIREMENTS] == ["build", "runtime", "test", "uv"]


@EACH_FILE
def test_requirements_hold_nothing_but_pins_with_hashes(path: Path) -> None:
    """So no address, no option and no local path either."""
    assert PIN.sub("", path.read_text()) == ""
    assert pins(path)


@EACH_FILE
def test_one_version_of_a_package_is_pinned_everywhere(path: Path) -> None:
    elsewhere = {name: pin["version"] for other in REQUIREMENTS for name, pin in pins(other).items()}
    assert {name: pin["version"] for name, pin in pins(path).items()}.items() <= elsewhere.items()


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("runtime", PROJECT["project"]["dependencies"]),
        ("test", PROJECT["dependency-groups"]["test"]),
        ("build", PROJECT["dependency-groups"]["build"]),
        ("uv", PROJECT["dependency-groups"]["uv"]),
    ],
)
def test_every_declared_dependency_is_pinned_within_its_range(name: str, declared: list[str]) -> None:
    pinned = pins(ROOT / "requirements" / f"{name}.txt")
    for requirement in map(Requirement, declared):
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]["version"])


@EACH_FILE
def test_what_is_installed_is_what_is_pinned(path: Path) -> None:
    here = {name: pin["version"] for name, pin in pins(path).items() if wanted_here(pin)}
    if path.stem == "uv":  # where uv cannot be had, pip installs
        return
    assert {name: version(name) for name in here} == here


# What is installed


def test_the_command_is_installed() -> None:
    scripts = distribution("iam-ledger").entry_points.select(group="console_scripts")
    assert {script.name: script.value for script in scripts} == {"iam-ledger": "api.cli.main:main"}


def test_the_project_is_installed_in_place() -> None:
    code = "import ledger, projections, api; print(ledger.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "docs", capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()) == ROOT / "ledger" / "__init__.py"


def test_an_unknown_verb_explains_itself() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "dev.py", "launch"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "python3 dev.py demo" in done.stderr


def test_setting_up_twice_does_nothing() -> None:
    """Within a set-up made by dev.py; somebody's own environment has no stamp to compare with."""
    if Path(sys.prefix) != ROOT / ".venv":
        pytest.skip("the tests do not run in the environment that dev.py makes")
    done = subprocess.run(
        [sys.executable, ROOT / "dev.py", "setup"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# What the tests stand on


def test_postgres_answers(postgres_url: str) -> None:
    engine = sa.create_engine(postgres_url)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("select version()")).startswith("PostgreSQL ")
    engine.dispose()


def test_postgres_keeps_what_it_commits(postgres_server: PostgresServer) -> None:
    with psycopg.connect(conninfo(postgres_server.url)) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert connection.execute(f"SHOW {setting}".encode()).fetchone() == ("on",)


def test_every_database_is_fresh_and_is_dropped(postgres_server: PostgresServer) -> None:
    with postgres_server.fresh_database() as one, postgres_server.fresh_database() as other:
        assert one.database != other.database
        with psycopg.connect(conninfo(one)) as connection:
            connection.execute("CREATE TABLE left_behind (n int)")
        with psycopg.connect(conninfo(other)) as connection:
            assert connection.execute("SELECT to_regclass('left_behind')").fetchone() == (None,)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(conninfo(one))


def test_a_database_is_dropped_though_somebody_is_still_connected(postgres_server: PostgresServer) -> None:
    with postgres_server.fresh_database() as url:
        forgotten = psycopg.connect(conninfo(url))
    with pytest.raises(psycopg.OperationalError):
        forgotten.execute("SELECT 1")


def test_both_databases_are_empty_at_first(database_url: str) -> None:
    engine = sa.create_engine(database_url)
    assert sa.inspect(engine).get_table_names() == []
    engine.dispose()


def test_the_wheel_of_sqlite_is_free_of_the_wal_reset_bug() -> None:
    """Versions before 3.51.3 can corrupt a database."""
    pysqlite3 = pytest.importorskip("pysqlite3")
    assert pysqlite3.sqlite_version_info >= (3, 51, 3)


def test_recorded_logs_hold_cloudtrail_records(real_logs: Path) -> None:
    assert any(real_logs.rglob("*.json*"))
