"""The envelope an answer travels in: addressed and punctuated by the interchange it answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.formats.edi.delimiters import REPETITION_SINCE, Delimiters
from connectors.formats.edi.grammar import BASE_VERSION
from connectors.formats.edi.writer import Envelope, Group, write_interchange
from schemas.documents import GroupEnd, Interchange

Row = Sequence[str]  #: a segment: its id, then its elements; empty ones at the end are not written

_VERSION = re.compile(r"\d{6}[A-Z0-9]{0,6}")
_INTERCHANGE_VERSION = re.compile(r"\d{5}")
_QUALIFIER = re.compile("[A-Z0-9]{2}")  #: element I05
#: the extended character set of X12.6
_EXTENDED = re.compile(r"""[A-Za-z0-9!"&'()*+,\-./:;?= %~@\[\]_{}\\|<>#$]*""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Our own control numbers: ISA13, GS06 and ST02. A TA1 uses only the first."""

    interchange: int
    group: int = 0
    set: int = 0


class Writer:
    """Writes one answer to ``interchange``, from us to its sender. ``written_at`` is local to whoever reads it."""

    def __init__(self, interchange: Interchange, numbers: Numbers, written_at: datetime) -> None:
        self._interchange = interchange
        self._numbers = numbers
        self._at = written_at
        self.delimiters = answering_delimiters(interchange)

    def interchange(self, *groups: Group, acknowledgments: Sequence[Row] = ()) -> bytes:
        """ISA, each TA1 of ``acknowledgments``, the groups, IEA."""
        answered = self._interchange
        envelope = Envelope(
            sender=answered.receiver,
            receiver=answered.sender,
            control_number=self._numbers.interchange,
            written_at=self._at,
            version=interchange_version(answered),
            test=answered.test,
        )
        return b"".join(write_interchange(envelope, groups, self.delimiters, acknowledgments=acknowledgments))

    def group(self, code: str, answered: GroupEnd, sets: Sequence[tuple[str, Sequence[Row]]]) -> Group:
        """``sets`` are set ids and their segments without ST and SE, numbered upwards from ours."""
        ours, theirs = answered.interchange.receiver, answered.interchange.sender
        return Group(
            code=code,
            sender=self.code(answered.receiver, ours),
            receiver=self.code(answered.sender, theirs),
            control_number=self._numbers.group,
            release=release_of(answered),
            sets=[(id_, f"{number:04d}", rows) for number, (id_, rows) in enumerate(sets, self._numbers.set)],
        )

    def clean(self, value: str | None, most: int) -> str:
        """Text as an element can hold it: empty where it holds a delimiter or what X12 has no character for."""
        return _clean(value, most, self.delimiters)

    def code(self, code: str, identity: str = "") -> str:
        """An application code of 2 to 15 characters; the interchange's identity stands in for another."""
        text = self.clean(code, 15)
        return text if len(text) >= 2 else self.clean(identity.partition(":")[2], 15)


def _clean(value: str | None, most: int, marks: Delimiters) -> str:
    text = (value or "").strip()[:most].strip()
    service = (marks.element, marks.component, marks.segment, marks.repetition)
    if not _EXTENDED.fullmatch(text) or any(mark and mark in text for mark in service):
        return ""
    return text


def addressable(interchange: Interchange) -> bool:
    """Whether an answer can name both who sent it and whom it is for: by a qualifier, be it one no list has, and by an
    identity of characters X12 has, none of which is a delimiter of the answer."""
    marks = answering_delimiters(interchange)
    parties = (party.partition(":") for party in (interchange.sender, interchange.receiver))
    return all(_QUALIFIER.fullmatch(code) and id_ and _clean(id_, 15, marks) == id_ for code, _, id_ in parties)


def answering_delimiters(interchange: Interchange) -> Delimiters:
    """Those of the interchange; where it had none that can be used, one that can."""
    given = interchange.delimiters
    taken: set[str] = set()

    def separator(name: str, spares: str, *, visible: bool) -> str:
        mark = given.get(name, "")
        if mark in ("", " ", *taken) or mark.isalnum() or (visible and not (mark.isascii() and mark.isprintable())):
            mark = next(spare for spare in spares if spare not in taken)
        taken.add(mark)
        return mark

    element, segment = separator("element", "*|", visible=False), separator("segment", "~!", visible=False)
    component = separator("component", ":>|<", visible=True)
    repeats = interchange_version(interchange) >= REPETITION_SINCE
    repetition = separator("repetition", "^!|+<", visible=True) if repeats else ""
    return Delimiters(element, component, segment, repetition)


def interchange_version(interchange: Interchange) -> str:
    """ISA12 as it was; 00401 where it was no version."""
    return interchange.version if _INTERCHANGE_VERSION.fullmatch(interchange.version) else BASE_VERSION[:5]


def release_of(group: GroupEnd) -> str:
    """GS08 as it was; where it was no version, the interchange's."""
    if _VERSION.fullmatch(group.version):
        return group.version
    return interchange_version(group.interchange) + "0"
