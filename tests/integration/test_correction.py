"""A workbook that is wrong in places goes back corrected; mended and sent again, each of its rows is told once."""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.formatting.rule import CellIsRule
from openpyxl.styles import Font, PatternFill

from connectors.formats.workbook import correction
from tests.conftest import Installation

PARTNER = """\
partner: ACME
name: Acme Pumps
language: {language}
timezone: Europe/Berlin
identities: {{email: ["*@acme.example"]}}
documents:
  workbook.stock: {{extends: standard/workbook_stock, dates: dmy}}
acknowledge: {{application: workbook, within: 1h, to: replies}}
"""
OUTLET = """\
outlet: replies
carries: documents
sink: {kind: folder, path: replies}
"""
CHANNEL = """\
channel: inbox
source: {kind: folder, path: in, quiet: 0s}
partner: ACME
"""
HEADER = ["Artikel-Nr.", "Werk", "Bestand", "ME", "Stichtag", "Bemerkung"]
ROWS = [
    ["P-100", "N1", 12.5, "EA", datetime(2026, 3, 1), '=HYPERLINK("http://evil.example")'],  # noqa: DTZ001
    ["P-1OO", "N1", 7, "EA", datetime(2026, 3, 1), None],  # noqa: DTZ001
    ["P-200", "N1", "etwa 4", "EA", "31.02.2026", "@SUM(A1)"],
    ["P-200", "N2", None, "EA", datetime(2026, 3, 1), None],  # noqa: DTZ001
]


def stock() -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Bestand März"
    sheet.append(["Lagerbestand Acme"])
    sheet.append([])
    sheet.append(HEADER)
    for row in ROWS:
        sheet.append(row)
    for cell in sheet[3]:
        cell.font = Font(bold=True, color="FF0000")
    sheet.column_dimensions["B"].width = 33
    for row in range(4, 8):
        sheet[f"C{row}"].number_format = "0.000"
        sheet[f"E{row}"].number_format = "dd.mm.yyyy"
    return book


def saved(book: openpyxl.Workbook) -> bytes:
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


@pytest.fixture
def site(known: Installation) -> Callable[[str], Installation]:
    def made(language: str = "de") -> Installation:
        (known.home / "partners" / "acme.yaml").write_text(PARTNER.format(language=language))
        (known.home / "outlets" / "replies.yaml").write_text(OUTLET)
        (known.home / "channels" / "inbox.yaml").write_text(CHANNEL)
        return known

    return made


def replies(site: Installation) -> list[Path]:
    return sorted((site.home / "replies").glob("*.xlsx"))


def events(site: Installation) -> list[dict[str, Any]]:
    return [json.loads(line) for line in site.run("events", "--jsonl").stdout.splitlines()]


def told(site: Installation) -> dict[str, tuple[str, int]]:
    return {one["subject"]: (one["data"]["quantity"], one["sequence"]) for one in events(site)}


def test_marked_mended_sent_again_and_told_once(site: Callable[[str], Installation]) -> None:
    here = site("de")
    here.drop("stock.xlsx", saved(stock()))
    assert here.run("run").exit_code == 0
    assert told(here) == {"stock/ACME/N1//P-100": ("12.5", 1)}
    (reply,) = replies(here)
    book = openpyxl.load_workbook(reply)
    assert book.sheetnames == ["Korrekturen", "Bestand März"]
    summary, sheet = book.worksheets
    assert summary["A1"].value == "Bitte 5 Stellen in stock.xlsx berichtigen"
    wrong = {cell.coordinate for row in sheet for cell in row if cell.comment}
    assert wrong == {"F4", "A5", "C6", "E6", "B7", "C7"}
    assert sheet["A5"].comment.text.splitlines() == [
        "Den Artikel „P-1OO“ kennen wir nicht.",
        "Erwartet: eine unserer Artikelnummern, oder Ihre, wie wir sie kennen",
        "Vorschlag: P-100",
    ]
    assert [sheet[f"A{row}"].fill.start_color.rgb for row in range(4, 8)] == [
        "00C6EFCD", "00FFC7CD", "00FCE4D5", "00FCE4D5",
    ]  # fmt: skip
    assert sheet.column_dimensions["B"].width == 33
    assert (sheet["C4"].number_format, sheet["E4"].number_format) == ("0.000", "dd.mm.yyyy")
    assert sheet["A3"].font.color.rgb == "00FF0000"

    for cell, value in {"A5": "P-200", "C6": 4, "E6": datetime(2026, 3, 2), "B7": "N1", "C7": 9}.items():  # noqa: DTZ001
        sheet[cell].value = value
    sheet["F7"] = "another lot"
    here.drop("stock corrected.xlsx", saved(book))
    assert here.run("run").exit_code == 0
    assert told(here) == {
        "stock/ACME/N1//P-100": ("12.5", 1),
        "stock/ACME/N1//P-200": ("7", 1),
        "stock/ACME/N1//P-200#2": ("4", 1),
        "stock/ACME/N1//P-200#3": ("9", 1),
    }
    assert len(replies(here)) == 1
    assert here.run("parked", "--json").stdout == ""
    assert len(events(here)) == 4


def test_nothing_that_runs_or_links_goes_out(site: Callable[[str], Installation]) -> None:
    here = site("es")
    book = stock()
    sheet = book.active
    sheet["F5"] = "see here"
    sheet["F5"].hyperlink = "http://evil.example/x"
    sheet["F7"].value = "+cmd|' /C calc'!A0"
    sheet["F7"].data_type = "s"
    here.drop("stock.xlsx", saved(book))
    here.run("run")
    (reply,) = replies(here)
    with zipfile.ZipFile(reply) as parts:
        everything = b"".join(parts.read(name) for name in parts.namelist())
        assert not [name for name in parts.namelist() if "vba" in name.lower() or "external" in name.lower()]
    assert b"<f>" not in everything
    assert b'TargetMode="External"' not in everything
    for one in openpyxl.load_workbook(reply):
        for row in one.iter_rows():
            for cell in row:
                assert not str(cell.value or "").startswith(("=", "+", "@", "\t"))


def test_who_was_told_of_errors_hears_of_their_repair_and_of_rows_that_we_reject(
    site: Callable[[str], Installation],
) -> None:
    here = site("en")
    here.drop("stock.csv", "Part;Site;On hand;Unit\nV-7;N1;5;EA\nV-8;N1;6;EA\n")
    here.run("run")
    first = set(replies(here))
    fixed = here.run("fix", "item", "V-7", "P-100", "--partner", "ACME", "--reason", "theirs for our P-100")
    assert fixed.exit_code == 0, fixed.output
    here.run("run")
    assert told(here) == {"stock/ACME/N1//P-100": ("5", 1)}
    (repaired,) = set(replies(here)) - first
    book = openpyxl.load_workbook(repaired)
    assert book.worksheets[0]["A1"].value == "Please correct one place in stock.csv"
    assert [cell.coordinate for row in book.worksheets[1] for cell in row if cell.comment] == ["A3"]

    assert here.run("parked", "--value", "V-8", "--reject", "we no longer buy it").exit_code == 0
    here.run("run")
    (rejected,) = set(replies(here)) - first - {repaired}
    comment = openpyxl.load_workbook(rejected).worksheets[1]["A3"].comment.text
    assert "We rejected this row: we no longer buy it" in comment


def test_delimited_text_comes_back_as_a_workbook_and_keeps_its_text(site: Callable[[str], Installation]) -> None:
    here = site("en")
    here.drop(
        "stock.csv",
        "Part;Site;On hand;Unit;As of\nP-100;N1;1.250,5;EA;01.03.2026\n007;N1;2,5;EA;01.03.2026\n".encode("cp1252"),
    )
    here.run("run")
    assert told(here) == {"stock/ACME/N1//P-100": ("1250.5", 1)}
    (reply,) = replies(here)
    book = openpyxl.load_workbook(reply)
    sheet = book.worksheets[1]
    assert [cell.value for cell in sheet[3]] == ["007", "N1", "2,5", "EA", "01.03.2026"]
    assert sheet["A3"].comment.text.startswith("We do not know the item “007”.")
    sheet["A3"].value = "P-200"
    here.drop("again.xlsx", saved(book))
    here.run("run")
    assert told(here) == {"stock/ACME/N1//P-100": ("1250.5", 1), "stock/ACME/N1//P-200": ("2.5", 1)}


@pytest.mark.parametrize(
    ("language", "number", "day"),
    [
        ("de", "eine Zahl mit Dezimalkomma, etwa 1.234,50", "ein Tag, den es gibt, etwa 03.04.2026 für den 3. April"),
        ("en", "a number with a decimal point, such as 1,234.50", "a day that exists, such as 03.04.2026 for 3 April"),
        ("es", "un número con punto decimal, como 1,234.50", "un día que exista, como 03/04/2026 para el 3 de abril"),
    ],
)
def test_what_is_expected_is_said_as_they_write_it(
    site: Callable[[str], Installation], language: str, number: str, day: str
) -> None:
    """Nothing else in the column shows how they do; the order of the day is agreed."""
    here = site(language)
    here.drop("stock.csv", "Part;Site;On hand;Unit;As of\nP-100;N1;5;EA;01.03.2026\nP-200;N1;ca 6;EA;31.02.2026\n")
    here.run("run")
    (reply,) = replies(here)
    summary = openpyxl.load_workbook(reply).worksheets[0]
    listed = [[cell.value for cell in row] for row in summary if str(row[0].value).startswith(("C", "E"))]
    assert [row[4] for row in listed if row[0] in ("C3", "E3")] == [number, day]


def test_a_file_that_cannot_be_read_is_answered_by_the_first_sheet_alone(site: Callable[[str], Installation]) -> None:
    here = site("en")
    payload = saved(stock())
    here.drop("stock.xlsx", payload[: len(payload) // 2])
    here.run("run")
    (reply,) = replies(here)
    (summary,) = openpyxl.load_workbook(reply).worksheets
    assert summary["A1"].value == "stock.xlsx could not be read"
    assert "The workbook is damaged" in [row[3].value for row in summary.iter_rows()]


def test_it_can_be_made_without_a_ledger(known: Installation, tmp_path: Path) -> None:
    file, out = tmp_path / "stock.xlsx", tmp_path / "corrected.xlsx"
    file.write_bytes(saved(stock()))
    result = known.run("check", str(file), "--partner", "ACME", "--correct", str(out))
    assert result.exit_code == 1
    assert openpyxl.load_workbook(out).sheetnames == ["Corrections", "Bestand März"]


def test_saved_by_a_spreadsheet_program_it_reads_just_the_same(site: Callable[[str], Installation]) -> None:
    here = site("de")
    here.drop("stock.xlsx", saved(stock()))
    here.run("run")
    (reply,) = replies(here)
    book = openpyxl.load_workbook(reply)
    for cell, value in {"A5": "P-200", "C6": 4, "E6": datetime(2026, 3, 2), "B7": "N1", "C7": 9}.items():  # noqa: DTZ001
        book.worksheets[1][cell].value = value
    book.save(here.home / "mended.xlsx")
    command = ["soffice", f"-env:UserInstallation=file://{here.home}/profile", "--headless", "--convert-to", "xlsx"]
    command += ["--outdir", str(here.home / "in"), str(here.home / "mended.xlsx")]
    subprocess.run(command, check=True, capture_output=True)
    assert here.run("run").exit_code == 0
    assert len(events(here)) == 4
    assert {sequence for _, sequence in told(here).values()} == {1}
    assert here.run("parked", "--json").stdout == ""


def test_a_missing_column_is_marked_in_the_header(site: Callable[[str], Installation]) -> None:
    here = site("en")
    here.drop("stock.csv", "Part;Site;On hnd;Unit\nP-100;N1;5;EA\n")
    here.run("run")
    (reply,) = replies(here)
    book = openpyxl.load_workbook(reply)
    assert book.worksheets[1]["A1"].comment.text.splitlines()[:1] == ["A column that we need is missing: quantity."]


def test_of_a_large_file_only_the_rows_to_correct_go_back(
    site: Callable[[str], Installation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(correction, "WHOLE", 1000)
    here = site("en")
    rows = [f"P-100;N1;{n},5;EA;B{n}" for n in range(400)]
    rows[170] = "P-200;N1;about 5;EA;B7"
    rows[100] = "P-200;N1;9;EA;B7"
    here.drop("stock.csv", "Part;Site;On hand;Unit;Bin\n" + "\n".join(rows) + "\n")
    here.run("run")
    (reply,) = replies(here)
    book = openpyxl.load_workbook(reply)
    sheet = book.worksheets[1]
    assert [[cell.value for cell in row] for row in sheet] == [
        ["Part", "Site", "On hand", "Unit", "Bin"],
        ["P-200", "N1", "9", "EA", "B7"],  # what lies there besides, so that it is not taken for the same
        ["P-200", "N1", "about 5", "EA", "B7"],
    ]
    assert sheet["C3"].comment is not None
    sheet["C3"].value = 5
    here.drop("again.xlsx", saved(book))
    before = len(events(here))
    here.run("run")
    assert len(events(here)) == before + 1
    assert told(here)["stock/ACME/N1/B7/P-200#2"] == ("5", 1)


def test_what_is_still_wrong_goes_back_once_more_without_the_marks_of_before(
    site: Callable[[str], Installation],
) -> None:
    here = site("en")
    here.drop("stock.xlsx", saved(stock()))
    here.run("run")
    (reply,) = replies(here)
    book = openpyxl.load_workbook(reply)
    for cell, value in {"A5": "P-200", "C6": 4, "E6": "30.02.2026", "B7": "N1", "C7": 9}.items():
        book.worksheets[1][cell].value = value
    here.drop("again.xlsx", saved(book))
    here.run("run")
    _, second = replies(here)
    again = openpyxl.load_workbook(second)
    assert again.sheetnames == ["Corrections", "Bestand März"]
    sheet = again.worksheets[1]
    assert {cell.coordinate for row in sheet for cell in row if cell.comment} == {"E6"}
    assert sheet["C6"].fill.fill_type is None
    assert [sheet[f"A{row}"].fill.start_color.rgb for row in range(4, 8)] == [
        "00C6EFCD", "00C6EFCD", "00FCE4D5", "00C6EFCD",
    ]  # fmt: skip
    waiting = [json.loads(line) for line in here.run("parked", "--json").stdout.splitlines()]
    assert len(waiting) == 1


def test_the_answer_says_what_was_judged_whatever_has_changed_since(site: Callable[[str], Installation]) -> None:
    from crossdock.dock import Dock

    here = site("en")
    fix = ("fix", "item", "V-1", "P-100", "--partner", "ACME", "--reason", "theirs")
    assert here.run(*fix).exit_code == 0
    book = openpyxl.Workbook()
    for row in (HEADER[:5], ["V-1", "N1", 3, "EA", "2026-03-01"], ["V-2", "N1", 4, "EA", "2026-03-01"]):
        book.active.append(row)
    here.drop("stock.xlsx", saved(book))
    with Dock.open(here.settings) as dock:
        dock.translate(dock.receive("inbox"))
    assert told(here) == {"stock/ACME/N1//P-100": ("3", 1)}
    assert here.run(*fix, "--remove").exit_code == 0
    assert here.run("respond").exit_code == 0
    (reply,) = replies(here)
    sheet = openpyxl.load_workbook(reply).worksheets[1]
    assert [sheet[f"A{row}"].fill.start_color.rgb for row in (2, 3)] == ["00C6EFCD", "00FFC7CD"]
    assert {cell.coordinate for row in sheet for cell in row if cell.comment} == {"A3"}


def test_an_item_that_was_wrong_takes_no_row_from_another(site: Callable[[str], Installation]) -> None:
    """Mended, it may stand before a row of the same item: each is told once, with its own quantity."""
    here = site("en")
    book = openpyxl.Workbook()
    for row in (HEADER[:5], ["P-1OO", "N1", 7, "EA", "2026-03-01"], ["P-100", "N1", 4, "EA", "2026-03-01"]):
        book.active.append(row)
    here.drop("stock.xlsx", saved(book))
    here.run("run")
    assert told(here) == {"stock/ACME/N1//P-100": ("4", 1)}
    (reply,) = replies(here)
    mended = openpyxl.load_workbook(reply)
    mended.worksheets[1]["A2"].value = "P-100"
    for name in ("again.xlsx", "and again.xlsx"):
        mended.properties.title = name  # other bytes, the same rows
        here.drop(name, saved(mended))
        assert here.run("run").exit_code == 0
        assert told(here) == {"stock/ACME/N1//P-100": ("7", 2), "stock/ACME/N1//P-100#2": ("4", 1)}
    assert len(events(here)) == 3
    assert here.run("parked", "--json").stdout == ""


def test_the_supplier_s_conditional_formats_do_not_hide_what_is_wrong(site: Callable[[str], Installation]) -> None:
    here = site("en")
    book = openpyxl.Workbook()
    for row in (HEADER[:5], ["P-100", "N1", "4 or so", "EA", "2026-03-01"], ["P-200", "N1", 4, "Pkg", "2026-03-01"]):
        book.active.append(row)
    low = CellIsRule(operator="lessThan", formula=["5"], fill=PatternFill("solid", bgColor="FFFF00"))
    asks = CellIsRule(operator="lessThan", formula=["[1]Other!A1"], fill=PatternFill("solid", bgColor="FFFF00"))
    book.active.conditional_formatting.add("C1:D1048576", low)
    book.active["C3"].fill = PatternFill("solid", start_color="FFC7CE")  # which spreadsheet programs offer as bad
    book.active.conditional_formatting.add("A2:A9", asks)
    here.drop("stock.xlsx", saved(book))
    here.run("run")
    (reply,) = replies(here)
    book = openpyxl.load_workbook(reply)
    sheet = book.worksheets[1]
    assert sheet["D3"].comment.text.startswith("The unit “XPK”"), "at the unit, though its line is all that is known"
    formats = [
        (str(area.sqref), rule.type, rule.priority) for area in sheet.conditional_formatting for rule in area.rules
    ]
    assert formats == [("C2 D3", "expression", 1), ("C1:D1048576", "cellIs", 2)]
    sheet["C2"].value = 4
    here.drop("again.xlsx", saved(book))
    here.run("run")
    (_, second) = replies(here)
    again = openpyxl.load_workbook(second).worksheets[1]
    assert [str(area.sqref) for area in again.conditional_formatting] == ["D3", "C1:D1048576"]
    assert again["C3"].fill.start_color.rgb == "00FFC7CE"


def test_a_line_that_a_check_holds_back_is_marked_too(site: Callable[[str], Installation]) -> None:
    here = site("en")
    file = here.home / "partners" / "acme.yaml"
    file.write_text(file.read_text() + "checks: {stock.negative: error}\n")
    book = openpyxl.Workbook()
    for row in (HEADER[:5], ["P-100", "N1", -3, "EA", "2026-03-01"], ["P-200", "N1", 4, "EA", "2026-03-01"]):
        book.active.append(row)
    here.drop("stock.xlsx", saved(book))
    assert here.run("run").exit_code == 0
    assert told(here) == {"stock/ACME/N1//P-200": ("4", 1)}
    (reply,) = replies(here)
    sheet = openpyxl.load_workbook(reply).worksheets[1]
    assert {cell.coordinate for row in sheet for cell in row if cell.comment} == {"C2"}
