"""Segments as bytes: an EDIFACT interchange written with any service characters (ISO 9735)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.formats.edi.delimiters import Delimiters
from connectors.formats.edi.edifact.charsets import CHARSETS
from connectors.formats.edi.edifact.service import STANDARD

Element = str | Sequence[str]  #: a simple element, or the components of a composite


@dataclass(frozen=True, slots=True, kw_only=True)
class EdifactEnvelope:
    """What an interchange says of itself. Identities are ``id:qualifier``; ``reference`` is UNB 0020."""

    sender: str
    receiver: str
    reference: str
    written_at: datetime
    syntax: str = "UNOC"
    version: str = "3"
    test: bool = False
    acknowledge: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message; its segments are those from UNH's successor to UNT's predecessor, tag first."""

    type: str
    version: str  #: ``D:96A:UN``, with the association's code behind it where there is one
    reference: str
    segments: Sequence[Sequence[Element]]


def write_edifact(
    envelope: EdifactEnvelope,
    messages: Iterable[Message],
    marks: Delimiters = STANDARD,
    *,
    advice: bool = True,
    line_end: str = "",
) -> Iterator[bytes]:
    """The interchange, segment by segment, counts and references filled in; UNA first where ``advice`` is wanted.

    ``line_end`` follows each terminator. Raises ValueError for a value that holds a service character where
    there is no release character, and UnicodeEncodeError for one that the charset does not have.
    """
    charset = CHARSETS[envelope.syntax]
    released = str.maketrans({mark: marks.release + mark for mark in _service(marks)})

    def told(value: str) -> str:
        if not marks.release and any(mark in value for mark in _service(marks)):
            raise ValueError(f"the value {value!r} holds a service character, and there is no release character")
        return value.translate(released) if marks.release else value

    def row(*elements: Element) -> bytes:
        parts = (element if isinstance(element, str) else tuple(element) for element in elements)
        texts = [
            told(part) if isinstance(part, str) else _trimmed([told(piece) for piece in part], marks.component)
            for part in parts
        ]
        return (_trimmed(texts, marks.element) + marks.segment + line_end).encode(charset)

    if advice:
        blank = marks.repetition or " "
        yield (
            f"UNA{marks.component}{marks.element}{marks.decimal[:1]}{marks.release or ' '}{blank}{marks.segment}"
            f"{line_end}"
        ).encode("latin-1")
    moment = envelope.written_at
    date = f"{moment:%Y%m%d}" if envelope.version >= "4" else f"{moment:%y%m%d}"
    yield row(
        "UNB", (envelope.syntax, envelope.version), envelope.sender.split(":"), envelope.receiver.split(":"),
        (date, f"{moment:%H%M}"), envelope.reference, "", "", "", "1" if envelope.acknowledge else "", "",
        "1" if envelope.test else "",
    )  # fmt: skip
    count = 0
    for message in messages:
        count += 1
        yield row("UNH", message.reference, (message.type, *message.version.split(":")))
        for segment in message.segments:
            yield row(*segment)
        yield row("UNT", str(len(message.segments) + 2), message.reference)
    yield row("UNZ", str(count), envelope.reference)


def _service(marks: Delimiters) -> tuple[str, ...]:
    """The characters that a value cannot hold as they are."""
    return tuple(filter(None, (marks.element, marks.component, marks.segment, marks.repetition, marks.release)))


def _trimmed(parts: Sequence[str], mark: str) -> str:
    """The parts joined, without the empty ones at the end."""
    filled = len(parts)
    while filled > 1 and not parts[filled - 1]:
        filled -= 1
    return mark.join(parts[:filled])
