"""Segments as bytes: an X12 interchange written with any delimiters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.formats.edi.delimiters import Delimiters

STANDARD = Delimiters("*", ":", "~", "^")

#: widths of ISA01 to ISA16 (X12.5)
_ISA_WIDTHS = (2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What an interchange says of itself. Identities are ``qualifier:id``; ``control_number`` is ISA13."""

    sender: str
    receiver: str
    control_number: int
    written_at: datetime
    version: str = "00401"
    test: bool = False
    acknowledge: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A functional group and its sets; a set is its segments from ST's successor to SE's predecessor."""

    code: str
    sender: str
    receiver: str
    control_number: int
    release: str
    sets: Sequence[tuple[str, str, Sequence[Sequence[str]]]]  #: (set id, control number, segments)


def write_interchange(
    envelope: Envelope, groups: Iterable[Group], delimiters: Delimiters = STANDARD, *, line_end: str = ""
) -> Iterator[bytes]:
    """The interchange, segment by segment, counts and control numbers filled in.

    ``line_end`` follows each terminator. Raises ValueError for a value that holds a delimiter, which
    X12 cannot express.
    """
    mark = f"{delimiters.segment}{line_end}"

    def row(*elements: str) -> bytes:
        for element in elements:
            if delimiters.element in element or delimiters.segment in element:
                raise ValueError(f"{elements[0]}: the value {element!r} holds a delimiter")
        return (delimiters.element.join(elements).rstrip(delimiters.element) + mark).encode()

    yield _isa(envelope, delimiters) + mark.encode()
    count = 0
    moment = envelope.written_at
    for group in groups:
        count += 1
        control = str(group.control_number)
        yield row(
            "GS", group.code, group.sender, group.receiver, f"{moment:%Y%m%d}", f"{moment:%H%M}", control, "X",
            group.release,
        )  # fmt: skip
        for id_, number, segments in group.sets:
            yield row("ST", id_, number)
            for segment in segments:
                yield row(*segment)
            yield row("SE", str(len(segments) + 2), number)
        yield row("GE", str(len(group.sets)), control)
    yield row("IEA", str(count), f"{envelope.control_number:09d}")


def _isa(envelope: Envelope, delimiters: Delimiters) -> bytes:
    sender, receiver = (identity.partition(":") for identity in (envelope.sender, envelope.receiver))
    eleventh = delimiters.repetition or "U" if envelope.version >= "00402" else "U"
    values = (
        "00", "", "00", "", sender[0], sender[2], receiver[0], receiver[2], f"{envelope.written_at:%y%m%d}",
        f"{envelope.written_at:%H%M}", eleventh, envelope.version, f"{envelope.control_number:09d}",
        "1" if envelope.acknowledge else "0", "T" if envelope.test else "P", delimiters.component,
    )  # fmt: skip
    padded = (value.ljust(width)[:width] for value, width in zip(values, _ISA_WIDTHS, strict=True))
    return delimiters.element.join(("ISA", *padded)).encode()
