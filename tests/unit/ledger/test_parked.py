"""Lines that wait, and what they wait for."""

from __future__ import annotations

from crossdock.ledger import Ledger


def test_waiting_lines_are_grouped_by_what_is_wrong_with_them(ledger: Ledger, workshop) -> None:
    for known in ("V-1", "V-2"):
        workshop.store(
            ledger,
            workshop.Paper(
                parked=[(1, "item.unknown"), (2, "item.unknown")],
                findings=[
                    workshop.finding(line=1, value="V-9", expected="an item"),
                    workshop.finding(line=2, value=known, expected="an item"),
                    workshop.finding("site.unknown", line=2, value="N7"),
                    workshop.finding("set.count"),
                ],
            ),
        )

    causes = [(one["lines"], one["code"], one["value"]) for one in ledger.parked_causes()]

    assert causes == [
        (2, "item.unknown", "V-9"),
        (2, "site.unknown", "N7"),
        (1, "item.unknown", "V-1"),
        (1, "item.unknown", "V-2"),
    ]
    assert ledger.parked_causes(limit=1) == ledger.parked_causes()[:1]
    assert [cause["partner"] for cause in ledger.parked_causes()] == ["ACME"] * 4


def test_each_waiting_line_says_where_it_stands_and_what_it_holds(ledger: Ledger, workshop) -> None:
    workshop.store(ledger, workshop.Paper(parked=[(3, "item.unknown")], findings=[workshop.finding(line=3)]))

    (line,) = ledger.parked()

    assert (line["cause"], line["line"], line["channel"], line["partner"]) == ("item.unknown", 3, "edi", "ACME")
    assert line["fields"] == {"item": "V-1"}


def test_nothing_waits_in_an_empty_ledger(ledger: Ledger) -> None:
    assert (ledger.parked(), ledger.parked_causes()) == ([], [])
