"""The interchange an EDIFACT answer travels in: addressed, punctuated and spelled by the one it answers (ISO 9735)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from connectors.formats.edi.acknowledgments.envelope import Numbers
from connectors.formats.edi.delimiters import Delimiters
from connectors.formats.edi.edifact.charsets import CHARSETS, foreign_characters
from connectors.formats.edi.edifact.service import STANDARD
from connectors.formats.edi.edifact.writer import EdifactEnvelope, Element, Message, write_edifact
from schemas.documents import Interchange

_UPPER_CASE = "UNOA"  #: the repertoire without small letters
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SYNTAXES = ("1", "2", "3", "4")


class Spelling:
    """How what ``interchange`` says is said back to its sender: with its marks, in its letters."""

    def __init__(self, interchange: Interchange) -> None:
        self._interchange = interchange
        syntax, _, version = interchange.version.partition(":")
        self.syntax = syntax if syntax in CHARSETS else "UNOA"
        self.syntax_version = version if version in _SYNTAXES else "3"
        self.marks = _answering_marks(interchange, self.syntax, self.syntax_version)
        self._foreign = foreign_characters(self.syntax, self.marks)

    def echo(self, value: str, most: int) -> str:
        """What was sent, as it can be sent back: only what the charset lacks, or nothing can release, is a blank."""
        charset = CHARSETS[self.syntax]
        fitting = _CONTROL.sub(" ", value).encode(charset, "replace").decode(charset)
        return self._separable("".join(b if a == b else " " for a, b in zip(value, fitting, strict=True)))[
            :most
        ].strip()

    def text(self, value: str, most: int) -> str:
        """Words of our own, in the letters the syntax identifier has."""
        told = value.upper() if self.syntax == _UPPER_CASE else value
        spelled = self.echo(told, len(told))
        return (spelled if self._foreign is None else self._foreign.sub(" ", spelled))[:most].strip()

    def _separable(self, value: str) -> str:
        marks = self.marks
        if marks.release:
            return value
        service = filter(None, (marks.element, marks.component, marks.segment, marks.repetition))
        return value.translate(dict.fromkeys(map(ord, service), " "))

    def _identity(self, identity: str, routing: str = "") -> str:
        """``id:qualifier:routing``, each as long as UNB holds."""
        id_, _, qualifier = identity.partition(":")
        pieces = (
            self.echo(id_, 35),
            self.echo(qualifier, 4),
            self.echo(routing, 14 if self.syntax_version < "4" else 35),
        )
        return ":".join(pieces).rstrip(":")

    def parties(self) -> tuple[Sequence[str], Sequence[str]]:
        """S002 and S003 of the interchange that is answered."""
        head = self._interchange
        return self._identity(head.sender).split(":"), self._identity(head.receiver).split(":")


def addressable(interchange: Interchange) -> bool:
    """Whether an answer can name both who sent it and whom it is for: neither says nothing, or nothing but what cannot
    be sent back."""
    return all(party[0] for party in Spelling(interchange).parties())


class EdifactWriter(Spelling):
    """Writes one answer to ``interchange``, from us to its sender."""

    def __init__(self, interchange: Interchange, numbers: Numbers, written_at: datetime) -> None:
        super().__init__(interchange)
        self._numbers = numbers
        self.at = written_at

    def interchange(self, messages: Sequence[tuple[str, str, Sequence[Sequence[Element]]]]) -> bytes:
        """UNB to UNZ. ``messages`` are types, versions (``D:96A:UN``) and segments, numbered up to ours."""
        head, last = self._interchange, self._numbers.set
        envelope = EdifactEnvelope(
            sender=self._identity(head.receiver),
            receiver=self._identity(head.sender, head.reverse_routing),
            reference=f"{self._numbers.interchange:09d}",
            written_at=self.at,
            syntax=self.syntax,
            version=self.syntax_version,
            test=head.test,
        )
        numbered = (
            Message(type=type_, version=version, reference=f"{number:04d}", segments=segments)
            for number, (type_, version, segments) in enumerate(messages, last - len(messages) + 1)
        )
        advice = bool(head.delimiters.get("advice")) or _unusual(self.marks)
        return b"".join(write_edifact(envelope, numbered, self.marks, advice=advice))


def _answering_marks(interchange: Interchange, syntax: str, syntax_version: str) -> Delimiters:
    """Those of the interchange, if its charset has them; else the standard's."""
    given = interchange.delimiters
    marks = Delimiters(
        given.get("element") or STANDARD.element,
        given.get("component") or STANDARD.component,
        given.get("segment") or STANDARD.segment,
        given.get("repetition", "") if syntax_version >= "4" else "",
        given.get("release", STANDARD.release),
        given.get("advice", "")[5:6] or ".",
    )
    try:
        "".join((marks.element, marks.component, marks.segment, marks.repetition, marks.release)).encode(
            CHARSETS[syntax]
        )
    except UnicodeEncodeError:
        return STANDARD
    return marks


def _unusual(marks: Delimiters) -> bool:
    """Whether a reader needs a UNA to know these service characters."""
    usual = (STANDARD.element, STANDARD.component, STANDARD.segment, STANDARD.release)
    return (marks.element, marks.component, marks.segment, marks.release) != usual or marks.repetition not in ("", "*")
