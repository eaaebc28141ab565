"""Mutations that know segments, elements and delimiters, so that most of what comes out is still nearly EDI."""

from __future__ import annotations

import random
from collections.abc import Callable

from connectors.formats.edi.delimiters import Delimiters, find_header, read_header
from connectors.formats.edi.edifact.service import LONGEST_HEAD, find_head, read_head

Segments = list[str]

VALUES = (
    "", " ", "0", "1", "-1", "9" * 9, "9" * 40, "00", "1.5", "1E5", "20261122", "20260230", "261122", "0300",
    "2561", "EA", "ZZ",
    "VN", "BP", "ST", "I", "O", "S", "P", "T", "A" * 81, "\x00", "\r\n", "\xe9", "\xc3\xa9", "\xc3", "\xff", "?",
    "^", ":", ">", "?+", "??", "'", "5:PCE", "B-1:BP", "DESADV:D:96A:UN", "ORDERS:D:01B:UN:EAN008",
    "004010", "005010", "008060", "002040VICS", "999999", "856", "850",
)  # fmt: skip
SNIPPETS = (
    "", "HL*1**S", "HL*2*1*O*1", "HL*3*3*I", "HL*4*9*I*0", "HL**1*P", "PO1*1*1*EA", "LIN**BP*B", "SN1**1*EA",
    "N1*ST*X", "QQ*1", "CTT*1", "ST*850*1", "ST*856*1", "SE*1*1", "SE", "GS*PO*A*B*20261122*0300*1*X*004010",
    "GE*1*1", "GE", "IEA*1*1", "IEA", "TA1*000000007*261122*0300*A*000", "ISA*00", "REF", "FST*1*C*D*20261123",
    "LS*A", "LE*A", "UNB+UNOA:2", "PID*F****Caf\xc3\xa9", "SDQ*EA*92*P1*3*P2*4", "SDQ*EA**P3*5", "MTX**hurry",
    "UNA:+.? ", "UNB*UNOC:3*A*B*261122:0300*1", "UNH*1*DESADV:D:96A:UN", "UNT*1*1", "UNZ*1*1", "UNS*D", "CPS*2*1",
    "LIN*1**B-1:BP", "QTY*12:5:PCE", "IMD*F**:::Stra\xdfe", "NAD*ST*P1::92", "QTY*12:1?", "SCC*1**W", "GIS*37",
    "GEI*1*37", "INV**3", "FTX*AAI***It?'s", "UNG*X*A*B*261122:0300*1*UN*D:96A", "UNE*1*1",
)  # fmt: skip
MARKS = "*|^~!$:;<>{}+'\t\n\r \x07\x1c\x1d\x1f\x00aZ09\xa7\xc3"


def mutate(data: bytes, most: int, seed: int, plain: Callable[[bytes, int], bytes]) -> bytes:
    """A neighbour of ``data``, at most ``most`` bytes, the same for the same ``seed``.

    Now and then, and where there is no interchange to be seen, ``plain`` has its way with the bytes.
    """
    chance = random.Random(seed)
    text = data.decode("latin-1")
    marks = _marks(text)
    if marks is None or not marks.segment or not marks.element or chance.random() < 0.1:
        return plain(data, most)
    segments = text.split(marks.segment)
    for _ in range(chance.choice((1, 1, 2, 4))):
        chance.choice(STEPS)(segments, marks, chance)
    out = marks.segment.join(segments)
    if chance.random() < 0.05:
        out = out.replace(chance.choice((marks.element, marks.segment)), chance.choice(MARKS))
    if chance.random() < 0.05:
        out = out[: chance.randrange(len(out) + 1)]
    return out.encode("latin-1", "replace")[:most]


def _marks(text: str) -> Delimiters | None:
    """The delimiters of the first interchange; None where there is none to be seen."""
    if (at := find_header(text)) >= 0:
        header = read_header(text, at, complete=True)
        return header.delimiters if header is not None else None
    if (at := find_head(text)) >= 0:
        head = read_head(text[at : at + LONGEST_HEAD])
        return head.delimiters if head.problem != "unusable" else None
    return None


def cross(one: bytes, other: bytes, most: int, seed: int) -> bytes:
    """The beginning of one payload and the end of another, cut between segments where there are any."""
    chance = random.Random(seed)
    head, tail = (chance.choice((b"~", b"\n", b"*", b"'", b"+")) for _ in range(2))
    left, right = one.split(head), other.split(tail)
    return (
        head.join(left[: chance.randrange(len(left)) + 1]) + head + tail.join(right[chance.randrange(len(right)) :])
    )[:most]


def _place(segments: Segments, chance: random.Random) -> int:
    """Where something happens; the ISA is mostly left alone."""
    return chance.randrange(len(segments)) if chance.random() < 0.1 else chance.randrange(1, max(len(segments), 2))


def _drop(segments: Segments, marks: Delimiters, chance: random.Random) -> None:
    at = _place(segments, chance)
    del segments[at : at + chance.choice((1, 1, 3))]


def _insert(segments: Segments, marks: Delimiters, chance: random.Random) -> None:
    segments.insert(_place(segments, chance), chance.choice(SNIPPETS).replace("*", marks.element))


def _copy(segments: Segments, marks: Delimiters, chance: random.Random) -> None:
    """A stretch once more, somewhere else."""
    begin = _place(segments, chance)
    at = _place(segments, chance)
    segments[at:at] = segments[begin : begin + chance.choice((1, 3, 9))]


def _repeat(segments: Segments, marks: Delimiters, chance: random.Random) -> None:
    """A stretch so often that it is learned."""
    begin = _place(segments, chance)
    size = chance.choice((1, 2, 3, 4))
    if len(segments) < 400:
        segments[begin:begin] = segments[begin : begin + size] * chance.choice((2, 5, 20))


def _swap(segments: Segments, marks: Delimiters, chance: random.Random) -> None:
    one, other = _place(segments, chance), _place(segments, chance)
    if max(one, other) < len(segments):
        segments[one], segments[other] = segments[other], segments[one]


def _element(segments: Segments, marks: Delimiters, chance: random.Random) -> None:
    """Another value, one element more or one less."""
    at = _place(segments, chance)
    if at >= len(segments):
        return
    elements = segments[at].split(marks.element)
    place = chance.randrange(len(elements))
    what = chance.random()
    if what < 0.1:
        elements.insert(place, chance.choice(VALUES))
    elif what < 0.2:
        del elements[place]
    elif what < 0.3:
        elements[place] += (marks.component or ":") + chance.choice(VALUES)
    elif what < 0.5 and elements[place].isascii() and elements[place].isdigit() and len(elements[place]) < 18:
        elements[place] = str(int(elements[place]) + chance.choice((-1, 1, 5)))
    else:
        elements[place] = chance.choice(VALUES)
    segments[at] = marks.element.join(elements)


STEPS = (_drop, _insert, _copy, _repeat, _swap, _element, _element, _element)
