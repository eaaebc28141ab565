"""Segments as bytes: an X12 interchange written with any delimiters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.formats.edi.delimiters import REPETITION_SINCE, Delimiters
from connectors.formats.edi.grammar import BASE_VERSION

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
    envelope: Envelope,
    groups: Iterable[Group],
    delimiters: Delimiters = STANDARD,
    *,
    acknowledgments: Iterable[Sequence[str]] = (),
    line_end: str = "",
) -> Iterator[bytes]:
    """The interchange, segment by segment, counts and control numbers filled in; text in UTF-8, delimiters byte for
    byte as they were read.

    ``acknowledgments`` are TA1 segments, which stand before the groups. ``line_end`` follows each terminator. Raises
    ValueError for a value that holds a delimiter, which X12 cannot express.
    """
    separator, terminator = delimiters.element.encode("latin-1"), delimiters.segment.encode("latin-1")
    mark = terminator + line_end.encode()

    def row(*elements: str) -> bytes:
        written = [element.encode() for element in elements]
        for value, element in zip(written, elements, strict=True):
            if separator in value or terminator in value:
                raise ValueError(f"{elements[0]}: the value {element!r} holds a delimiter")
        return separator.join(written).rstrip(separator) + mark

    yield _isa(envelope, delimiters) + mark
    for acknowledgment in acknowledgments:
        yield row(*acknowledgment)
    count = 0
    moment = envelope.written_at
    for group in groups:
        count += 1
        control = str(group.control_number)
        at = dated(moment, group.release), f"{moment:%H%M}"
        yield row("GS", group.code, group.sender, group.receiver, *at, control, "X", group.release)
        for id_, number, segments in group.sets:
            yield row("ST", id_, number)
            for segment in segments:
                yield row(*segment)
            yield row("SE", str(len(segments) + 2), number)
        yield row("GE", str(len(group.sets)), control)
    yield row("IEA", str(count), f"{envelope.control_number:09d}")


def dated(moment: datetime, release: str) -> str:
    """Data element 373: of eight digits from 004010 on, of six before."""
    return f"{moment:%Y%m%d}" if release >= BASE_VERSION else f"{moment:%y%m%d}"


def _isa(envelope: Envelope, delimiters: Delimiters) -> bytes:
    sender, receiver = (identity.partition(":") for identity in (envelope.sender, envelope.receiver))
    eleventh = delimiters.repetition or "U" if envelope.version >= REPETITION_SINCE else "U"
    values = (
        "00", "", "00", "", sender[0], sender[2], receiver[0], receiver[2], f"{envelope.written_at:%y%m%d}",
        f"{envelope.written_at:%H%M}", eleventh, envelope.version, f"{envelope.control_number:09d}",
        "1" if envelope.acknowledge else "0", "T" if envelope.test else "P", delimiters.component,
    )  # fmt: skip
    padded = (value.ljust(width)[:width] for value, width in zip(values, _ISA_WIDTHS, strict=True))
    return delimiters.element.join(("ISA", *padded)).encode("latin-1", "replace")
