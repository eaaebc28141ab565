"""What an error brings down, as agreed: in what is published and in the answers, for X12 and EDIFACT."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from connectors.formats.edi.writer import Envelope, Group, write_interchange
from crossdock.dock import Dock
from tests.masters import in_force

PARTNER = """\
partner: ACME
identities: {{x12: ["ZZ:ACMEINC"], edifact: ["ACME"]}}
{policy}
documents:
  x12.856: {{fields: {{item: "LIN[BP]", site: {{const: BER}}, unit: {{const: EA}}}}}}
  edifact.DESADV: {{fields: {{item: "LIN[BP]", site: {{const: BER}}, unit: {{const: EA}}}}}}
acknowledge: {{functional: {functional}, within: 30m}}
"""
OUTBOX = """\
outlet: edi-outbox
carries: documents
sink: {kind: folder, path: outbox}
"""
GOOD = [
    ("BSN", "00", "S{0}", "20260301", "1200"),
    ("HL", "1", "", "S"), ("HL", "2", "1", "O"), ("PRF", "4500001"),
    ("HL", "3", "2", "I"), ("LIN", "1", "BP", "P-1"), ("SN1", "1", "5", "EA"),
    ("HL", "4", "2", "I"), ("LIN", "2", "BP", "P-2"), ("SN1", "1", "6", "EA"),
]  # fmt: skip
BAD = [*GOOD[:-1], ("SN1", "1", "SIX", "EA")]


@pytest.fixture
def dock(installation) -> Dock:
    (installation.home / "outlets" / "edi-outbox.yaml").write_text(OUTBOX)
    with Dock.open(installation.settings) as opened:
        yield opened


def agree(dock: Dock, policy: str, functional: str = "997") -> None:
    (dock.settings.partners / "acme.yaml").write_text(PARTNER.format(policy=policy, functional=functional))


def x12(*groups: Sequence[Sequence[tuple[str, ...]]]) -> bytes:
    written, number = [], 0
    for control, sets in enumerate(groups, 1):
        numbered = []
        for rows in sets:
            number += 1
            numbered.append(("856", f"{number:04d}", [tuple(part.format(number) for part in row) for row in rows]))
        written.append(
            Group(code="SH", sender="ACMEINC", receiver="US", control_number=control, release="004010", sets=numbered)
        )
    envelope = Envelope(
        sender="ZZ:ACMEINC", receiver="ZZ:US", control_number=1, written_at=datetime(2026, 3, 1, 12, tzinfo=UTC)
    )
    return b"".join(write_interchange(envelope, written))


def taken(dock: Dock, content: bytes) -> tuple[list[str], list[str]]:
    """Subjects of the events by shipment, and what the answers say."""
    (dock.settings.home / "in" / "1.edi").write_bytes(content)
    assert not dock.run().errors
    files = sorted((dock.settings.home / "outbox").glob("*.edi"))
    told = [
        segment
        for file in files
        for segment in file.read_text().replace("'", "~").split("~")
        if segment[:3] in ("AK5", "AK9", "TA1", "UCI", "UCF", "UCM")
    ]
    return [event.subject.split("/")[2] for event in dock.ledger.events()], told


TWO_GROUPS = x12([GOOD, BAD], [GOOD])
GOOD_GROUP = ["AK5*A", "AK9*A*1*1*1"]
POLICIES = {
    "on_error: park_lines": (["S1", "S1", "S2", "S3", "S3"], ["AK5*A", "AK5*E*5", "AK9*E*2*2*2", *GOOD_GROUP]),
    "on_error: reject_document": (["S1", "S1", "S3", "S3"], ["AK5*A", "AK5*R*5", "AK9*P*2*2*1", *GOOD_GROUP]),
    "on_error: reject_group": (["S3", "S3"], ["AK5*R*5", "AK5*R*5", "AK9*R*2*2*0", *GOOD_GROUP]),
    "on_error: reject_interchange": (
        [], ["AK5*R*5", "AK5*R*5", "AK9*R*2*2*0", "AK5*R*5", "AK9*R*1*1*0", "TA1*000000001*260301*1200*R*024"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("policy", POLICIES)
def test_what_an_error_brings_down(dock: Dock, policy: str) -> None:
    agree(dock, policy)
    published, answers = POLICIES[policy]
    subjects, told = taken(dock, TWO_GROUPS)
    assert subjects == published
    assert sorted(told) == sorted(answers)


@pytest.mark.parametrize("policy", POLICIES)
def test_nothing_falls_where_nothing_is_wrong(dock: Dock, policy: str) -> None:
    agree(dock, policy)
    subjects, told = taken(dock, x12([GOOD, GOOD], [GOOD]))
    assert subjects == ["S1", "S1", "S2", "S2", "S3", "S3"]
    assert [one for one in told if "R" in one] == []


def edifact(*messages: bool) -> bytes:
    rows = ["UNB+UNOC:3+ACME+US+260301:1200+1"]
    for number, sound in enumerate(messages, 1):
        segments = [f"BGM+351+S{number}+9", "DTM+137:20260301:102", "CPS+1", "LIN+1++P-1:BP"]
        segments += [f"QTY+12:{'5' if sound else 'FIVE'}:PCE"]
        rows += [f"UNH+{number}+DESADV:D:96A:UN", *segments, f"UNT+{len(segments) + 2}+{number}"]
    return "".join(f"{row}'" for row in [*rows, f"UNZ+{len(messages)}+1"]).encode()


@pytest.mark.parametrize(
    ("policy", "published", "answers"),
    [
        ("reject_document", ["S1"], ["UCI+1+ACME+US+7", "UCM+1+DESADV:D:96A:UN+7", "UCM+2+DESADV:D:96A:UN+4"]),
        ("reject_group", [], ["UCI+1+ACME+US+7", "UCM+1+DESADV:D:96A:UN+4+18", "UCM+2+DESADV:D:96A:UN+4"]),
        ("reject_interchange", [], ["UCI+1+ACME+US+4+18", "UCM+1+DESADV:D:96A:UN+4+18", "UCM+2+DESADV:D:96A:UN+4"]),
    ],
)
def test_the_same_in_edifact(dock: Dock, policy: str, published: list[str], answers: list[str]) -> None:
    agree(dock, f"on_error: {policy}", functional="contrl")
    assert taken(dock, edifact(True, False)) == (published, answers)


def test_one_type_of_document_may_differ_from_the_others(dock: Dock) -> None:
    agree(dock, "on_error: reject_interchange")
    path = dock.settings.partners / "acme.yaml"
    path.write_text(path.read_text().replace("x12.856: {", "x12.856: {on_error: park_lines, "))
    subjects, _ = taken(dock, TWO_GROUPS)
    assert subjects == ["S1", "S1", "S2", "S3", "S3"]


KNOWN = """\
partner: ACME
identities: {{x12: ["ZZ:ACMEINC"]}}
{policy}
documents:
  x12.856: {{fields: {{item: {{path: "LIN[BP]", lookup: item}}, site: {{const: BER}}, unit: {{const: EA}}}}}}
acknowledge: {{functional: 997, application: 824, within: 30m}}
"""


@pytest.mark.parametrize(
    ("policy", "before", "after"),
    [
        ("park_lines", "S1 S1 S2 S3 S3", "S1 S1 S2 S2 S3 S3"),
        ("reject_document", "S1 S1 S3 S3", "S1 S1 S2 S2 S3 S3"),
        ("reject_group", "S3 S3", "S1 S1 S2 S2 S3 S3"),
        ("reject_interchange", "", ""),  # the sender was told to send it again, and it is refused until then
    ],
)
def test_what_was_rejected_is_used_as_a_whole_once_it_is_put_right(dock: Dock, policy, before, after) -> None:
    (dock.settings.partners / "acme.yaml").write_text(KNOWN.format(policy=f"on_error: {policy}"))
    items = [{"item": item, "base_unit": "C62"} for item in ("P-1", "P-2", "P-9")]
    in_force(dock, "items", *items[:2])
    strange = [tuple("P-9" if part == "P-2" else part for part in row) for row in GOOD]
    subjects, _ = taken(dock, x12([GOOD, strange], [GOOD]))
    assert sorted(subjects) == before.split()
    in_force(dock, "items", *items)
    assert not dock.run().errors
    assert sorted(event.subject.split("/")[2] for event in dock.ledger.events()) == after.split()
    assert dock.run().released is None or not dock.run().released.did_something
