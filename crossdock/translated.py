"""What translation needs, and what it yields: the words that it and the ledger speak with each other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from connectors.base import Format
from mappings.library import Library
from mappings.master_data import MasterData
from mappings.outright import Outright
from mappings.spec import Acknowledge
from schemas.documents import DocumentStart, EnvelopeEnd
from schemas.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """All that translation needs to know; immutable, so that one serves many payloads and threads.

    ``lenient`` reads a file of an unknown sender with the standard mapping: what cannot be looked
    up is a warning, and the value as sent stands in for ours.
    """

    library: Library
    master: MasterData
    formats: Mapping[str, Format]
    lenient: bool = False
    master_version: str = ""  #: which versions of the master tables ``master`` holds


#: documents that answer what we sent
ANSWERS = frozenset({"x12.997", "x12.999", "x12.824", "edifact.CONTRL", "edifact.APERAK"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One business document of a payload, with who sent it and how it is read.

    ``id`` is deterministic (payload SHA-256 and ordinal). ``partner`` is empty and
    ``mapping`` None where nothing fitted; its findings say why.
    """

    id: str
    payload: str  #: SHA-256
    start: DocumentStart
    partner: str
    mapping: str | None
    mapping_version: str
    master_version: str = ""

    @property
    def is_answer(self) -> bool:
        """Whether it is a known partner's answer to something we sent: it is matched, and needs no mapping."""
        return bool(self.partner) and self.mapping is None and self.start.type in ANSWERS


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentOpened:
    document: Document


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentLines:
    """Some lines of the open document and what became of them.

    ``lines``: canonical lines (columns of schemas.lines, then ``_line`` and the place columns).
    ``events``: columns ``schemas.events.EVENT_COLUMNS``. ``parked``: the lines that wait, with the
    columns of ``lines`` and ``_cause``, the code of the finding that parked them.
    """

    lines: pl.DataFrame
    events: pl.DataFrame
    parked: pl.DataFrame
    findings: tuple[Finding, ...] = ()
    keys: pl.DataFrame | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftedLines:
    """The same before its events are written, which may be done in another thread; ``events`` is how many they are."""

    lines: pl.DataFrame
    events: int
    parked: pl.DataFrame
    findings: tuple[Finding, ...]
    write: Callable[[], pl.DataFrame]
    keys: pl.DataFrame | None = None

    def written(self) -> DocumentLines:
        """With its events."""
        return DocumentLines(
            lines=self.lines, events=self.write(), parked=self.parked, findings=self.findings, keys=self.keys
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentClosed:
    """The verdict. When ``status`` is ``rejected`` none of the document's events may be published."""

    document: Document
    status: str  #: ``accepted``, ``accepted_with_errors`` or ``rejected``
    lines: int
    events: int
    parked: int
    findings: tuple[Finding, ...] = ()
    outright: Outright | None = None  #: what it says of lines of an order that it does not name


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeClosed:
    """A functional group or an interchange is over, and whose it is: what an answer is made from.

    ``agreement`` is what the sender's partner file says of answers; None where nothing is owed.
    """

    envelope: EnvelopeEnd
    partner: str
    agreement: Acknowledge | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerReceived:
    """What a partner says of something we sent: ``outcome`` is accepted, accepted_with_errors, partly_accepted
    or rejected. ``number`` is the control number it names; ``transmission`` None where we sent nothing of the kind."""

    partner: str
    kind: str  #: 997, 999, 824, TA1, CONTRL, APERAK
    ordinal: int  #: of its document, or among the interchange's TA1
    number: int
    outcome: str
    detail: str
    transmission: int | None


Translated = DocumentOpened | DocumentLines | DocumentClosed | EnvelopeClosed | AnswerReceived | Finding
Drafted = DocumentOpened | DraftedLines | DocumentClosed | EnvelopeClosed | Finding


def document_id(payload: str, ordinal: int) -> str:
    """``doc-`` and 20 hex digits: the same for the same document of the same bytes."""
    return "doc-" + hashlib.blake2b(f"{payload}:{ordinal}".encode(), digest_size=10).hexdigest()
