"""CONTRL and APERAK: what they say, in whose characters, and how they are read again."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydifact.parser import Parser

from connectors.formats.edi.acknowledgments import (
    DocumentVerdict,
    Numbers,
    Refused,
    referees,
    report_errors,
    report_syntax,
)
from connectors.formats.edi.acknowledgments.edifact import addressable
from connectors.formats.edi.acknowledgments.received import Received
from connectors.formats.edi.acknowledgments.received_edifact import read_message
from connectors.formats.edi.edifact import Edifact
from connectors.formats.edi.edifact.scan import ScannedSegment, scan_edifact
from crossdock.ledger.envelopes import owed_for
from crossdock.translation import EnvelopeClosed
from mappings.spec import Acknowledge
from schemas.documents import DocumentEnd, DocumentStart, GroupEnd, InterchangeEnd
from schemas.findings import Finding, Severity, Stage
from tests.unit.edi.conftest import Wanted

pytestmark = pytest.mark.filterwarnings("ignore::pydifact.exceptions.MissingImplementationWarning")

AT = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)
NUMBERS = Numbers(interchange=7, set=9)
SOUND = ["BGM+351+D1+9'", "CPS+1'", "LIN+1++P-1:BP'", "QTY+12:5:PCE'"]


def message(reference: str, rows: Sequence[str] = SOUND, kind: str = "DESADV:D:96A:UN", count: int = 0) -> str:
    return f"UNH+{reference}+{kind}'{''.join(rows)}UNT+{count or len(rows) + 2}+{reference}'"


def interchange(*inner: str, units: int = 0, syntax: str = "UNOC:3", ask: str = "", advice: str = "") -> bytes:
    head = f"UNB+{syntax}+4012345500004:14+RAVENSMOOR+260301:1130+REF1++++{ask}'"
    return f"{advice}{head}{''.join(inner)}UNZ+{units or len(inner)}+REF1'".encode("latin-1")


def read(payload: bytes) -> tuple[InterchangeEnd, list[GroupEnd], list[DocumentVerdict]]:
    """As the ledger would give it back: envelope, groups, verdicts."""
    groups: list[GroupEnd] = []
    verdicts: list[DocumentVerdict] = []
    findings: list[Finding] = []
    for item in Edifact().read(io.BytesIO(payload), name="", plans=Wanted(()), metadata={}):
        match item:
            case DocumentStart(attributes=said):
                start, findings = item, []
            case Finding():
                findings.append(item)
            case DocumentEnd(accepted=accepted):
                names = ("message", "version", "release", "agency", "association")
                verdicts.append(
                    DocumentVerdict(
                        set=said["message"], control_number=start.control_number, rejected=not accepted,
                        identifier=":".join(said[name] for name in names).rstrip(":"), findings=tuple(findings),
                    )
                )  # fmt: skip
            case GroupEnd():
                groups.append(item)
            case InterchangeEnd():
                return item, groups, verdicts
    raise AssertionError("no end")


def contrl(payload: bytes) -> bytes:
    end, groups, verdicts = read(payload)
    return report_syntax(end, groups, verdicts, NUMBERS, AT)


def body(answer: bytes) -> list[str]:
    return [row for row in answer.decode("latin-1").split("'") if row[:3] in ("UCI", "UCF", "UCM", "UCS", "UCD")]


BAD = ["BGM+351+D1+9'", "CPS+1'", "LIN+1++P-1:BP'", "QTY+12:FIVE:PCE'"]
CASES = {
    "all is well": ([message("1"), message("2")], ["UCI+REF1+4012345500004:14+RAVENSMOOR+7",
        "UCM+1+DESADV:D:96A:UN+7", "UCM+2+DESADV:D:96A:UN+7"]),
    "one of two": ([message("1"), message("2", BAD)], ["UCI+REF1+4012345500004:14+RAVENSMOOR+7",
        "UCM+1+DESADV:D:96A:UN+7", "UCM+2+DESADV:D:96A:UN+4", "UCS+5", "UCD+37+2:2"]),
    "a segment is missing": ([message("1", SOUND[1:])], ["UCI+REF1+4012345500004:14+RAVENSMOOR+7",
        "UCM+1+DESADV:D:96A:UN+4", "UCS+1+13"]),
    "the count is wrong": ([message("1", count=9)], ["UCI+REF1+4012345500004:14+RAVENSMOOR+7",
        "UCM+1+DESADV:D:96A:UN+4+29+UNT+2"]),
    "no such message": ([message("1", ["FOO+1'"], "FOOBAR:D:96A:UN")], ["UCI+REF1+4012345500004:14+RAVENSMOOR+7",
        "UCM+1+FOOBAR:D:96A:UN+4+12+UNH+3"]),
    "groups": ([
        "UNG+DESADV+APP+US+260301:1130+G1+UN+D:96A'", message("1"), "UNE+1+G1'",
        "UNG+DESADV+APP+US+260301:1130+G2+UN+D:96A'", message("2", BAD), "UNE+3+G2'",
    ], ["UCI+REF1+4012345500004:14+RAVENSMOOR+7", "UCF+G1+APP+US+7", "UCM+1+DESADV:D:96A:UN+7",
        "UCF+G2+APP+US+4+29+UNE+2", "UCM+2+DESADV:D:96A:UN+4", "UCS+5", "UCD+37+2:2"]),
    "acknowledgments are not acknowledged": (
        [message("1"), message("2", ["UCI+5+A+B+7'"], "CONTRL:D:3:UN")],
        ["UCI+REF1+4012345500004:14+RAVENSMOOR+7", "UCM+1+DESADV:D:96A:UN+7"]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_is_told(name: str) -> None:
    inner, told = CASES[name]
    units = 2 if name == "groups" else len(inner)
    answer = contrl(interchange(*inner, units=units))
    assert body(answer) == told
    referees().judge(answer)


def test_an_envelope_that_does_not_add_up_is_told_and_its_messages_taken() -> None:
    assert body(contrl(interchange(message("1"), units=5)))[0] == "UCI+REF1+4012345500004:14+RAVENSMOOR+7+29+UNZ+2"


def test_what_is_held_back_is_rejected_as_a_whole() -> None:
    end, groups, verdicts = read(interchange(message("1")))
    held = Finding(
        code="interchange.altered", severity=Severity.ERROR, stage=Stage.SYNTAX, message="other content",
        standard={"0085": "26", "0013": "UNB", "UCD0098": "6"},
    )  # fmt: skip
    answer = report_syntax(replace(end, documents=0, findings=(held,)), groups, verdicts, NUMBERS, AT)
    assert body(answer) == ["UCI+REF1+4012345500004:14+RAVENSMOOR+4+26+UNB+6"]


@pytest.mark.parametrize(("rows", "action"), [(SOUND, "8"), (BAD, "7")])
def test_who_asks_for_a_receipt_gets_no_more_unless_something_is_wrong(rows: list[str], action: str) -> None:
    told = body(contrl(interchange(message("1", rows), ask="2")))
    assert told[0] == f"UCI+REF1+4012345500004:14+RAVENSMOOR+{action}"
    assert (len(told) == 1) is (action == "8")


def test_the_answer_goes_where_they_say_in_their_syntax_and_characters() -> None:
    advice = "UNA|^.\\*~"
    there = b"UNB^UNOC|4^THEM|14|HOUSE^US|1^20260301|1130^REF1^^^^^^1~UNH^1^DESADV|D|96A|UN~UNT^2^1~UNZ^1^REF1~"
    answer = contrl(advice.encode() + there).decode()
    assert answer.startswith(f"{advice}UNB^UNOC|4^US|1^THEM|14|HOUSE^20260301|1205^000000007^^^^^^1~")
    assert "UNH^0009^CONTRL|4|1|UN~UCI^REF1^THEM|14^US|1^7~UCM^1^DESADV|D|96A|UN^4~UCS^1^13~" in answer
    referees().judge(answer.encode())


def test_a_faulty_answer_is_refused() -> None:
    sound = contrl(interchange(message("1")))
    for right, wrong in ((b"+7'UCM", b"+9'UCM"), (b"UNT+4+", b"UNT+5+"), (b"UNZ+1+", b"UNZ+2+"), (b"UCM+1", b"UCM+")):
        assert right in sound
        with pytest.raises(Refused, match="our own reader"):
            referees().judge(sound.replace(right, wrong))


def unknown_item(value: str, line: int | None = 3, code: str = "item.unknown") -> Finding:
    return Finding(
        code=code, severity=Severity.ERROR, stage=Stage.REFERENCE, message=f"item '{value}' is not known",
        location="segment 12, LIN-03", value=value, line=line,
    )  # fmt: skip


def verdict(reference: str, *findings: Finding, rejected: bool = False, release: str = "96A") -> DocumentVerdict:
    return DocumentVerdict(
        set="DESADV", control_number=reference, identifier=f"DESADV:D:{release}:UN", findings=findings,
        rejected=rejected,
    )  # fmt: skip


def test_application_errors_are_told_message_by_message() -> None:
    end, _, _ = read(interchange(message("1"), message("2"), message("3")))
    verdicts = [
        verdict("1", unknown_item("P'9")),
        verdict("2"),
        verdict("3", unknown_item("X", None, "date.impossible"), rejected=True, release="01B"),
    ]
    answer = report_errors(end, verdicts, NUMBERS, AT)
    referees().judge(answer)
    assert answer.decode().replace("?'", "’").split("'")[1:-2] == [
        "UNH+0008+APERAK:D:96A:UN", "BGM+23+0008+34", "DTM+137:202603011205:203", "RFF+ACE:REF1", "RFF+ACW:1",
        "NAD+MR+4012345500004::9", "NAD+MS+RAVENSMOOR",
        "ERC+UNKNOWN::ZZZ", "FTX+AAO+++item ’P’9’ is not known:P’9:segment 12, LIN-03", "RFF+LI:3", "UNT+11+0008",
        "UNH+0009+APERAK:D:01B:UN", "BGM+23+0009+27", "DTM+137:202603011205:203", "RFF+ACE:REF1", "RFF+ACW:3",
        "NAD+MR+4012345500004::9", "NAD+MS+RAVENSMOOR",
        "ERC+OTHER::ZZZ", "FTX+AAO+++item ’X’ is not known:X:segment 12, LIN-03", "UNT+10+0009",
    ]  # fmt: skip


def test_words_are_spelled_in_the_letters_they_have() -> None:
    end, _, _ = read(interchange(message("1"), syntax="UNOA:2"))
    answer = report_errors(end, [verdict("1", unknown_item("Größe_1"))], NUMBERS, AT)
    referees().judge(answer)
    assert "ITEM ?'GR SSE 1?' IS NOT KNOWN:Gr  e_1:SEGMENT 12, LIN-03'" in answer.decode("ascii")


@pytest.mark.parametrize("answered", ["CONTRL", "APERAK"])
def test_pydifact_reads_the_same_segments(answered: str) -> None:
    end, groups, verdicts = read(interchange(message("1", BAD), message("2+3".replace("+", "?+"))))
    if answered == "CONTRL":
        answer = report_syntax(end, groups, verdicts, NUMBERS, AT)
    else:
        answer = report_errors(end, [verdict("1", unknown_item("P'9:+?"))], NUMBERS, AT)
    ours = [(one.tag, one.elements) for one in scan_edifact(io.BytesIO(answer))]
    theirs = [
        (one.tag, tuple((part,) if isinstance(part, str) else tuple(part) for part in one.elements))
        for one in Parser().parse(answer.decode("latin-1"))
    ]
    assert [row for row in theirs if row[0] != "UNA"] == ours


@given(st.binary(max_size=40), st.integers(0, 400))
@example(dirt=b":14+", at=11)  # the sender has a qualifier, and no name
@example(dirt=b"\x7f:14+", at=28)  # that of the receiver has no letter that can be sent back
def test_whatever_was_sent_the_answer_can_leave_or_is_not_owed(dirt: bytes, at: int) -> None:
    payload = interchange(message("1"), message("2", BAD))
    end, groups, verdicts = read(payload[:at] + dirt + payload[at:])
    if addressable(end.interchange) and not end.only_answers:
        referees().judge(report_syntax(end, groups, verdicts, NUMBERS, AT))
        errors = [replace(one, findings=[unknown_item(dirt.decode("latin-1"))]) for one in verdicts]
        if errors:
            referees().judge(report_errors(end, errors, NUMBERS, AT))


@pytest.mark.parametrize(
    ("dirt", "at", "owed"),
    [(b"", 0, ("CONTRL", "APERAK")), (b":14+", 11, ()), (b"\x7f:14+", 28, ())],
    ids=["named", "a sender without a name", "a receiver whose name no answer can hold"],
)
def test_nothing_is_owed_to_who_cannot_be_named(dirt: bytes, at: int, owed: tuple[str, ...]) -> None:
    payload = interchange(message("1"))
    end, _, _ = read(payload[:at] + dirt + payload[at:])
    agreement = Acknowledge(functional="contrl", application="aperak")
    assert owed_for(EnvelopeClosed(envelope=end, partner="ACME", agreement=agreement)) == owed


# -- and back ---------------------------------------------------------------------------------------


def segments(text: str) -> list[ScannedSegment]:
    return list(scan_edifact(io.BytesIO(f"UNB+UNOC:3+A+B+260301:1200+1'{text}".encode())))[1:]


@pytest.mark.parametrize(
    ("text", "outcome", "detail"),
    [
        ("UCI+12+US+THEM+7'", "accepted", ""),
        ("UCI+12+US+THEM+8'", "accepted", "received, not judged"),
        ("UCI+12+US+THEM+4+26+UNB+6'", "rejected", "UCI 4: 0085 26 in UNB"),
        ("UCI+12+US+THEM+7'UCM+1+APERAK:D:96A:UN+7'UCM+2+APERAK:D:96A:UN+4+29+UNT+2'", "partly_accepted",
         "message 2: 0085 29 in UNT"),
        ("UCI+12+US+THEM+7'UCM+1+APERAK:D:96A:UN+4'UCS+5'UCD+37+2:2'", "rejected", "segment 5; element 2 (0085 37)"),
        ("UCI+12+US+THEM+7'UCM+1+APERAK:D:96A:UN+7'UCS+5+15'", "accepted_with_errors", "segment 5 (0085 15)"),
    ],
)  # fmt: skip
def test_a_contrl_that_comes_in(text: str, outcome: str, detail: str) -> None:
    (received,) = read_message("CONTRL", segments(text))
    assert received == Received(kind="CONTRL", level="interchange", number=12, outcome=outcome, detail=detail)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("BGM+23+1+27'RFF+ACE:7'RFF+ACW:5'ERC+4'FTX+AAO+++no item:X'", ("set", 5, "rejected", "ERC 4 no item X")),
        ("BGM+313+1+9'RFF+ACE:7'ERC+4'", ("interchange", 7, "rejected", "ERC 4")),
        ("BGM+23+1+34'RFF+AGO:5'ERC+4'RFF+LI:1'", ("set", 5, "accepted_with_errors", "ERC 4")),
        ("BGM+312+1+9'RFF+ACW:5'", ("set", 5, "accepted", "")),
    ],
)  # fmt: skip
def test_an_aperak_that_comes_in(text: str, told: tuple[str, int, str, str]) -> None:
    (received,) = read_message("APERAK", segments(text))
    assert (received.level, received.number, received.outcome, received.detail) == told


def test_what_names_nothing_of_ours_says_nothing() -> None:
    assert not list(read_message("CONTRL", segments("UCI+ABC+US+THEM+7'")))
    assert not list(read_message("APERAK", segments("BGM+23+1+27'RFF+ACW:PO1'ERC+4'")))
