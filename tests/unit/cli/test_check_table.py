"""``crossdock check FOLDER --table``: a row a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from crossdock.check import Checked
from crossdock.views.check_table import VERDICTS, files_in, result, table_view
from schemas.findings import Finding, Severity, Stage

if TYPE_CHECKING:
    from conftest import Installation

SHEET = "Item;Site;On hand;Unit;As of\nP-1;PLANT-1;1.250,5;kg;2026-03-30\n"


def finding(code: str, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(code=code, severity=severity, stage=Stage.SYNTAX, message="")


def document(status: str, *findings: Finding) -> Checked:
    return Checked(file="f", type="x12.850", status=status, lines=3, events=2, findings=findings)


def loose(type_: str, code: str) -> Checked:
    return Checked(file="f", type=type_, findings=(finding(code),))


@pytest.mark.parametrize(
    ("verdict", "code", "checked"),
    [
        ("accepted", 0, [document("accepted", finding("w", Severity.WARNING))]),
        ("accepted with errors", 1, [document("accepted_with_errors", finding("e"))]),
        ("accepted with errors", 1, [document("accepted"), loose("interchange", "e")]),
        ("partly rejected", 1, [document("accepted"), document("rejected", finding("e"))]),
        ("rejected", 1, [document("rejected", finding("e"))]),
        ("unreadable", 2, [loose("file", "payload.unrecognised")]),
        ("nothing in it", 0, []),
    ],
)  # fmt: skip
def test_verdicts(verdict, code, checked) -> None:
    row = result("f", checked)
    assert (row.verdict, row.exit_code) == (verdict, code)
    assert verdict in VERDICTS


def test_a_row_counts_and_names_the_errors_most_frequent_first() -> None:
    row = result("f", [document("rejected", finding("a"), finding("b")), document("rejected", finding("b"))])
    assert (row.documents, row.lines, row.events, row.types) == (2, 6, 4, ("x12.850",))
    assert list(row.errors.items()) == [("b", 2), ("a", 1)]


def test_errors_of_many_kinds_are_cut_short() -> None:
    row = result("f", [document("rejected", *(finding(f"code.{i}") for i in range(7)))])
    console = Console(width=200)
    with console.capture() as capture:
        console.print(table_view([row]))
    assert "code.0, code.1, code.2, code.3 and 3 more kinds" in capture.get()
    assert "1 file · 1 document · 3 lines · 2 events · 1 rejected" in capture.get()


def test_a_folder_is_its_files_in_order_without_hidden_ones(tmp_path) -> None:
    for name in ("b/2.edi", "a.csv", ".git/config", "b/.hidden", "b/1.edi"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [name for _, name in files_in([tmp_path])] == ["a.csv", "b/1.edi", "b/2.edi"]
    single = tmp_path / "a.csv"
    assert list(files_in([single])) == [(single, str(single))]


def test_the_command_prints_the_table_and_ends_as_the_worst_file(installation: Installation) -> None:
    installation.drop("good.csv", SHEET)
    path = installation.drop("noise.bin", "no format at all")

    found = installation.run("check", "--table", "--partner", "ACME", str(path.parent))

    rows = [line.split() for line in found.stdout.splitlines()]
    assert ["good.csv", "workbook.stock", "1", "1", "1", "accepted"] in rows
    assert ["noise.bin", "0", "0", "0", "payload.unrecognised", "unreadable"] in rows
    assert "2 files · 1 document · 1 line · 1 event · 1 accepted · 1 unreadable" in found.stdout
    assert found.exit_code == 2


def test_a_table_has_no_room_for_events(installation: Installation) -> None:
    path = installation.drop("good.csv", SHEET)
    assert installation.run("check", "--table", "--json", str(path)).exit_code == 2
