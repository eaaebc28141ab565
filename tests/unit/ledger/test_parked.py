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


def test_lines_of_a_document_that_comes_again_wait_once(ledger: Ledger, workshop) -> None:
    bad = workshop.Paper(parked=[(3, "item.unknown")], findings=[workshop.finding(line=3, value="V-1")])
    first, again = (workshop.payload(ledger, content="same bytes") for _ in range(2))
    for payload in (first, again):
        ledger.store(payload.id, workshop.translation(payload, [bad]))

    (line,) = ledger.parked()
    assert line["name"] == again.name
    assert [(cause["lines"], cause["value"]) for cause in ledger.parked_causes()] == [(1, "V-1")]
    assert ledger.summary()[0]["parked"] == 2


def test_lines_that_are_good_when_their_document_comes_again_wait_no_longer(ledger: Ledger, workshop) -> None:
    bad = workshop.Paper(parked=[(3, "item.unknown")], findings=[workshop.finding(line=3)])
    other = workshop.Paper(parked=[(4, "unit.unknown")], findings=[workshop.finding("unit.unknown", line=4)])
    first, again = (workshop.payload(ledger, content="same bytes") for _ in range(2))
    ledger.store(first.id, workshop.translation(first, [bad, other]))
    ledger.store(again.id, workshop.translation(again, [workshop.Paper([workshop.Fact("PO1", "1", line=3)]), other]))

    (line,) = ledger.parked()
    assert (line["name"], line["cause"]) == (again.name, "unit.unknown")


def test_lines_go_on_waiting_when_the_newer_copy_is_rejected(ledger: Ledger, workshop) -> None:
    bad = workshop.Paper(parked=[(3, "item.unknown")], findings=[workshop.finding(line=3)])
    first, again = (workshop.payload(ledger, content="same bytes") for _ in range(2))
    ledger.store(first.id, workshop.translation(first, [bad]))
    ledger.store(again.id, workshop.translation(again, [workshop.Paper(status="rejected")]))

    (line,) = ledger.parked()
    assert line["name"] == first.name
