"""A supplier's sheet drifts; a person says once what is meant, and what waited for it is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import openpyxl
import pytest

from tests.conftest import Installation

PARTNER = """\
partner: ACME          # by mail, every Monday
language: en
documents:
  # their stock list
  workbook.stock:
    extends: standard/workbook_stock
    columns: [Part, Where, Amount, Measure, As of, Remark]
    header:
      item: [Part]
      site: [Where]
      quantity: [Amount]     # in pieces
      unit: [Measure]
      lot: [Remark]
acknowledge: {application: workbook, to: replies}
"""
OUTLET = "outlet: replies\ncarries: documents\nsink: {kind: folder, path: replies}\n"
CHANNEL = "channel: inbox\nsource: {kind: folder, path: in, quiet: 0s}\npartner: ACME\n"
ROW = "P-100;N1;5;EA;2026-03-01;L1\n"


@pytest.fixture
def here(known: Installation) -> Installation:
    (known.home / "partners" / "acme.yaml").write_text(PARTNER)
    (known.home / "outlets" / "replies.yaml").write_text(OUTLET)
    (known.home / "channels" / "inbox.yaml").write_text(CHANNEL)
    return known


@pytest.fixture
def came(here: Installation) -> Callable[[str, str], None]:
    def came(name: str, text: str) -> None:
        here.drop(name, text)
        assert here.run("run").exit_code == 0

    return came


def events(here: Installation) -> list[dict[str, Any]]:
    return [json.loads(line) for line in here.run("events", "--jsonl").stdout.splitlines()]


def test_a_needed_column_with_another_name_waits_for_a_word(here: Installation, came: Callable[[str, str], None]):
    came("monday.csv", "Part;Where;Amounts held;Measure;As of;Remark\n" + ROW)
    assert events(here) == []
    listed = here.run("header").stdout
    assert "monday.csv" in listed
    assert "1 renamed, 1 missing" in listed
    shown = here.run("header", "show", "1").stdout
    assert "renamed   Amount -> Amounts held" in shown
    assert "proposed  quantity: Amounts held" in shown
    would_be = here.run("header", "confirm", "1", "--show").stdout
    assert (here.home / "partners" / "acme.yaml").read_text() == PARTNER
    done = here.run("header", "confirm", "1", "--yes", "--reason", "they told us on the phone")
    assert done.exit_code == 0, done.output
    text = (here.home / "partners" / "acme.yaml").read_text()
    assert text == would_be.removesuffix("\n")
    assert text == PARTNER.replace("[Amount]", "[Amount, Amounts held]").replace(
        "Where, Amount,", "Where, Amounts held,"
    )
    (event,) = events(here)
    assert (event["data"]["quantity"], event["data"]["references"]["lot"]) == ("5", "L1")
    assert "every sheet has the header" in here.run("header").stdout
    trail = here.run("audit", "--json").stdout
    assert "header.confirmed" in trail
    assert "they told us on the phone" in trail
    came("tuesday.csv", "Part;Where;Amounts held;Measure;As of;Remark\n" + ROW.replace(";5;", ";6;"))
    assert [event["data"]["quantity"] for event in events(here)] == ["5", "6"]


def test_what_was_read_without_a_renamed_column_is_read_again(here: Installation, came: Callable[[str, str], None]):
    came("monday.csv", "Part;Where;Amount;Measure;As of;Remarks\n" + ROW)
    assert "lot" not in events(here)[0]["data"]["references"]
    assert "1 renamed" in here.run("header").stdout
    assert here.run("header", "confirm", "1", "--yes").exit_code == 0
    said = {event["subject"]: event["data"]["kind"] for event in events(here)}
    assert said == {"stock/ACME/N1//P-100": "cancelled", "stock/ACME/N1//P-100/L1": "on_hand"}


def test_nothing_unlikely_is_taken_without_a_person(here: Installation, came: Callable[[str, str], None]):
    came("monday.csv", "Remark;Part;As of;Measure;Where;xyz\nL1;P-100;2026-03-01;EA;N1;5\n")
    assert "quantity" in here.run("header", "show", "1").stdout
    refused = here.run("header", "confirm", "1", "--yes")
    assert refused.exit_code == 2
    assert "no column holds quantity" in refused.output
    assert here.run("header", "confirm", "1", "--yes", "--say", "quantity=xyy").exit_code == 2
    assert (here.home / "partners" / "acme.yaml").read_text() == PARTNER
    assert here.run("header", "confirm", "1", "--say", "quantity=xyz").exit_code == 0
    assert events(here)[0]["data"]["quantity"] == "5"


def test_a_file_that_a_person_changed_releases_too(here: Installation, came: Callable[[str, str], None]):
    came("monday.csv", "Part;Where;Anything;Measure;As of;Remark\n" + ROW)
    file = here.home / "partners" / "acme.yaml"
    file.write_text(PARTNER.replace("[Amount]", "[Amount, Anything]"))
    assert here.run("run").exit_code == 0
    assert events(here)[0]["data"]["quantity"] == "5"


def test_who_was_told_of_the_column_hears_of_the_rows(here: Installation, came: Callable[[str, str], None]):
    came("monday.csv", "Part;Where;Amounts held;Measure;As of;Remark\n" + ROW + "P-9;N1;3;EA;2026-03-01;L2\n")
    replies = here.home / "replies"
    assert len(list(replies.iterdir())) == 1
    assert here.run("header", "confirm", "1", "--yes").exit_code == 0
    assert here.run("run").exit_code == 0
    _, second = sorted(replies.iterdir())
    summary, sheet = openpyxl.load_workbook(second).worksheets
    assert summary["A1"].value == "Please correct one place in monday.csv"
    assert {cell.coordinate for row in sheet for cell in row if cell.comment} == {"A3"}
    assert here.run("run").exit_code == 0
    assert len(list(replies.iterdir())) == 2
