"""What people ask of the ledger, on both databases: documents by anything, partners' facts, a document's events."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crossdock.ledger import Ledger
from crossdock.ledger.searching import Only
from crossdock.ledger.tables import payloads

from .conftest import RECEIVED_AT


@pytest.fixture
def three(ledger: Ledger, workshop) -> Ledger:
    """Three documents: two orders, one of them with a parked line, and a ship notice."""
    workshop.store(
        ledger, workshop.Paper([workshop.Fact("order/ACME/4711/10", "5"), workshop.Fact("order/ACME/4711/20", "6")])
    )
    workshop.store(ledger, workshop.Paper([workshop.Fact("order/ACME/4712/10", "7")], parked=[(2, "item.unknown")]))
    workshop.store(
        ledger,
        workshop.Paper([workshop.Fact("ship_notice/ACME/AN1/4711/10", "5", stream="shipment")], type="x12.856"),
    )
    ledger.spans.follow()
    return ledger


def names(ledger: Ledger, text: str = "", **asked: object) -> list[str]:
    return [row["name"] for row in ledger.searching.documents(text, **asked)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("4711", ["order-3.edi", "order-1.edi"]),
        ("4712", ["order-2.edi"]),
        ("AN1", ["order-3.edi"]),
        ("P-100", ["order-3.edi", "order-2.edi", "order-1.edi"]),
        ("ORDER-2", ["order-2.edi"]),
        ("1", ["order-3.edi", "order-2.edi", "order-1.edi"]),  # the control number 0001
        ("47_1", []),
        ("nobody", []),
    ],
)
def test_documents_are_found_by_what_stands_on_them(three: Ledger, text: str, found: list[str]) -> None:
    assert names(three, text) == found


def test_an_item_is_found_by_what_a_partner_calls_it(three: Ledger) -> None:
    assert names(three, "V-100", items=["P-100"]) == ["order-3.edi", "order-2.edi", "order-1.edi"]


@pytest.mark.parametrize(
    ("only", "found"),
    [
        (Only(stream="shipment"), ["order-3.edi"]),
        (Only(partner="ACME", channel="edi", stream="demand"), ["order-2.edi", "order-1.edi"]),
        (Only(channel="mail"), []),
        (Only(since=RECEIVED_AT), ["order-3.edi", "order-2.edi", "order-1.edi"]),
        (Only(since=RECEIVED_AT.replace(year=2999)), []),
        (Only(hour=RECEIVED_AT.replace(minute=0)), ["order-3.edi", "order-2.edi", "order-1.edi"]),
        (Only(hour=RECEIVED_AT.replace(minute=0) - timedelta(hours=1)), []),
    ],
)
def test_documents_are_narrowed_down(three: Ledger, only: Only, found: list[str]) -> None:
    assert names(three, only=only) == found


def test_the_events_of_a_document_say_what_they_say(three: Ledger) -> None:
    document = three.searching.documents("4712")[0]["document"]
    [event] = three.searching.events_of(document, limit=10)
    assert (event["position"], event["line"], event["says"]["quantity"]) == (3, 1, "7")
    three.deliver("feed", lambda _events: None)
    assert three.searching.delivered(3)["feed"] is not None


def test_how_partners_do(three: Ledger) -> None:
    facts = three.searching.partners()["ACME"]
    assert (facts.documents, facts.clean, facts.parked, facts.newest) == (3, 2, 1, RECEIVED_AT)
    assert facts.usual_gap is None  # all of it came on one day
    assert facts.to_feed is not None
    assert not facts.is_quiet(RECEIVED_AT + timedelta(days=100))


def test_what_comes_later_counts_for_its_partner_and_what_is_read_again_does_not(
    three: Ledger, url: str, workshop
) -> None:
    for days in (1, 2, 4):
        assert three.searching.partners()["ACME"].newest < RECEIVED_AT + timedelta(days=days)
        workshop.store(three, workshop.Paper(), received_at=RECEIVED_AT + timedelta(days=days))
    again = workshop.store(three, workshop.Paper(), received_at=RECEIVED_AT + timedelta(days=9))
    with three._database.write() as connection:
        connection.execute(payloads.update().where(payloads.c.id == again.id).values(replay_of=1))
    facts = three.searching.partners()["ACME"]
    assert (facts.documents, facts.newest) == (6, RECEIVED_AT + timedelta(days=4))
    assert facts.usual_gap == timedelta(days=1)
    with Ledger.open(url) as other:
        assert other.searching.partners()["ACME"] == facts, "it is the same for who looks for the first time"
