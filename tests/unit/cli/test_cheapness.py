"""What must cost nothing: help, and names that are ours alone."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

HEAVY = {
    "airflow",
    "alembic",
    "great_expectations",
    "lxml",
    "msgspec",
    "openpyxl",
    "polars",
    "pydantic",
    "pyodbc",
    "python_calamine",
    "requests",
    "sqlalchemy",
    "yaml",
}

HELP = """
import json, sys
from crossdock.cli import app
try:
    app(sys.argv[1:], prog_name="crossdock")
except SystemExit:
    pass
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
"""


DOCK = """
import json, sys, crossdock.dock
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
"""


WORKER = """
import json, sys
from connectors.registry import formats
from crossdock.ledger import Ledger
from crossdock.process import process
from crossdock.settings import Settings
formats()
Ledger.open(Settings.from_environment({"CROSSDOCK_HOME": sys.argv[1]}).ledger_url).close()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
"""


def imported_by(code: str, *arguments: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after running ``code``, which lists them on stderr."""
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    assert imported_by(HELP, *arguments) & HEAVY == set()


def test_the_dock_itself_imports_nothing_heavy() -> None:
    assert imported_by(DOCK) & (HEAVY | {"typer", "rich"}) == set()


def test_a_worker_holds_nothing_that_few_payloads_need(tmp_path: Path) -> None:
    """Its ledger is in SQLite; what likens words is for messages, what writes workbooks for answers."""
    assert imported_by(WORKER, str(tmp_path)) & {"psycopg", "rapidfuzz", "openpyxl", "numpy"} == set()


@pytest.mark.parametrize("name", ["connectors", "crossdock", "mappings", "schemas"])
def test_no_other_distribution_claims_our_names(name: str) -> None:
    """The names are generic: a second owner would silently win or lose on ``sys.path``."""
    assert set(packages_distributions().get(name, [])) == {"crossdock"}
