"""Answers through the dock, on both databases: a file comes in, its acknowledgment goes out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest

from connectors.formats.edi.writer import Envelope, Group, write_interchange
from crossdock.dock import Dock, Run
from crossdock.settings import Settings
from crossdock.uploads import uploads
from tests.masters import in_force

PARTNER = """\
partner: ACME
identities: {x12: ["ZZ:ACMEINC"]}
documents: {x12.856: {on_error: park_lines}}
acknowledge: {functional: 997, application: 824, within: 30m}
"""
#: nothing to be looked up, so that lines become events without master data
PLAIN = 'fields: {item: "LIN[BP]", site: {const: BER}, unit: {const: EA}}'
OUTBOX = """\
outlet: edi-outbox
carries: documents
sink: {kind: folder, path: outbox}
"""


@pytest.fixture
def dock(on_both: Settings) -> Iterator[Dock]:
    (on_both.home / "partners" / "acme.yaml").write_text(PARTNER)
    (on_both.home / "outlets" / "edi-outbox.yaml").write_text(OUTBOX)
    with Dock.open(on_both) as opened:
        yield opened


def ship_notice(number: str, item: str = "P-1", quantity: str = "5") -> list[tuple[str, ...]]:
    return [
        ("BSN", "00", number, "20260301", "1200"),
        ("HL", "1", "", "S"), ("DTM", "011", "20260301"), ("N1", "ST", "Plant", "92", "PLANT-1"),
        ("HL", "2", "1", "O"), ("PRF", "4500001"),
        ("HL", "3", "2", "I"), ("LIN", "1", "BP", item), ("SN1", "1", quantity, "EA"),
        ("CTT", "3"),
    ]  # fmt: skip


def interchange(control: int, *sets: Sequence[tuple[str, ...]], wants_ta1: bool = False) -> bytes:
    envelope = Envelope(
        sender="ZZ:ACMEINC", receiver="ZZ:US", control_number=control, written_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
        acknowledge=wants_ta1,
    )  # fmt: skip
    numbered = [("856", f"{number:04d}", list(one)) for number, one in enumerate(sets, 1)]
    group = Group(code="SH", sender="ACMEINC", receiver="US", control_number=control, release="004010", sets=numbered)
    return b"".join(write_interchange(envelope, [group]))


def come_in(dock: Dock, name: str, content: bytes) -> Run:
    """The file is dropped and the pipeline run once."""
    (dock.settings.home / "in" / name).write_bytes(content)
    done = dock.run()
    assert not done.errors
    return done


def sent(dock: Dock) -> dict[str, list[str]]:
    """The segments between GS and GE of everything that left, by file name."""
    files = sorted((dock.settings.home / "outbox").glob("*.edi"))
    return {file.name: file.read_text().split("~")[1:-2] for file in files}


def acknowledgment(segments: Sequence[str]) -> list[str]:
    return [segment for segment in segments if segment[:2] in ("AK", "TA", "OT", "TE")]


def codes(dock: Dock) -> list[str]:
    return sorted(row["code"] for row in dock.ledger.findings() if row["code"].startswith("interchange."))


def test_accepted_in_part_and_rejected(dock: Dock) -> None:
    bad = [row for row in ship_notice("S3") if row[0] != "BSN"]
    done = come_in(dock, "1.edi", interchange(1, ship_notice("S1"), bad))
    assert done.responded.sent == {"997": 1, "824": 1}
    answers = sent(dock)
    assert acknowledgment(answers["ACME-997-000000001.edi"]) == [
        "AK1*SH*1", "AK2*856*0001", "AK5*A", "AK2*856*0002", "AK3*BSN*2**3", "AK5*R*5", "AK9*P*2*2*1",
    ]  # fmt: skip
    assert acknowledgment(answers["ACME-824-000000002.edi"])[0].startswith("OTI*TE*TN*0001*ACMEINC*US")
    assert dock.run().responded.sent == {}
    assert sent(dock) == answers


def test_an_event_is_traced_to_the_answer_its_document_got(dock: Dock) -> None:
    (dock.settings.partners / "acme.yaml").write_text(PARTNER.replace("on_error: park_lines", PLAIN))
    come_in(dock, "1.edi", interchange(1, ship_notice("S1")))
    events = dock.ledger.events()
    assert events
    trace = dock.ledger.trace(events[0].id)
    assert trace is not None
    assert [(one["kind"], one["name"]) for one in trace["answers"]] == [("997", "ACME-997-000000001.edi")]
    assert "997 sent" in [step["step"] for step in trace["timeline"]]


def test_a_ta1_that_was_asked_for(dock: Dock) -> None:
    come_in(dock, "1.edi", interchange(1, ship_notice("S1"), wants_ta1=True))
    assert any(acknowledgment(segments) == ["TA1*000000001*260301*1200*A*000"] for segments in _whole(dock))


def _whole(dock: Dock) -> list[list[str]]:
    return [file.read_text().split("~") for file in sorted((dock.settings.home / "outbox").glob("*TA1*"))]


def test_a_functional_acknowledgment_is_not_answered(dock: Dock) -> None:
    envelope = Envelope(
        sender="ZZ:ACMEINC", receiver="ZZ:US", control_number=9, written_at=datetime(2026, 3, 1, tzinfo=UTC),
        acknowledge=True,
    )  # fmt: skip
    segments = [("AK1", "AG", "1"), ("AK9", "A", "1", "1", "1")]
    group = Group(
        code="FA", sender="ACMEINC", receiver="US", control_number=9, release="004010", sets=[("997", "0001", segments)]
    )
    come_in(dock, "1.edi", b"".join(write_interchange(envelope, [group])))
    assert sent(dock) == {}


def test_the_same_interchange_again_is_answered_again_and_brings_nothing_new(dock: Dock) -> None:
    come_in(dock, "1.edi", interchange(1, ship_notice("S1")))
    events = len(dock.ledger.events())
    done = come_in(dock, "again.edi", b"\r\n" + interchange(1, ship_notice("S1")))
    assert done.responded.sent["997"] == 1
    assert len(dock.ledger.events()) == events
    first, second = (acknowledgment(sent(dock)[name]) for name in sent(dock) if "997" in name)
    assert first == second
    assert codes(dock) == ["interchange.resent"]


def test_other_content_under_the_same_number_is_held(dock: Dock) -> None:
    come_in(dock, "1.edi", interchange(1, ship_notice("S1")))
    events, parked = len(dock.ledger.events()), len(dock.ledger.parked())
    done = come_in(dock, "2.edi", interchange(1, ship_notice("S2", quantity="7")))
    assert done.responded.sent == {"TA1": 1}
    assert (len(dock.ledger.events()), len(dock.ledger.parked())) == (events, parked)
    assert [row["status"] for row in dock.ledger.documents()] == ["rejected", "accepted_with_errors"]
    assert codes(dock) == ["interchange.altered"]
    assert [acknowledgment(segments) for segments in _whole(dock)] == [["TA1*000000001*260301*1200*R*025"]]


@pytest.mark.parametrize(
    ("policy", "status", "found"),
    [
        ("process", "accepted_with_errors", []),
        ("warn", "accepted_with_errors", ["interchange.gap", "interchange.out_of_order"]),
        ("reject", "rejected", ["interchange.gap", "interchange.out_of_order"]),
    ],
)
def test_gaps_and_disorder_are_taken_as_agreed(dock: Dock, policy: str, status: str, found: list[str]) -> None:
    (dock.settings.partners / "acme.yaml").write_text(f"{PARTNER}control_numbers: {policy}\n")
    for control in (1, 4, 2, 5):
        come_in(dock, f"{control}.edi", interchange(control, ship_notice(f"S{control}")))
    assert codes(dock) == found
    rows = {row["interchange"]: row["status"] for row in dock.ledger.documents()}
    assert rows == {
        "000000001": "accepted_with_errors", "000000004": status, "000000002": status,
        "000000005": "accepted_with_errors",
    }  # fmt: skip


def from_partner(control: int, *segments: tuple[str, ...], set_id: str = "997") -> bytes:
    """An acknowledgment by the partner, as an interchange of its own."""
    envelope = Envelope(
        sender="ZZ:ACMEINC", receiver="ZZ:US", control_number=control, written_at=datetime(2026, 3, 1, tzinfo=UTC)
    )
    group = Group(
        code="FA" if set_id == "997" else "AG", sender="ACMEINC", receiver="US", control_number=control,
        release="004010", sets=[(set_id, "0001", segments)],
    )  # fmt: skip
    return b"".join(write_interchange(envelope, [group]))


def expected(dock: Dock) -> dict[str, int]:
    names = ("waiting", "due_soon", "overdue", "accepted", "late", "rejected")
    return {name: row[name] for row in dock.ledger.expectations() for name in names if row[name]}


def noted(dock: Dock) -> list[str]:
    return [row["code"] for row in dock.ledger.findings() if row["code"].startswith("answer.")]


@pytest.mark.parametrize(
    ("verdict", "counted", "told"),
    [
        (("A", "1", "1", "1"), {"accepted": 1}, []),
        (("R", "1", "1", "0", "5"), {"rejected": 1}, ["answer.rejected"]),
    ],
)
def test_a_partners_997_is_matched_to_our_824(
    dock: Dock, verdict: tuple[str, ...], counted: dict[str, int], told: list[str]
) -> None:
    come_in(dock, "1.edi", interchange(1, ship_notice("S1")))
    assert expected(dock) == {"waiting": 1}
    number = next(row for row in dock.ledger.answers() if row["kind"] == "824")["interchange_number"]
    come_in(dock, "2.edi", from_partner(2, ("AK1", "AG", str(number)), ("AK9", *verdict)))
    assert (expected(dock), noted(dock)) == (counted, told)
    assert [row["status"] for row in dock.ledger.documents() if row["type"] == "x12.997"] == ["accepted"]


def test_a_997_that_somebody_else_hands_over_settles_nothing(dock: Dock) -> None:
    """Whoever may upload for one partner cannot accept, or reject, in the name of another."""
    (dock.settings.partners / "other.yaml").write_text(PARTNER.replace("ACME", "OTHER"))
    come_in(dock, "1.edi", interchange(1, ship_notice("S1")))
    number = next(row for row in dock.ledger.answers() if row["kind"] == "824")["interchange_number"]
    verdict = from_partner(2, ("AK1", "AG", str(number)), ("AK9", "R", "1", "1", "0", "5"))
    uploads(dock)(verdict, "2.edi", "OTHER")
    assert (expected(dock), noted(dock)) == ({"waiting": 1}, ["answer.unmatched"])
    uploads(dock)(verdict.replace(b"000000002", b"000000003"), "3.edi", "ACME")
    assert (expected(dock), sorted(noted(dock))) == ({"rejected": 1}, ["answer.rejected", "answer.unmatched"])


def test_an_answer_after_its_time_is_late_but_accepted(dock: Dock) -> None:
    agreed = PARTNER.replace("within: 30m", "within: 30m, expect: 0s")
    (dock.settings.partners / "acme.yaml").write_text(agreed)
    come_in(dock, "1.edi", interchange(1, ship_notice("S1")))
    assert expected(dock) == {"overdue": 1}
    number = next(row for row in dock.ledger.answers() if row["kind"] == "824")["interchange_number"]
    come_in(dock, "2.edi", from_partner(2, ("AK1", "AG", str(number)), ("AK9", "A", "1", "1", "1")))
    assert expected(dock) == {"accepted": 1, "late": 1}


def test_a_breach_is_told_before_it_happens(dock: Dock) -> None:
    agreed = PARTNER.replace("within: 30m", "within: 30m, expect: 20m")
    (dock.settings.partners / "acme.yaml").write_text(agreed)
    come_in(dock, "1.edi", interchange(1, ship_notice("S1")))
    assert expected(dock) == {"waiting": 1, "due_soon": 1}


def test_an_answer_to_nothing_of_ours_is_told(dock: Dock) -> None:
    come_in(dock, "1.edi", from_partner(1, ("AK1", "AG", "77"), ("AK9", "A", "1", "1", "1")))
    assert noted(dock) == ["answer.unmatched"]


def test_a_ta1_that_rejects_is_matched_by_the_interchange(dock: Dock) -> None:
    come_in(dock, "1.edi", interchange(1, ship_notice("S1")))
    number = next(row for row in dock.ledger.answers() if row["kind"] == "824")["interchange_number"]
    empty = from_partner(2, ("AK1", "AG", "9"), ("AK9", "A", "1", "1", "1")).decode()
    head, tail = empty.split("~")[0], "IEA*0*000000002~"
    come_in(dock, "2.edi", f"{head}~TA1*{number:09d}*260301*1200*R*022~{tail}".encode())
    assert (expected(dock), noted(dock)) == ({"rejected": 1}, ["answer.rejected"])


def test_a_supplier_who_was_told_of_errors_is_told_when_they_are_put_right(dock: Dock) -> None:
    in_force(dock, "sites", {"site": "PLANT-1"})
    come_in(dock, "asn.edi", interchange(7, ship_notice("A1", item="V-1"), ship_notice("A2", item="V-2")))
    told = [acknowledgment(segments) for name, segments in sent(dock).items() if "-824-" in name]
    assert [[segment[:6] for segment in one] for one in told] == [["OTI*TE", "TED*84", "OTI*TE", "TED*84"]]

    in_force(dock, "items", {"item": "V-1", "base_unit": "C62"})
    done = dock.run()
    assert done.released is not None
    assert (done.released.released, done.released.published, done.responded.sent) == (1, 1, {"824": 1})
    *_, again = (acknowledgment(segments) for name, segments in sent(dock).items() if "-824-" in name)
    assert [segment.split("*")[1:5] for segment in again] == [["TA", "TN", "0001", "ACMEINC"]]

    (line,) = dock.ledger.parked()
    assert dock.ledger.give_back([line["id"]], "no such article") == 1
    assert dock.respond().sent == {"824": 1}
    *_, last = (acknowledgment(segments) for name, segments in sent(dock).items() if "-824-" in name)
    assert "no such article" in " ".join(last).lower()
    assert dock.run().responded.sent == {}
