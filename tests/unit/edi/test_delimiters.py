"""Delimiters come from the ISA, however battered it is."""

from __future__ import annotations

import pytest

from connectors.formats.edi.delimiters import Delimiters, find_header, read_header

ISA = "ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *261122*0100*{r}*{v}*000000001*0*P*"


@pytest.mark.parametrize(
    "terminator", ["~", "!", "$", "\\", "\x15", "\r", "\n", "\x1c", "Ã©".encode().decode("latin-1")]
)
@pytest.mark.parametrize("separator", ["*", "|", "^", "\t", "\x07", "\x1d"])
def test_by_position(terminator: str, separator: str) -> None:
    isa = ISA.format(r="U", v="00401").replace("*", separator) + ">" + terminator
    header = read_header(isa + "GS", 0, complete=True)
    assert header is not None
    first = terminator[:2] if terminator[0] == "\xc3" else terminator
    assert (header.problem, header.delimiters) == ("", Delimiters(separator, ">", first))
    assert header.end == 105 + len(first)


def test_a_terminator_of_several_bytes() -> None:
    isa = ISA.format(r="U", v="00401") + ">" + "€".encode().decode("latin-1") + "GS*"
    header = read_header(isa, 0, complete=True)
    assert header is not None
    assert header.delimiters.segment.encode("latin-1").decode() == "€"


@pytest.mark.parametrize(("version", "repetition"), [("00400", ""), ("00401", ""), ("00402", "^"), ("00501", "^")])
def test_repetition_only_from_00402(version: str, repetition: str) -> None:
    header = read_header(ISA.format(r="^", v=version) + ">~GS", 0, complete=True)
    assert header is not None
    assert header.delimiters.repetition == repetition


@pytest.mark.parametrize("rest", [">~\nGS*PO*A*B", ">~GS*PO", ">~\r\nTA1*1"])
def test_collapsed_blanks_are_recovered(rest: str) -> None:
    isa = "ISA*00**00**ZZ*SENDER*ZZ*RECEIVER*261122*0100*U*00401*000000001*0*P*" + rest
    header = read_header(isa, 0, complete=True)
    assert header is not None
    assert (header.problem, header.delimiters.component, header.delimiters.segment) == ("layout", ">", "~")
    assert isa[header.end - 1] == "~"


def test_a_line_break_inside_is_recovered() -> None:
    isa = ISA.format(r="U", v="00401").replace("*261122*0100", "*261122*01\n00") + ">\nGS*"
    header = read_header(isa, 0, complete=True)
    assert header is not None
    assert (header.problem, header.delimiters.segment, header.elements[9]) == ("layout", "\n", "0100")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "ISA*00*          *00*  *ZZ*A*ZZ*B*261122*0100*U*00401*1*0~GS*PO*A*B*20261122*1*1*X*004010~ST*850*1~",
            "short",
        ),
        (ISA.format(r="U", v="00401") + ">GS*PO*A*B", "terminator"),
    ],
)
def test_what_cannot_be_recovered(text: str, problem: str) -> None:
    header = read_header(text, 0, complete=True)
    assert header is not None
    assert header.problem == problem


def test_prose_is_no_header() -> None:
    assert find_header("A VISA card, the ISA (Isabel) and ISA100 of ISA. ISA, ISA;") == -1
    assert find_header("Regards,\nISA*00*") == 9
