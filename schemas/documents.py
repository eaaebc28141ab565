"""What a reader hands on: documents, their lines as raw tables, and where each one ends.

Every format (X12, EDIFACT, a workbook, rows of a database) turns a payload into one flat stream
of these items, in the order of the bytes and in bounded memory::

    DocumentStart  LineChunk*  DocumentEnd     DocumentStart ...     with Finding anywhere

Formats with envelopes also say where each of those ends: a ``GroupEnd`` after the documents of a
functional group (EDI), an ``InterchangeEnd`` after everything in the interchange, a ``WorkbookEnd`` after
the last sheet. They carry what an answer to the sender needs.

The reader knows the format's grammar and positions, not the meaning: the columns of a
``LineChunk`` are named by the *paths* the mapping asked for, in the format's own notation
(``PO107``, ``N1[ST]04``, a column header), and hold the text that stood there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from schemas.findings import Finding

ORDINAL = "_line"  #: column of a LineChunk: the line's number within its document, from 1 (Int64)
LOCATION = "_at"  #: column: where the line begins, for people (``segment 41``, ``Stock!A17``)
OFFSET = "_offset"  #: column: byte offset of the line in the payload, or null (Int64)
LENGTH = "_length"  #: column: bytes the line covers from that offset, or null (Int64)
PLACE_SUFFIX = "@"  #: a column ``PO107@`` beside ``PO107`` holds that value's own place, where a reader knows it


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentStart:
    """The head of one business document, known before its first line.

    ``type`` is ``<format>.<name>`` as mappings name it: ``x12.856``, ``workbook.stock``,
    ``rows.purchase_orders``. ``sender`` and ``receiver`` are identities as the format writes
    them (``ZZ:ACMEINC``; an email address), empty where the format carries none.
    ``control_number`` is the document's own (ST02, UNH 0062), ``reference`` the envelope's
    (ISA13/GS06), both as sent. ``ordinal`` counts documents in the payload from 1.
    """

    ordinal: int
    type: str
    version: str = ""
    sender: str = ""
    receiver: str = ""
    control_number: str = ""
    interchange: str = ""  #: control number of the interchange (ISA13, UNB 0020)
    group: str = ""  #: control number of the functional group (GS06, UNG 0048)
    test: bool = False  #: the sender marked it as a test (ISA15 = T, UNB 0035 = 1)
    location: str = ""
    offset: int | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineChunk:
    """Some lines of the open document: one row each, one text column for each path asked for.

    Beside those stand the columns ``_line``, ``_at``, ``_offset`` and ``_length``. A path that found nothing is null,
    and may be left out where no line has anything; text is as sent but for the format's own escaping and padding.
    """

    ordinal: int  #: of the document, as in its DocumentStart
    table: pl.DataFrame

    @property
    def height(self) -> int:
        """How many lines."""
        return self.table.height

    @property
    def ordinals(self) -> Sequence[int]:
        """The lines' numbers."""
        return self.table.get_column(ORDINAL).to_list()


class FewLines(LineChunk):
    """A chunk of few lines as plain lists: a table costs as much for one line as for a thousand.

    ``columns`` are those of the table, all of one length.
    """

    __slots__ = ("columns",)
    columns: Mapping[str, Sequence[str | int | None]]

    def __init__(self, *, ordinal: int, columns: Mapping[str, Sequence[str | int | None]]) -> None:
        object.__setattr__(self, "ordinal", ordinal)
        object.__setattr__(self, "columns", columns)

    @property
    def table(self) -> pl.DataFrame:
        return table_of(self.columns)

    @property
    def height(self) -> int:
        return len(self.columns[ORDINAL])

    @property
    def ordinals(self) -> Sequence[int]:
        return self.columns[ORDINAL]  # type: ignore[return-value]


def table_of(columns: Mapping[str, Sequence[str | int | None]]) -> pl.DataFrame:
    """The table of a LineChunk."""
    numbers = (ORDINAL, OFFSET, LENGTH)
    return pl.DataFrame(
        [pl.Series(name, values, pl.Int64 if name in numbers else pl.String) for name, values in columns.items()]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentEnd:
    """The document is complete as far as it goes.

    ``accepted`` is the reader's verdict on syntax and structure alone: False when an error of
    its own concerns the whole document rather than single lines.
    """

    ordinal: int
    lines: int
    accepted: bool = True
    offset: int | None = None  #: byte offset just past the document
    segments: int | None = None  #: for EDI: segments counted, ST and SE included
    head: Mapping[str, str] = field(default_factory=dict)  #: what stood at the plan's paths before the first line


@dataclass(frozen=True, slots=True, kw_only=True)
class Interchange:
    """Who sent an interchange to whom, and how it is written: an answer is addressed and punctuated by it.

    All as sent, but for padding. ``delimiters`` are named ``element``, ``component``, ``segment`` and
    ``repetition``, of EDIFACT also ``release``, ``decimal`` and ``advice`` (its UNA); what there is none of is empty.
    """

    ordinal: int  #: among the interchanges of the payload, from 1
    format: str  #: ``x12``, ``edifact``
    sender: str
    receiver: str
    control_number: str
    version: str  #: of the envelope's syntax: ISA12; UNB S001 as in ``UNOC:3``
    date: str = ""
    time: str = ""
    test: bool = False
    answer_wanted: bool = False  #: the sender asks for an answer (ISA14 = 1, UNB 0031 = 1)
    reverse_routing: str = ""  #: within the sender's house, where an answer is to go (UNB 0008)
    receipt_wanted: bool = False  #: the sender asks to hear that it arrived, and no more (UNB 0031 = 2)
    delimiters: Mapping[str, str] = field(default_factory=dict)
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupEnd:
    """A functional group is over.

    Its documents are those of the payload from ``first`` to ``last``; ``last`` is less where it had none.
    ``findings`` concern the group as such; they have been handed on before.
    """

    interchange: Interchange
    ordinal: int  #: among the groups of the payload, from 1
    type: str  #: functional identifier (GS01)
    sender: str  #: GS02
    receiver: str  #: GS03
    control_number: str  #: GS06
    version: str  #: GS08
    first: int
    last: int
    declared: int | None = None  #: documents its trailer says it had (GE01); None where it has no such number
    findings: tuple[Finding, ...] = ()

    @property
    def received(self) -> int:
        """Documents it really had."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class InterchangeEnd:
    """An interchange is over. ``findings`` concern its envelope; they have been handed on before.

    Of EDIFACT its documents are those of the payload from ``first`` to ``last``, as of a group; X12 answers groups.
    """

    interchange: Interchange
    groups: int
    documents: int  #: of which use is made; fewer than it holds where somebody holds it back
    length: int  #: bytes from its first to its last
    acknowledgments: tuple[tuple[str, ...], ...] = ()  #: the elements of each TA1 in it
    only_answers: bool = False  #: nothing in it but acknowledgments, which are never acknowledged
    findings: tuple[Finding, ...] = ()
    first: int = 0
    last: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkbookEnd:
    """A workbook is over: what a correction workbook is made from, together with its bytes.

    Its ``interchange`` has the mail's sender and, for a control number, the name of the file. ``corrects`` is
    the SHA-256 of the payload whose correction workbook came back, empty where this is nobody's correction.
    ``findings`` concern the file as such; they have been handed on before.
    """

    interchange: Interchange
    documents: int
    corrects: str = ""
    findings: tuple[Finding, ...] = ()

    @property
    def first(self) -> int:
        """Its documents are those of the payload from ``first`` to ``last``."""
        return 1

    @property
    def last(self) -> int:
        return self.documents


EnvelopeEnd = GroupEnd | InterchangeEnd | WorkbookEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class LinePlan:
    """What to take out of one document type: built by a format's ``compile`` from a mapping.

    ``line`` is where a line begins in the format's notation (``PO1``, ``HL[I]``; a workbook and
    rows have one line a row and leave it empty). ``paths`` become the columns of the chunks.
    ``options`` are the format's own (sheet, header synonyms, decimal mark). ``compiled`` is the
    format's private, ready-to-run form of it all.
    """

    type: str
    paths: tuple[str, ...]
    line: str = ""
    options: Mapping[str, object] = field(default_factory=dict)
    compiled: object = None
