"""Positions, revisions, and what is not written again."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from crossdock.ledger import Ledger
from schemas.events import CloudEvent, ShipmentData, Stream


def test_events_come_back_whole_and_in_order(ledger: Ledger, workshop) -> None:
    fact = workshop.Fact("PO1/1", "12", line=3)
    workshop.store(ledger, workshop.Paper([fact, workshop.Fact("PO1/2", "5")]))
    first, second = ledger.events()
    document = ledger.documents()[0]
    assert (first.position, second.position) == (1, 2)
    assert (first.id, first.subject, first.stream, first.kind, first.sequence) == (
        fact.id,
        "PO1/1",
        "demand",
        "ordered",
        1,
    )
    assert (first.partner, first.item, first.site, first.channel) == ("ACME", "P-100", "BER", "edi")
    assert first.document == document["document"]
    assert first.recorded_at == document["stored_at"].strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert first.data == fact.row(first.document)["data"]


def test_a_new_content_is_a_new_revision(ledger: Ledger, workshop) -> None:
    for by, says in (("D1", "10"), ("D2", "12"), ("D3", "10")):
        workshop.store(ledger, workshop.Paper([workshop.Fact("PO1", says, by=by)]))
    assert [(event.sequence, event.id) for event in ledger.events()] == [
        (1, workshop.Fact("PO1", "10", by="D1").id),
        (2, workshop.Fact("PO1", "12", by="D2").id),
        (3, workshop.Fact("PO1", "10", by="D3").id),
    ]


def test_what_says_nothing_new_is_not_written_again(ledger: Ledger, workshop) -> None:
    workshop.store(ledger, workshop.Paper([workshop.Fact("PO1", "10", by="D1")]))
    payload = workshop.payload(ledger)
    papers = [
        workshop.Paper([workshop.Fact("PO1", "10", by="D1")]),  # a resend
        workshop.Paper([workshop.Fact("PO1", "10", by="D2")]),  # another document that repeats the latest content
    ]
    summary = ledger.store(payload.id, workshop.translation(payload, papers))
    assert (summary.events, summary.unchanged, summary.findings) == (0, 2, 0)
    assert len(ledger.events()) == 1


@pytest.mark.parametrize("framed", [False, True])
def test_an_old_document_coming_again_after_a_newer_one_is_stale(ledger: Ledger, workshop, framed) -> None:
    workshop.store(ledger, workshop.Paper([workshop.Fact("PO1", "10", by="D1", line=4)]))
    workshop.store(ledger, workshop.Paper([workshop.Fact("PO1", "12", by="D2")]))
    payload = workshop.payload(ledger)
    again = workshop.Paper([workshop.Fact("PO1", "10", by="D1", line=4)], framed=framed)
    summary = ledger.store(payload.id, workshop.translation(payload, [again]))
    assert (summary.events, summary.unchanged, summary.findings) == (0, 1, 1)
    assert [event.sequence for event in ledger.events()] == [1, 2]
    (finding,) = ledger.findings()
    assert (finding["code"], finding["severity"], finding["value"]) == ("event.stale", "warning", "PO1")
    assert (finding["line"], finding["location"], finding["offset"], finding["length"]) == (4, "segment 4", 40, 9)
    assert ledger.summary()[0]["findings"] == {"info": 0, "warning": 1, "error": 0}


def test_one_document_may_speak_of_a_key_more_than_once(ledger: Ledger, workshop) -> None:
    lines = [("10", 1), ("12", 2), ("12", 3), ("10", 4), ("15", 5)]
    paper = workshop.Paper([workshop.Fact("PO1", says, line=line) for says, line in lines], chunk=2)
    payload = workshop.payload(ledger)
    summary = ledger.store(payload.id, workshop.translation(payload, [paper]))
    assert [(event.sequence, event.data.count('"quantity": "15"')) for event in ledger.events()] == [
        (1, 0),
        (2, 0),
        (3, 1),
    ]
    assert (summary.events, summary.unchanged) == (3, 2)
    assert [finding["line"] for finding in ledger.findings()] == [4]


def test_streams_keep_their_own_keys_and_can_be_read_alone(ledger: Ledger, workshop) -> None:
    workshop.store(
        ledger,
        workshop.Paper(
            [workshop.Fact(f"S{n}", "1", stream=stream) for n in range(4) for stream in ("demand", "shipment")]
        ),
    )
    workshop.store(ledger, workshop.Paper([workshop.Fact("S0", "1", stream="inventory")]))
    assert [event.position for event in ledger.events(stream="shipment")] == [2, 4, 6, 8]
    assert [event.position for event in ledger.events(stream="shipment", after=4, limit=1)] == [6]
    assert [event.sequence for event in ledger.events(stream="inventory")] == [1]


def test_pages_follow_one_another_without_gap(ledger: Ledger, workshop) -> None:
    workshop.store(ledger, workshop.Paper([workshop.Fact(f"PO{n}", "1") for n in range(25)]))
    seen, after = [], 0
    while page := ledger.events(after=after, limit=10):
        seen += [event.position for event in page]
        after = page[-1].position
    assert seen == list(range(1, 26))


def test_awkward_text_survives_the_way_into_the_database(ledger: Ledger, workshop) -> None:
    subjects = ['a"b', "a,b", "a\nb", "\\.", "", "a\tb\\n", "ümlaut 注", "'; DROP TABLE events; --"]
    workshop.store(ledger, workshop.Paper([workshop.Fact(subject, "1") for subject in subjects]))
    assert [event.subject for event in ledger.events()] == subjects


SUBJECTS, CONTENTS, PAPERS = ["A", "B", "C"], ["1", "2", "3"], ["D1", "D2"]
a_fact = st.tuples(st.sampled_from(SUBJECTS), st.sampled_from(CONTENTS), st.sampled_from(PAPERS))
EXAMPLE = itertools.count()
a_payload = st.lists(st.lists(a_fact, max_size=6), max_size=4)


class Model:
    """What the ledger promises about revisions, as a dictionary."""

    def __init__(self) -> None:
        self.revisions: dict[str, list[tuple[str, str]]] = {}
        self.feed: list[tuple[str, str, int]] = []
        self.unchanged = self.stale = 0

    def take(self, subject: str, id: str, says: str) -> None:
        known = self.revisions.setdefault(subject, [])
        if known and known[-1][1] == says:
            self.unchanged += 1
        elif id in [one for one, _ in known]:
            self.unchanged += 1
            self.stale += known[-1][0] != id
        else:
            known.append((id, says))
            self.feed.append((subject, id, len(known)))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payloads=st.lists(a_payload, min_size=1, max_size=4))
def test_any_sequence_of_stores_equals_a_dictionary(ledger: Ledger, workshop, payloads) -> None:
    """One ledger serves all examples: their subjects are marked as their own, their positions follow the last one's."""
    position, mark = len(ledger.events(limit=1_000_000)), f"{next(EXAMPLE)}-"
    model, unchanged, stale = Model(), 0, 0
    for papers in payloads:
        made = [
            workshop.Paper([workshop.Fact(mark + subject, says, by=by) for subject, says, by in facts], chunk=2)
            for facts in papers
        ]
        payload = workshop.payload(ledger)
        summary = ledger.store(payload.id, workshop.translation(payload, made))
        for paper in made:
            for fact in paper.facts:
                model.take(fact.subject, fact.id, fact.says)
        unchanged += summary.unchanged
        stale += summary.findings
    events = ledger.events(after=position, limit=1_000_000)
    assert [(event.subject, event.id, event.sequence) for event in events] == model.feed
    assert [event.position for event in events] == list(range(position + 1, position + 1 + len(events)))
    assert (unchanged, stale) == (model.unchanged, model.stale)


@pytest.mark.parametrize("stream", list(Stream))
def test_a_withdrawal_keeps_the_contract_of_every_stream(ledger: Ledger, workshop, stream: Stream) -> None:
    """What a better reading no longer gives is said again as cancelled, whatever stream it is of."""
    workshop.store(ledger, workshop.Paper([workshop.Fact("K1", "7.50", stream=stream.value)]))
    (event,) = ledger.events()
    data = json.loads(event.data) | {"kind": "cancelled", "status": "withdrawn"}
    withdrawn = replace(event, kind="cancelled", data=json.dumps(data))
    assert json.loads(withdrawn.cloud_event())["data"]["kind"] == "cancelled"


def test_the_cloud_event_form_keeps_the_contract(ledger: Ledger, workshop) -> None:
    import msgspec

    fact = workshop.Fact("SN1/2", "7.50", stream="shipment")
    workshop.store(ledger, workshop.Paper([fact]))
    (event,) = ledger.events()
    sent = msgspec.json.decode(event.cloud_event(), type=CloudEvent)
    plain = msgspec.json.decode(event.cloud_event())
    assert (sent.specversion, sent.id, sent.type, sent.subject) == ("1.0", fact.id, Stream.SHIPMENT.type, "SN1/2")
    assert (sent.sequence, sent.correlationid, sent.partitionkey) == (1, event.document, "SN1/2")
    assert sent.source == "/crossdock/channels/edi"
    assert msgspec.convert(plain["data"], ShipmentData).quantity == "7.50"
    assert plain["data"] == msgspec.json.decode(event.data)
    assert plain["dataschema"]


def test_an_event_is_found_by_its_id_among_others_that_look_alike(ledger: Ledger, workshop) -> None:
    """Ids that end alike, and ends that appear across the border between two ids, lead nobody astray."""

    class Named(workshop.Fact):
        @property
        def id(self) -> str:
            return self.key + self.by

    ends = ["aa00000000bb", "cc00000000bb", "00bb000000bb", "1100bb00bb00", "bb00bb00bb00"]
    for end in ends:
        workshop.store(ledger, workshop.Paper([Named(f"PO{end}", "1", by=end), Named(f"X{end}", "1", by=end[::-1])]))
    stored = ledger.events()
    assert len(stored) == 10
    for event in stored:
        trace = ledger.trace(event.id)
        assert trace is not None
        assert trace["event"]["position"] == event.position
    assert ledger.trace("0" * 20 + ends[0]) is None
    assert ledger.trace("not an id") is None
