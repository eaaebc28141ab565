"""The raw bytes of a document with its findings marked in place, a segment or line each; sheets as their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from crossdock.views.spotlight import visible

if TYPE_CHECKING:
    from connectors.archive import Archive

LONGEST = 120_000  #: bytes of a document that are shown
MOST_LINES = 1500
_LINE = 600  #: characters of one line


@dataclass(slots=True)
class RawLine:
    """One segment or line at byte ``offset`` of the payload, and the findings that stand in it."""

    offset: int
    text: str
    findings: list[Mapping[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """A document's bytes as lines. ``cut`` says how many bytes more there are."""

    lines: Sequence[RawLine]
    cut: int = 0


def raw_of(archive: Archive, sha256: str, start: int, end: int, findings: Sequence[Mapping[str, Any]]) -> Raw | None:
    """The document that stands in the payload from byte ``start`` to ``end``, exclusive.

    None where its bytes say nothing to anybody: workbooks.
    """
    head = archive.read_range(sha256, 0, 512)
    if b"\0" in head or head.startswith((b"PK", b"\xd0\xcf\x11\xe0")):
        return None
    shown = archive.read_range(sha256, start, min(end - start, LONGEST))
    lines = list(_lines(shown, start, _terminator(head, shown)))[:MOST_LINES]
    _mark(lines, findings)
    ended = lines[-1].offset + len(lines[-1].text) if lines else start
    return Raw(lines=lines, cut=max(0, end - ended) if len(shown) == LONGEST or len(lines) == MOST_LINES else 0)


def _terminator(head: bytes, shown: bytes) -> bytes:
    from crossdock.views.spotlight import terminator_of

    told = terminator_of(head)
    return told if told != b"\n" or b"\n" in shown else b"\n"


def _lines(shown: bytes, start: int, terminator: bytes) -> list[RawLine]:
    lines, at = [], 0
    while at < len(shown):
        found = shown.find(terminator, at)
        end = len(shown) if found < 0 else found + len(terminator)
        piece = shown[at:end]
        if piece.strip(b"\r\n \t"):
            leading = len(piece) - len(piece.lstrip(b"\r\n"))
            lines.append(RawLine(start + at + leading, visible(piece, terminator)[:_LINE]))
        at = end
    return lines


def _mark(lines: Sequence[RawLine], findings: Sequence[Mapping[str, Any]]) -> None:
    """Put each finding to the line in which its place begins."""
    from bisect import bisect_right

    begins = [line.offset for line in lines]
    for finding in findings:
        if finding["offset"] is not None and begins and finding["offset"] >= begins[0]:
            lines[bisect_right(begins, finding["offset"]) - 1].findings.append(finding)
