"""Documents between reader and ledger: small ones wait and are translated together, large ones stream.

Work on whole columns costs the same for one line as for a thousand, so that a payload of many
small documents is slow one by one. What comes out does not depend on who waited with whom.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import accumulate, chain, groupby, pairwise
from operator import itemgetter
from threading import Lock

import msgspec
import polars as pl

from connectors.formats.rows import ATTRIBUTE_GONE, ATTRIBUTE_KEYS
from crossdock.desk import Desk
from crossdock.translated import (
    Document,
    DocumentClosed,
    DocumentOpened,
    Drafted,
    DraftedLines,
    EnvelopeClosed,
    document_id,
)
from mappings.apply import apply
from mappings.circumstances import Circumstances
from mappings.keyed import SUBJECT, UNSURE, unsure_lines, with_subjects
from mappings.normalise import DOCUMENT, Draft, Held, Origin, empty_events, normalise
from mappings.occurrences import Occurrences
from mappings.outright import Outright, said_outright
from mappings.spec import OnError
from mappings.values import zone_of
from schemas.documents import ORDINAL, DocumentEnd, DocumentStart, FewLines, LineChunk, table_of
from schemas.findings import Finding, Severity, Stage

MARK = "decimal:"  #: prefix of a document's attributes: the decimal mark of the numbers at a path
CAUSE = "_cause"  #: column of parked lines: the code of the finding that parked them
TOGETHER = 12_288  #: lines that are translated together at most
ENOUGH = 4096  #: lines that wait for no further document
WAITING = 512  #: documents that wait at most


class OpenDocument:
    """A document being read. One chunk is held back, because a reader's finding may follow its line."""

    def __init__(self, desk: Desk, start: DocumentStart) -> None:
        self.desk = desk
        self.start = start
        decision = desk.decide(start)
        self.mapping = decision.mapping
        self.document = Document(
            id=document_id(desk.payload, start.ordinal),
            payload=desk.payload,
            start=start,
            partner=decision.name,
            mapping=None if decision.mapping is None else decision.mapping.name,
            mapping_version="" if decision.mapping is None else decision.mapping.version,
            master_version=desk.context.master_version,
        )
        self.policy = desk.context.library.policy_for(decision.partner, start.type)
        self.findings: list[Finding] = list(decision.findings)
        self.zone = desk.metadata.get("timezone") or (decision.partner.timezone if decision.partner else "UTC")
        self.marks = {name.removeprefix(MARK): mark for name, mark in start.attributes.items() if name.startswith(MARK)}
        self.held: LineChunk | None = None
        self.end: DocumentEnd | None = None
        self.streams = False  #: too large to wait: what is complete of it has been handed on
        self.occurrences = Occurrences()
        self.lines = self.events = self.parked = 0

    @property
    def company(self) -> tuple[object, ...]:
        """Documents that agree in this can be translated together."""
        name = "" if self.mapping is None else self.mapping.name
        return name, self.document.partner, self.zone, tuple(sorted(self.marks.items()))

    @property
    def circumstances(self) -> Circumstances:
        context = self.desk.context
        return Circumstances(
            partner=self.document.partner,
            master=context.master,
            zone=zone_of(self.zone),
            marks=self.marks,
            lenient=context.lenient,
        )

    def break_off(self) -> None:
        """End a document whose end never came."""
        self.findings.append(
            Finding(
                code="document.unfinished",
                severity=Severity.ERROR,
                stage=Stage.STRUCTURE,
                message="the payload ends, or another document begins, within this document",
                location=self.start.location,
                offset=self.start.offset,
            )
        )
        self.end = DocumentEnd(ordinal=self.start.ordinal, lines=self.lines, accepted=False)

    def counted(self, lines: DraftedLines) -> DraftedLines:
        self.lines += lines.lines.height
        self.events += lines.events
        self.parked += lines.parked.height
        return lines

    def closed(self, end: DocumentEnd) -> DocumentClosed:
        """The verdict."""
        outright = self._outright(end)
        grave = self.parked > 0 or any(finding.severity is Severity.ERROR for finding in self.findings)
        strict = self.mapping is not None and self.policy is not OnError.PARK_LINES
        unread = self.mapping is None and not self.document.is_answer
        if not end.accepted or unread or (strict and grave):
            status = "rejected"
        else:
            status = "accepted_with_errors" if grave else "accepted"
            if (
                outright is None
                and self.mapping is not None
                and self.mapping.plan.line
                and not (self.lines or end.lines)
            ):
                self.findings.append(self._without_lines(self.mapping.plan.line))
        return DocumentClosed(
            document=self.document,
            status=status,
            lines=self.lines or end.lines,
            events=0 if status == "rejected" else self.events,
            parked=self.parked,
            findings=tuple(self.findings),
            outright=outright,
        )

    def _outright(self, end: DocumentEnd) -> Outright | None:
        """What the head says of lines of an order that the document does not name."""
        if self.mapping is None or not end.accepted:
            return None
        outright, found = said_outright(end.head, self.start, self.mapping, self.circumstances)
        self.findings += found
        if outright is None or ((self.lines or end.lines) and not outright.beside_lines):
            return None
        self.findings.append(self._told_outright(outright))
        return outright

    def _told_outright(self, outright: Outright) -> Finding:
        which = "the lines that the document does not name" if self.lines else "all lines"
        return Finding(
            code="order.outright",
            severity=Severity.INFO,
            stage=Stage.BUSINESS,
            message=f"order {outright.order}: {which}, as far as they are known, are {outright.becomes}",
            location=self.start.location,
            value=outright.order,
            offset=self.start.offset,
        )

    def _without_lines(self, line: str) -> Finding:
        """What the document says concerns it as a whole, and nobody is told of it by an event."""
        return Finding(
            code="document.without_lines",
            severity=Severity.WARNING,
            stage=Stage.BUSINESS,
            message="the document holds no line, so that nothing is published; read what it says of the whole",
            location=self.start.location,
            expected=f"lines at {line}",
            offset=self.start.offset,
        )

    def findings_on(self, chunk: LineChunk) -> list[Finding]:
        """The reader's findings on lines of this chunk, taken out of the document's."""
        ordinals = set(chunk.ordinals) if self.findings else set()
        on_lines = [finding for finding in self.findings if finding.line in ordinals]
        if on_lines:
            self.findings = [finding for finding in self.findings if finding.line not in ordinals]
        return on_lines


class Reading:
    """A payload on its way: the document being read, and those complete ones that wait for company."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.current: OpenDocument | None = None
        self._waiting: list[OpenDocument | EnvelopeClosed | Finding] = []
        self._lines = 0

    def start(self, start: DocumentStart) -> Iterator[Drafted]:
        yield from self.break_off()
        self.current = OpenDocument(self.desk, start)

    def take(self, chunk: LineChunk) -> Iterator[Drafted]:
        """A chunk of the current document; one more than may wait makes it stream."""
        current = self.current
        if current is None or current.mapping is None:
            return
        if current.held is not None and current.held.height + chunk.height <= TOGETHER:
            both = pl.concat([current.held.table, chunk.table], how="diagonal")
            current.held = LineChunk(ordinal=chunk.ordinal, table=both)
            return
        if current.held is not None:
            if not current.streams:
                yield from self.release()
                current.streams = True
                yield DocumentOpened(document=current.document)
            yield from _translated([current])
        current.held = chunk

    def note(self, finding: Finding) -> None:
        """A finding of the current document, or of the payload where none is open."""
        if self.current is not None:
            self.current.findings.append(finding)
        else:
            self._waiting.append(finding)

    def envelope(self, closed: EnvelopeClosed) -> None:
        self._waiting.append(closed)

    def end(self, end: DocumentEnd) -> Iterator[Drafted]:
        if self.current is not None:
            self.current.end = end
            yield from self._set_aside(self.current)

    def break_off(self) -> Iterator[Drafted]:
        """The current document, if there is one, has no end."""
        if self.current is not None:
            self.current.break_off()
            yield from self._set_aside(self.current)

    def interrupted(self) -> Iterator[Drafted]:
        """The reader failed: what was complete by then is handed on, and the current document at least named."""
        yield from self.release()
        if self.current is not None and not self.current.streams:
            yield DocumentOpened(document=self.current.document)

    def _set_aside(self, document: OpenDocument) -> Iterator[Drafted]:
        self.current = None
        self._waiting.append(document)
        self._lines += document.held.height if document.held is not None else 0
        if document.streams or self._lines >= ENOUGH or len(self._waiting) >= WAITING:
            yield from self.release()

    def release(self) -> Iterator[Drafted]:
        """All that waits, in its order."""
        waiting, self._waiting, self._lines = self._waiting, [], 0
        groups: dict[tuple[object, ...], list[OpenDocument]] = {}
        for item in waiting:
            if isinstance(item, OpenDocument) and item.held is not None:
                groups.setdefault(item.company, []).append(item)
        lines = {
            id(document): told
            for group in groups.values()
            for document, told in zip(group, _translated(group), strict=True)
        }
        for item in waiting:
            if not isinstance(item, OpenDocument):
                yield item
                continue
            if not item.streams:
                yield DocumentOpened(document=item.document)
            if id(item) in lines:
                yield lines[id(item)]
            assert item.end is not None
            yield item.closed(item.end)


def _translated(documents: Sequence[OpenDocument]) -> list[DraftedLines]:
    """The chunks held by documents of one company, translated as one table; one result each."""
    first = documents[0]
    mapping, given = first.mapping, first.circumstances
    chunks = [document.held for document in documents if document.held is not None]
    assert mapping is not None
    assert len(chunks) == len(documents)
    for document in documents:
        document.held = None
    together = _Together(documents, chunks)
    applied = apply(together.table, mapping, given)
    lines = applied.lines.hstack([together.documents_of(applied.lines)])
    found = together.without_repetition(applied.findings)
    causes = _causes((*together.readers, *found))
    if ATTRIBUTE_KEYS in first.start.attributes:
        named = with_subjects(lines, mapping, causes, partly=ATTRIBUTE_GONE in first.start.attributes)
        named.drop_in_place(DOCUMENT)
        parted = together.parted(named, None, named.clear(), together.readers)
        return [replace(told, keys=told.lines.select_seq(SUBJECT, UNSURE)) for told in parted]
    origin = Origin(
        payload=first.desk.payload,
        received=first.desk.metadata.get("received_at"),
        lenient=given.lenient,
        occurrences=first.occurrences if first.streams else None,
    )
    unsure = unsure_lines(together.table, mapping, applied.faulty, together.readers) if causes else ()
    held = Held(lines=causes, unsure=unsure) if causes else None
    draft, broken = normalise(lines, mapping, given.master, origin, held)
    causes = _causes(broken) | causes
    parked = _parked(applied.lines, causes)
    return together.parted(applied.lines, draft, parked, (*together.readers, *found, *broken))


def _parked(lines: pl.DataFrame, causes: Mapping[int, str]) -> pl.DataFrame:
    """The lines that are held back, each with its cause."""
    if not causes:
        return lines.clear().with_columns_seq(pl.lit(None, pl.String).alias(CAUSE))
    held = lines.filter(pl.col(ORDINAL).is_in(list(causes)))
    cause = pl.col(ORDINAL).replace_strict(causes, default=None, return_dtype=pl.String)
    return held.with_columns_seq(cause.alias(CAUSE))


class _Together:
    """Chunks of several documents as one table, whose lines are numbered through; and the way back."""

    def __init__(self, documents: Sequence[OpenDocument], chunks: Sequence[LineChunk]) -> None:
        heights = [chunk.height for chunk in chunks]
        self.openings = documents
        self.starts = [0, *accumulate(heights)]
        tables = list(_tables(chunks))
        whole = pl.concat(tables, how="diagonal") if len(tables) > 1 else tables[0]
        self.ordinals = whole.get_column(ORDINAL)
        in_order = pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias(ORDINAL)
        self.table = pl.DataFrame([column.rechunk() for column in whole]).with_columns_seq(in_order)
        counted = bool((self.ordinals == self.table.get_column(ORDINAL)).all())
        self.renumbered = None if counted else self.ordinals
        names = pl.Series(DOCUMENT, [document.document.id for document in documents], pl.String)
        each = [names.new_from_index(at, height) for at, height in enumerate(heights)]
        self.documents = pl.concat(each, rechunk=True)
        self.readers = list(self._numbered_through(chunks))

    def documents_of(self, lines: pl.DataFrame) -> pl.Series:
        """Which document each of these lines stands in; not every row of the table need have become one."""
        return self.documents if lines.height == len(self.documents) else self.documents.gather(lines[ORDINAL] - 1)

    def _numbered_through(self, chunks: Sequence[LineChunk]) -> Iterator[Finding]:
        """What the readers found on these lines."""
        for document, chunk, start in zip(self.openings, chunks, self.starts, strict=False):
            findings = document.findings_on(chunk)
            if findings:
                places = {ordinal: start + row for row, ordinal in enumerate(chunk.ordinals, 1)}
                for finding in findings:
                    yield msgspec.structs.replace(finding, line=places[finding.line or 0])

    def without_repetition(self, found: Iterable[Finding]) -> list[Finding]:
        """Findings on values, and on places where one is missing, of which a reader has not spoken already."""
        said = {(finding.line, finding.value) for finding in self.readers if finding.value is not None}
        said |= {(finding.line, finding.location) for finding in self.readers if finding.location}
        return [
            finding
            for finding in found
            if (finding.line, finding.value if finding.value is not None else finding.location) not in said
        ]

    def parted(
        self, lines: pl.DataFrame, draft: Draft | None, parked: pl.DataFrame, findings: Iterable[Finding]
    ) -> list[DraftedLines]:
        """What came of it, document by document, under the lines' own numbers."""
        findings_of: list[list[Finding]] = [[] for _ in self.openings]
        for finding in sorted(findings, key=lambda finding: finding.line or 0):
            place = (finding.line or 1) - 1
            own = msgspec.structs.replace(finding, line=self.ordinals[place])
            findings_of[bisect_right(self.starts, place) - 1].append(own)
        events = self._events(draft) if draft is not None else [(0, empty_events)] * len(self.openings)
        tables = self._split(lines, ORDINAL), events, self._split(parked, ORDINAL)
        return [
            document.counted(
                DraftedLines(lines=own_lines, events=count, write=write, parked=own_parked, findings=tuple(own))
            )
            for document, own_lines, (count, write), own_parked, own in zip(
                self.openings, *tables, findings_of, strict=True
            )
        ]

    def _events(self, draft: Draft) -> Iterator[tuple[int, Callable[[], pl.DataFrame]]]:
        """How many events each document has, and what writes them."""
        cuts = self._cuts(draft.lines.get_column(ORDINAL))
        writing = _Writing(draft, self.renumbered, cuts)
        for index, (begin, end) in enumerate(pairwise(cuts)):
            yield end - begin, partial(writing.of, index)

    def _split(self, table: pl.DataFrame, number: str) -> list[pl.DataFrame]:
        """``table``, which is in the order of the lines, cut where a document begins."""
        if table.is_empty():
            return [table] * len(self.openings)
        cuts = self._cuts(table.get_column(number))
        own = _under(self.renumbered, table, number)
        return [own.slice(begin, end - begin) for begin, end in pairwise(cuts)]

    def _cuts(self, numbers: pl.Series) -> list[int]:
        """Where in a table with these lines each document begins, and where the last one ends."""
        if len(self.openings) == 1:
            return [0, len(numbers)]
        starts = pl.Series(self.starts[:-1], dtype=pl.Int64)
        return [*(numbers - 1).search_sorted(starts).to_list(), len(numbers)]


@dataclass(slots=True)
class _Writing:
    """Events of documents that were drafted together: all of them are written when the first ones are asked for, once,
    although two threads may ask for those of different documents at the same time."""

    made: Draft | pl.DataFrame  #: what is to be written; the events once they are
    renumbered: pl.Series | None
    cuts: Sequence[int]
    lock: Lock = field(default_factory=Lock)

    def of(self, index: int) -> pl.DataFrame:
        """Those of one document, under its lines' own numbers."""
        with self.lock:
            if isinstance(self.made, Draft):
                self.made = _under(self.renumbered, self.made.written(), "line")
            events = self.made
        begin, end = self.cuts[index : index + 2]
        return events.slice(begin, end - begin)


def _under(ordinals: pl.Series | None, table: pl.DataFrame, number: str) -> pl.DataFrame:
    """``table``, in which ``number`` counts through the documents that were translated together, under the
    ``ordinals`` that the lines have in their own; None: under the same."""
    if ordinals is None:
        return table
    return table.with_columns_seq(ordinals.gather(table.get_column(number) - 1).alias(number))


def _tables(chunks: Iterable[LineChunk]) -> Iterator[pl.DataFrame]:
    """One after the other, few lines put together where they have the same columns."""
    for names, alike in groupby(chunks, lambda chunk: list(chunk.columns) if isinstance(chunk, FewLines) else None):
        if names is None:
            yield from (chunk.table for chunk in alike)
        else:
            columns = [chunk.columns for chunk in alike if isinstance(chunk, FewLines)]
            yield table_of({name: list(chain.from_iterable(map(itemgetter(name), columns))) for name in names})


def _causes(findings: Iterable[Finding]) -> dict[int, str]:
    """Of each line that an error holds back, the code of the first one."""
    causes: dict[int, str] = {}
    for finding in findings:
        if finding.severity is Severity.ERROR and finding.line is not None:
            causes.setdefault(finding.line, finding.code)
    return causes
