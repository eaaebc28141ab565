"""What people ask of the ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from crossdock.ledger import Ledger
from schemas.findings import Severity


def test_the_summary_counts_by_channel(ledger: Ledger, workshop) -> None:
    order = workshop.Paper([workshop.Fact("PO1", "1"), workshop.Fact("PO2", "1")])
    notice = workshop.Paper(
        [workshop.Fact("S1", "1", stream="shipment")],
        status="accepted_with_errors",
        parked=[(2, "item.unknown"), (3, "item.unknown")],
        findings=[workshop.finding(line=2), workshop.finding(line=3), workshop.finding("a.b", Severity.INFO)],
    )
    rejected = workshop.Paper([workshop.Fact("PO9", "1")], status="rejected", findings=[workshop.finding("x.y")])
    workshop.store(ledger, order, notice, rejected)
    workshop.store(ledger, order)
    workshop.store(ledger, workshop.finding("payload.empty"))
    workshop.payload(ledger, content="twice", key="one")
    workshop.payload(ledger, content="twice", key="two")
    mail = workshop.payload(ledger, channel="mail")
    edi, mailbox = ledger.summary()
    newest = edi.pop("newest")
    assert edi == {
        "channel": "edi",
        "payloads": 5,
        "waiting": 2,
        "unpacked": 0,
        "quarantined": 1,
        "duplicates": 1,
        "documents": 4,
        "accepted": 2,
        "accepted_with_errors": 1,
        "rejected": 1,
        "lines": 8,
        "unchanged": 2,
        "parked": 2,
        "events": {"demand": 2, "shipment": 1, "inventory": 0},
        "findings": {"info": 1, "warning": 0, "error": 4},
    }
    assert newest == mail.received_at
    assert ledger.browsing.held() == {"rejected": 1, "quarantined": 1, "received": 3}
    assert ledger.summary(datetime.now(UTC) - timedelta(days=1))[0] == edi | {"newest": newest}
    assert ledger.summary(datetime.now(UTC) + timedelta(days=1)) == []
    assert (mailbox["channel"], mailbox["payloads"], mailbox["documents"]) == ("mail", 1, 0)


def test_an_empty_ledger_has_an_empty_summary(ledger: Ledger) -> None:
    assert ledger.summary() == []


def test_findings_by_severity_document_payload_and_number(ledger: Ledger, workshop) -> None:
    first = workshop.store(
        ledger,
        workshop.Paper(findings=[workshop.finding("a"), workshop.finding("b", Severity.WARNING)]),
        workshop.Paper(findings=[workshop.finding("c")]),
        workshop.finding("d"),
    )
    workshop.store(ledger, workshop.Paper(findings=[workshop.finding("e")]))
    second_document = ledger.documents(payload=first.id)[0]["document"]
    codes = lambda **by: [row["code"] for row in ledger.findings(**by)]  # noqa: E731
    assert codes() == ["a", "b", "c", "d", "e"]
    assert codes(severity="warning") == ["b"]
    assert codes(document=second_document) == ["c"]
    assert codes(payload=first.id) == ["a", "b", "c", "d"]
    assert codes(limit=2) == ["a", "b"]
    of_payload = ledger.findings(payload=first.id)[3]
    assert (of_payload["document"], of_payload["name"], of_payload["channel"]) == (None, first.name, "edi")


def test_a_trace_leads_from_the_event_to_its_bytes_and_its_sinks(ledger: Ledger, workshop) -> None:
    workshop.store(ledger, workshop.Paper([workshop.Fact("PO1", "10", by="D1")]))
    payload = workshop.store(
        ledger,
        workshop.Paper(
            [workshop.Fact("PO1", "12", by="D2", line=5)],
            findings=[workshop.finding("unit.assumed", Severity.WARNING)],
            attributes={"GS08": "004010"},
        ),
    )
    ledger.deliver("feed", lambda events: None, batch=1)
    ledger.deliver("late", lambda events: None, batch=2)
    ledger.deliver("feed", lambda events: None)
    event = ledger.events()[1]
    trace = ledger.trace(event.id)
    assert trace is not None
    assert trace["event"]["sequence"] == 2
    assert trace["event"]["line"] == 5
    assert trace["event"]["data"]["quantity"] == "12"
    assert trace["lineage"]["location"] == "segment 5"
    assert (trace["lineage"]["offset"], trace["lineage"]["length"]) == (50, 9)
    assert trace["document"]["document"] == event.document
    assert trace["document"]["attributes"] == {"GS08": "004010"}
    assert (trace["payload"]["id"], trace["payload"]["sha256"]) == (payload.id, payload.sha256)
    assert trace["payload"]["metadata"] == payload.metadata
    assert [(row["sequence"], row["position"]) for row in trace["revisions"]] == [(1, 1), (2, 2)]
    assert [row["code"] for row in trace["findings"]] == ["unit.assumed"]
    assert set(trace["delivered"]) == {"feed", "late"}
    steps = [step["step"] for step in trace["timeline"]]
    assert steps == ["received", "recorded", "read", "accepted", "published to feed", "published to late"]
    times = [step["at"] for step in trace["timeline"]]
    assert times[:4] == sorted(times[:4])


def test_a_trace_knows_which_sinks_still_wait(ledger: Ledger, workshop) -> None:
    workshop.store(ledger, workshop.Paper([workshop.Fact("PO1", "10")]))
    ledger.deliver("feed", lambda events: None)
    workshop.store(ledger, workshop.Paper([workshop.Fact("PO2", "10")]))
    trace = ledger.trace(ledger.events()[1].id)
    assert trace is not None
    assert trace["delivered"] == {"feed": None}


def test_an_unknown_event_has_no_trace(ledger: Ledger) -> None:
    assert ledger.trace("f" * 32) is None
