"""A wrong check digit in a document is told apart from an unknown key, with the digit that would be right."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Installation

HEADER = "Item,Site,On hand,Unit,As of\n"
SHIPPED = "Shipment,Order,Order line,Item,Site,Quantity,Unit,Ship date,SSCC,Notice date\n"


def said(known: Installation, content: str) -> list[tuple[str, str, str, str]]:
    (known.home / "channels" / "inbox.yaml").write_text(
        "channel: inbox\npartner: ACME\nsource: {kind: folder, path: in, quiet: 0s}\n"
    )
    known.drop("sheet.csv", content)
    known.run("run")
    rows = [json.loads(line) for line in known.run("findings", "--json").stdout.splitlines()]
    return [(row["code"], row["severity"], row["value"], row["expected"]) for row in rows]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("4006381333931", "item.unknown"),
        ("4006381333932", "item.check_digit"),
        ("04006381333932", "item.check_digit"),
        ("036000291453", "item.check_digit"),
        ("40063812", "item.unknown"),  # eight digits may be anybody's number
        ("V-1002", "item.unknown"),
    ],
)
def test_an_unknown_item_is_told_apart_from_a_slip(known: Installation, code: str, told: str) -> None:
    ((found, severity, value, expected),) = said(known, HEADER + f"{code},N1,1,EA,2026-03-01\n")
    assert (found, severity, value) == (told, "error", code)
    assert ("if only the last digit is wrong" in expected) == (told == "item.check_digit")


def test_the_right_digit_is_named(known: Installation) -> None:
    found = said(known, HEADER + "P-100,4012345000008,1,EA,2026-03-01\n")
    assert found == [("site.check_digit", "error", "4012345000008", "4012345000009, if only the last digit is wrong")]


def test_a_wrong_sscc_is_a_warning(known: Installation) -> None:
    line = "S1,1,10,P-100,N1,5,EA,2026-03-02,{},2026-03-01\n"
    found = said(known, SHIPPED + line.format("095210010000000016") + line.format("PALLET-7"))
    (one,) = [row for row in found if row[0].startswith("package")]
    assert one[:3] == ("package.check_digit", "warning", "095210010000000016")
    assert len(known.run("events", "--jsonl").stdout.splitlines()) == 2
