"""EDIFACT answers through the dock, on both databases: CONTRL and APERAK go out, and partners' own are matched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from crossdock.dock import Dock, Run
from crossdock.settings import Settings
from tests.masters import in_force

PARTNER = """\
partner: DREH
identities: {edifact: ["4012345500004:14"]}
documents: {edifact.DESADV: {on_error: park_lines}}
acknowledge: {functional: contrl, application: aperak, within: 30m}
"""
OUTBOX = """\
outlet: edi-outbox
carries: documents
sink: {kind: folder, path: outbox}
"""


@pytest.fixture
def dock(on_both: Settings) -> Iterator[Dock]:
    (on_both.home / "partners" / "dreh.yaml").write_text(PARTNER)
    (on_both.home / "outlets" / "edi-outbox.yaml").write_text(OUTBOX)
    with Dock.open(on_both) as opened:
        yield opened


def notice(number: str, *rows: str) -> list[str]:
    lines = rows or ("LIN+1++P-1:BP", "QTY+12:5:PCE", "RFF+ON:4500001:10")
    return [f"BGM+351+{number}+9", "DTM+137:20260301:102", "NAD+DP+PLANT-1::92", "CPS+1", *lines]


def interchange(reference: str, *messages: Sequence[str], kind: str = "DESADV:D:96A:UN", asks: str = "") -> bytes:
    rows = [f"UNB+UNOC:3+4012345500004:14+RAVENSMOOR+260301:1200+{reference}++++{asks}"]
    for number, segments in enumerate(messages, 1):
        rows += [f"UNH+{number}+{kind}", *segments, f"UNT+{len(segments) + 2}+{number}"]
    return "".join(f"{row}'" for row in [*rows, f"UNZ+{len(messages)}+{reference}"]).encode()


def come_in(dock: Dock, name: str, content: bytes) -> Run:
    (dock.settings.home / "in" / name).write_bytes(content)
    done = dock.run()
    assert not done.errors
    return done


def sent(dock: Dock) -> dict[str, list[str]]:
    """The segments of everything that left, by file name."""
    files = sorted((dock.settings.home / "outbox").glob("*.edi"))
    return {file.name: file.read_text().split("'") for file in files}


def told(segments: Sequence[str]) -> list[str]:
    return [segment for segment in segments if segment[:2] == "UC"]


def test_one_good_message_and_one_bad(dock: Dock) -> None:
    bad = [row for row in notice("S2") if not row.startswith("BGM")]
    done = come_in(dock, "1.edi", interchange("77", notice("S1"), bad))
    assert done.responded.sent == {"CONTRL": 1, "APERAK": 1}
    assert done.responded.refused == 0
    answers = sent(dock)
    assert told(answers["DREH-CONTRL-000000001.edi"]) == [
        "UCI+77+4012345500004:14+RAVENSMOOR+7", "UCM+1+DESADV:D:96A:UN+7", "UCM+2+DESADV:D:96A:UN+4", "UCS+1+13",
    ]  # fmt: skip
    aperak = answers["DREH-APERAK-000000002.edi"]
    assert {"BGM+23+0002+34", "RFF+ACE:77", "RFF+ACW:1", "ERC+UNKNOWN::ZZZ"} <= set(aperak)
    assert any("P-1" in segment for segment in aperak)
    assert dock.run().responded.sent == {}


def test_who_was_told_of_errors_is_told_when_they_are_put_right(dock: Dock) -> None:
    in_force(dock, "sites", {"site": "PLANT-1"})
    other = notice("S2", "LIN+1++P-2:BP", "QTY+12:5:PCE", "RFF+ON:4500001:20")
    come_in(dock, "1.edi", interchange("77", notice("S1"), other))
    (first,) = (segments for name, segments in sent(dock).items() if "APERAK" in name)
    assert [row for row in first if row[:3] in ("BGM", "ERC")] == [
        "BGM+23+0002+34", "ERC+UNKNOWN::ZZZ", "BGM+23+0003+34", "ERC+UNKNOWN::ZZZ",
    ]  # fmt: skip

    in_force(dock, "items", {"item": "P-1", "base_unit": "C62"})
    assert dock.run().responded.sent == {"APERAK": 1}
    *_, again = (segments for name, segments in sent(dock).items() if "APERAK" in name)
    assert [row for row in again if row[:3] in ("BGM", "ERC") or row.startswith("RFF+AC")] == [
        "BGM+23+0004+29", "RFF+ACE:77", "RFF+ACW:1",
    ]  # fmt: skip

    (line,) = dock.ledger.parked()
    assert dock.ledger.give_back([line["id"]], "no such article") == 1
    assert dock.respond().sent == {"APERAK": 1}
    *_, last = (segments for name, segments in sent(dock).items() if "APERAK" in name)
    assert any("no such article" in row for row in last)
    come_in(dock, "2.edi", interchange("78", notice("S3")))
    assert not [row for row in dock.ledger.findings() if row["code"].startswith("interchange")]


def test_an_event_is_traced_to_the_contrl_its_message_got(dock: Dock) -> None:
    plain = PARTNER.replace("on_error: park_lines", 'fields: {item: "LIN[BP]", site: {const: BER}, unit: {const: EA}}')
    (dock.settings.partners / "dreh.yaml").write_text(plain)
    come_in(dock, "1.edi", interchange("77", notice("S1"), notice("S2")))
    trace = dock.ledger.trace(dock.ledger.events()[-1].id)
    assert trace is not None
    assert [(one["kind"], one["name"]) for one in trace["answers"]] == [("CONTRL", "DREH-CONTRL-000000001.edi")]


def test_control_numbers_go_on_message_by_message(dock: Dock) -> None:
    come_in(dock, "1.edi", interchange("1", notice("S1"), notice("S2")))
    come_in(dock, "2.edi", interchange("2", notice("S3")))
    references = [
        segment.split("+")[1] for segments in sent(dock).values() for segment in segments if segment.startswith("UNH")
    ]
    assert sorted(references) == ["0001", "0002", "0003", "0004", "0005"]


def test_the_same_number_over_other_content_is_rejected_as_a_whole(dock: Dock) -> None:
    come_in(dock, "1.edi", interchange("1", notice("S1")))
    done = come_in(dock, "2.edi", interchange("1", notice("S9")))
    assert done.responded.sent == {"CONTRL": 1}
    assert told(sent(dock)["DREH-CONTRL-000000003.edi"]) == ["UCI+1+4012345500004:14+RAVENSMOOR+4+26+UNB+6"]
    again = come_in(dock, "3.edi", interchange("1", notice("S1")) + b"\n")
    assert again.responded.sent == {"CONTRL": 1, "APERAK": 1}


def test_nothing_answers_an_acknowledgment(dock: Dock) -> None:
    come_in(dock, "1.edi", interchange("5", ["UCI+99+RAVENSMOOR+4012345500004:14+7"], kind="CONTRL:D:3:UN", asks="1"))
    assert sent(dock) == {}
    assert [row["code"] for row in dock.ledger.findings() if row["code"].startswith("answer")] == ["answer.unmatched"]


def test_who_agreed_on_nothing_but_asks_in_the_envelope_gets_a_contrl(dock: Dock) -> None:
    (dock.settings.partners / "dreh.yaml").write_text(PARTNER.replace("functional: contrl, application: aperak, ", ""))
    come_in(dock, "1.edi", interchange("1", notice("S1")))
    assert sent(dock) == {}
    come_in(dock, "2.edi", interchange("2", notice("S2"), asks="2"))
    assert told(sent(dock)["DREH-CONTRL-000000001.edi"]) == ["UCI+2+4012345500004:14+RAVENSMOOR+8"]


@pytest.mark.parametrize(
    ("answer", "outcome", "finding"),
    [
        (("CONTRL:D:3:UN", ["UCI+000000002+RAVENSMOOR+4012345500004:14+7"]), "accepted", []),
        (("CONTRL:D:3:UN", ["UCI+000000002+RAVENSMOOR+4012345500004:14+4+18"]), "rejected", ["answer.rejected"]),
        (("APERAK:D:96A:UN", ["BGM+23+1+27", "RFF+ACW:0002", "ERC+1"]), "rejected", ["answer.rejected"]),
    ],
)
def test_what_they_say_of_our_aperak_is_matched(
    dock: Dock, answer: tuple[str, list[str]], outcome: str, finding: list[str]
) -> None:
    come_in(dock, "1.edi", interchange("1", notice("S1")))
    assert [row["waiting"] for row in dock.ledger.expectations() if row["kind"] == "APERAK"] == [1]
    kind, segments = answer
    come_in(dock, "2.edi", interchange("2", segments, kind=kind))
    (row,) = [row for row in dock.ledger.expectations() if row["kind"] == "APERAK"]
    assert (row["waiting"], row[outcome]) == (0, 1)
    assert [row["code"] for row in dock.ledger.findings() if row["code"].startswith("answer")] == finding
