"""What nobody sends by mistake: work in proportion to the bytes, findings and memory within bounds."""

from __future__ import annotations

import io
import sys
import weakref
from collections.abc import Callable, Iterator

import msgspec
import pytest

from connectors.formats.edi.body import LONGEST_SEGMENT
from connectors.formats.edi.bounds import MOST_OF_DOCUMENT, MOST_OF_LINE, MOST_OF_PAYLOAD, bounded
from connectors.formats.edi.hierarchy import REMEMBERED, Hierarchy
from connectors.formats.edi.lines import Scope
from connectors.formats.edi.reader import read_interchanges
from connectors.formats.edi.tape import Tape
from schemas.documents import DocumentEnd, DocumentStart, LineChunk
from schemas.findings import Finding, Severity, Stage

ISA = b"ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *261122*0100*U*00401*000000001*0*P*>~"
GS = b"GS*PO*S*R*20261122*0100*1*X*004010~"
IEA = b"IEA*1*000000001~"
ORDER = b"BEG*00*SA*PO1**20261122~"


def order(*segments: bytes) -> bytes:
    return b"".join((ISA, GS, b"ST*850*0001~", ORDER, *segments, b"SE*3*0001~GE*1*1~", IEA))


def ship_notice(*segments: bytes) -> bytes:
    opened = GS.replace(b"PO", b"SH"), b"ST*856*0001~BSN*00*SH1*20261122*0100~"
    return b"".join((ISA, *opened, *segments, b"SE*3*0001~GE*1*1~", IEA))


def chain(size: int, kind: str) -> Iterator[bytes]:
    """Levels each below the one before."""
    for level in range(1, size + 1):
        yield f"HL*{level}*{level - 1 or ''}*{kind}~MAN*GM*{level}~".encode()


ATTACKS: dict[str, Callable[[int], bytes]] = {
    "text in front": lambda n: b"A" * n,
    "beginnings of ISA": lambda n: b"ISA*" * n,
    "headers without end": lambda n: b"ISA**********" * n,
    "no terminator in a set": lambda n: order()[:-30] + b"A" * n,
    "no terminator in an envelope": lambda n: ISA + b"A" * n,
    "many elements": lambda n: order(b"PO1*1*1*EA" + b"*A" * n + b"~"),
    "many components": lambda n: order(b"PO1*1*1*EA~SLN*1**I*1*EA" + b">A" * n + b"~"),
    "empty segments": lambda n: order(b"~" * n),
    "empty segments outside": lambda n: ISA + b"~" * n + IEA,
    "blank lines": lambda n: order(b"\r\n" * n),
    "unknown segments": lambda n: order(*(b"Q%d*1~" % i for i in range(n))),
    "faulty lines": lambda n: order(*(b"PO1*%d*x*EA~" % i for i in range(n))),
    "faults of one line": lambda n: order(b"PO1*1*1*EA~", b"PID*QQ*~" * n),
    "faulty loops": lambda n: order(b"N1*ST**92~" * n),
    "deep levels": lambda n: ship_notice(*chain(n, "P"), b"HL*0*%d*I~LIN**VN*A~" % n),
    "lines below lines": lambda n: ship_notice(*chain(n, "I")),
    "levels in a circle": lambda n: ship_notice(
        *(b"HL*%d*%d*I~LIN**VN*A~" % (i % 7 + 1, (i + 3) % 7 + 1) for i in range(n))
    ),
    "levels below one line": lambda n: ship_notice(b"HL*1**I~", *(b"HL*%d*1*P~MAN*GM*1~" % i for i in range(2, n))),
    "groups": lambda n: ISA + b"".join(b"GS*PO*S*R*20261122*0100*%d*X*004010~GE*0*%d~" % (i, i) for i in range(n)),
    "groups without end": lambda n: ISA + GS * n,
    "interchanges": lambda n: (ISA + IEA) * n,
    "sets": lambda n: ISA + GS + b"".join(b"ST*850*%d~SE*2*%d~" % (i, i) for i in range(n)),
    "sets without end": lambda n: ISA + GS + b"ST*850*0001~" * n,
    "sets nobody knows": lambda n: ISA + GS + b"".join(b"ST*%d*1~SE*2*1~" % i for i in range(n)),
    "versions nobody knows": lambda n: (
        ISA + b"".join(b"GS*PO*S*R*20261122*0100*1*X*%06d~ST*850*1~SE*2*1~GE*1*1~" % i for i in range(n))
    ),
}


def work(payload: bytes, read) -> int:
    """Calls made to read the payload, of Python and of C."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        read(payload)
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize("attack", ATTACKS)
def test_work_grows_no_faster_than_the_bytes(attack, read) -> None:
    make = ATTACKS[attack]
    read(make(50))
    small, large = work(make(400), read), work(make(1600), read)
    assert large <= 4 * small * 1.1


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_document_opened_is_closed_and_the_attack_is_noticed(attack, read) -> None:
    found = read(ATTACKS[attack](300))
    assert len(found.starts) == len(found.ends)
    assert found.findings


@pytest.mark.parametrize("head", [b"", ISA, order()[:-30]], ids=["in front", "in an envelope", "in a set"])
def test_the_window_stays_small_where_no_terminator_comes(head, plans) -> None:
    block = 1 << 16
    widest = 0

    class Endless(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            nonlocal widest
            widest = max(widest, len(tape.text))
            return super().read(size)

    stream = Endless(head + b"A" * (6 * LONGEST_SEGMENT))
    tape = Tape(stream, block)
    list(read_interchanges(tape, plans))
    assert stream.tell() == len(stream.getvalue())
    assert 0 < widest <= LONGEST_SEGMENT + block


def test_values_reach_an_item_through_any_number_of_levels(read) -> None:
    found = read(ship_notice(*chain(5000, "P"), b"HL*9999*5000*I~LIN**VN*A~SN1**1*EA~"))
    assert found.lines.select("LIN[VN]", "MAN[GM]02").rows() == [("A", "5000")]


def test_a_document_wrong_throughout_says_so_a_thousand_times(read) -> None:
    found = read(order(*(b"QQ%d*1~" % i for i in range(5000))))
    unknown = [finding for finding in found.findings if finding.code == "segment.unknown"]
    assert len(unknown) == MOST_OF_DOCUMENT
    (more,) = (finding for finding in found.findings if finding.code == "findings.more")
    assert more.severity is Severity.ERROR
    assert more.location == "set 0001"
    left = 5000 - MOST_OF_DOCUMENT + 2  # and a missing PO1, and a wrong SE01
    assert more.value == str(left)
    assert f"{left:,} of them are errors" in more.message
    assert isinstance(found.items[found.items.index(more) + 1], DocumentEnd)
    assert [end.accepted for end in found.ends] == [False]


def test_a_line_wrong_throughout_does_not_drown_the_others(read) -> None:
    found = read(order(b"PO1*1*1*EA~", b"PID*QQ*~" * 300, b"PO1*2*x*EA~"))
    first = [finding for finding in found.findings if finding.line == 1]
    assert len(first) == MOST_OF_LINE
    assert [finding.code for finding in found.findings if finding.line == 2] == ["element.character"]
    (more,) = (finding for finding in found.findings if finding.code == "findings.more")
    assert more.severity is Severity.INFO
    assert [end.accepted for end in found.ends] == [False]  # for its SE01
    assert found.lines.height == 2


def test_the_first_error_on_a_line_is_never_left_out() -> None:
    warning = Finding(code="a", severity=Severity.WARNING, stage=Stage.STRUCTURE, message="", line=1)
    error = msgspec.structs.replace(warning, code="b", severity=Severity.ERROR)
    told = list(bounded([DocumentStart(ordinal=1, type="x12.850"), *[warning] * 50, error, error]))
    assert told[1:] == [*[warning] * MOST_OF_LINE, error]


def test_text_between_documents_is_counted_once_there_is_too_much_of_it(read) -> None:
    size = MOST_OF_PAYLOAD + 500
    found = read(ISA + b"QQ*1~" * size + b"IEA*0*000000001~")
    assert len(found.findings) == MOST_OF_PAYLOAD + 1
    more = found.findings[-1]
    assert (more.code, more.severity, more.value) == ("findings.more", Severity.ERROR, "500")


def test_too_many_elements_are_one_fault(read) -> None:
    found = read(order(b"PO1*1*1*EA" + b"*A" * 10_000 + b"~"))
    (fault,) = (finding for finding in found.findings if finding.code == "element.too_many")
    assert fault.standard["AK403"] == "3"
    assert fault.line == 1


def test_a_finding_repeats_no_more_than_the_beginning_of_a_long_value(read) -> None:
    found = read(order(b"PO1*1*1*EA~PID*F****" + b"A" * 100_000 + b"~", b"QQ*" + b"A" * 100_000 + b"~"))
    assert len(found.errors) >= 2
    assert all(len(finding.value or "") <= 512 and len(finding.message) < 400 for finding in found.findings)


@pytest.mark.parametrize(
    ("separator", "component", "terminator"),
    [("A", ">", "~"), ("1", ">", "~"), ("*", "*", "~"), ("*", ">", "*"), ("*", "A", "~"), ("\0", ">", "~"),
     ("*", "\0", "~"), ("*", ">", "\0"), (" ", ">", "~"), ("*", " ", "~"), ("*", ">", " "), ("*", ">", "9"),
     ("~", "~", "~"), (".", "-", "~"), ("\\", "[", "("), ("\xff", "\xfe", "\xfd")],
)  # fmt: skip
def test_absurd_delimiters_are_read_or_refused_the_same_in_any_pieces(separator, component, terminator, read) -> None:
    marks = str.maketrans({"*": separator, ">": component, "~": terminator})
    payload = order(b"PO1*1*5*EA**VN*A~", b"PO1*2*6*EA**VN*B~").decode().translate(marks).encode("latin-1")
    whole = read(payload)
    assert whole.plain == read(payload, block=7, learn=False).plain
    assert whole.errors or any(isinstance(item, LineChunk) for item in whole.items)


def test_levels_that_nobody_can_name_any_more_are_let_go_of() -> None:
    hierarchy = Hierarchy(Scope(None))
    scope = Scope(hierarchy.header, {0: "outermost"})
    first = weakref.ref(scope)
    hierarchy.add("0", scope)
    for level in range(1, REMEMBERED + 3):
        scope = Scope(scope)
        hierarchy.add(str(level), scope)
    assert first() is None
    assert scope.in_force() == {0: "outermost"}
