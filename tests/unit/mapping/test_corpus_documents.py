"""Real answers, schedules and stock reports beside the checkout: what becomes of them without a partner file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crossdock.translation import Translation, translate

CORPUS = Path(__file__).resolve().parents[4] / "shared" / "corpus" / "x12"

#: file -> of each document its status, lines and events
EXPECTED = {
    "830/kputnam-stupidedi__1.edi": [("rejected", 6, 0)],  # UNT, of 002001; ATH after the schedules
    "830/kputnam-stupidedi__PS830_pass__1.edi": [("accepted", 7, 7)],
    "846/Stedi-Demo-bootstrap__lowes_846_large.edi": [("accepted", 2019, 2019)],
    "846/eskrano-php-edi-coed__846-sample.edi": [("accepted", 7, 7)],
    "846/eskrano-php-edi-coed__846-sample2.edi": [("rejected", 1, 0)],  # SE01
    "855/EdiFabric-X12-NET__PurchaseOrdersAcknowledgement.txt": [("accepted", 3, 3)],
    "855/Stedi-Demo-bootstrap__inbound.edi": [("accepted", 2, 2)],
    "855/blueseerER-blueseer__ACME_855o.txt": [("accepted", 1, 1)],
    "855/eskrano-php-edi-coed__855-sample.edi": [
        ("accepted", 1, 1),
        ("accepted", 2, 2),
        ("accepted", 1, 1),
        ("accepted", 0, 0),  # refused as a whole
    ],
    "855/eskrano-php-edi-coed__855-sample2.edi": [("accepted", 1, 1)],
    "855/kputnam-stupidedi__1.edi": [("accepted", 1, 1)],
    "855/kputnam-stupidedi__2.edi": [("accepted_with_errors", 2, 1)],  # a unit of three letters
    "855/kputnam-stupidedi__basic-po-ack-accepted.edi": [("accepted", 0, 0)],
    "855/kputnam-stupidedi__basic-po-ack-rejected.edi": [("accepted", 0, 0)],
    "855/kputnam-stupidedi__po-ack-minor-changes.edi": [("accepted_with_errors", 3, 2)],  # a quantity without unit
    "855/kputnam-stupidedi__po-ack-ship-details.edi": [("accepted", 7, 7)],
    "855/prendleman-sterling-edi__sample_855.x12": [("rejected", 0, 0)],  # ACK without an item
    "855/prendleman-sterling-edi__sample_data__sample_855.x12": [("rejected", 0, 0)],  # SE01
    "860/kputnam-stupidedi__1.edi": [("accepted", 1, 1)],
    "862/david-blac-edifact-rail__ansix12.edi": [("accepted", 3, 3)],
    "862/david-blac-edifact-rail__ansix12_newlines.edi": [("accepted", 3, 3)],
    "862/kputnam-stupidedi__1.edi": [("accepted", 2, 2)],
}


@pytest.mark.parametrize("file", EXPECTED)
def test_what_becomes_of_a_real_file(file: str) -> None:
    found = translate(CORPUS / file)
    assert found.documents.select("status", "lines", "events").rows() == EXPECTED[file]


def test_no_file_of_these_sets_is_left_out() -> None:
    sets = {file.partition("/")[0] for file in EXPECTED}
    assert {f"{path.parent.name}/{path.name}" for id_ in sets for path in (CORPUS / id_).iterdir()} == set(EXPECTED)


def test_an_answer_without_lines_is_told() -> None:
    findings = translate(CORPUS / "855/kputnam-stupidedi__basic-po-ack-rejected.edi").findings
    (told,) = findings.filter(findings["code"] == "order.outright")["message"]
    assert told.endswith("all lines, as far as they are known, are rejected")


def said(found: Translation, *names: str) -> list[tuple[str, ...]]:
    return [tuple(json.loads(text).get(name, "") for name in names) for text in found.events["data"]]


def test_promises_of_a_schedule() -> None:
    found = translate(CORPUS / "855/kputnam-stupidedi__po-ack-ship-details.edi")
    assert said(found, "quantity", "ship_by", "status") == [
        ("12", "2017-05-01T00:00:00Z", "accepted"),
        ("13", "2017-05-15T00:00:00Z", "accepted"),
        ("25", "2017-05-15T00:00:00Z", "accepted"),
        ("25", "2017-06-15T00:00:00Z", "accepted"),
        ("25", "2017-07-15T00:00:00Z", "accepted"),
        ("36", "2017-05-15T00:00:00Z", "accepted"),
        ("12", "2017-05-30T00:00:00Z", "accepted"),
    ]


def test_windows_and_cumulative_quantities_of_a_plan() -> None:
    found = translate(CORPUS / "830/kputnam-stupidedi__PS830_pass__1.edi")
    rows = said(found, "quantity", "commitment", "ends_at", "shipped_cumulative")
    assert rows[0] == ("3", "firm", "2003-08-13T00:00:00Z", "24")
    assert rows[-1] == ("3", "firm", "2003-08-13T00:00:00Z", "20")
    assert {row[1] for row in rows[1:-1]} == {"planned"}
