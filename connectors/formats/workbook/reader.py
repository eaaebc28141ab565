"""Workbooks (.xlsx, .xlsm, .xlsb, .xls, .ods), tables of HTML and delimited text: columns found by their headers.

A path is the text of a column header; case, blanks and punctuation do not matter. The header may
stand below titles, its columns in any order, in two lines; what stands once above the table
(``Order no.: 4500017``), or above each block of it, holds for all lines below. Paths that begin with
``@`` are the layout's own: ``@value``, ``@starts``, ``@ends`` and ``@bucket`` of a sheet with periods across.
A workbook does not name its document: of the candidate plans the one whose headers fit a sheet best is taken.

Options of a plan, as mappings.library makes them: ``sheet`` (glob over sheet names), ``fields``
(canonical field -> its header names), ``required`` (fields without which it is not this document),
``decimal`` (``.``, ``,`` or ``auto``), ``dates`` (``dmy``, ``mdy``, ``ymd`` or ``auto``), ``language`` (whose
habits hold where a column proves nothing), ``encoding`` (of text), ``columns`` (the headers as a
person confirmed them), ``only`` (field -> the values of rows that count).

Under ``auto`` the mark that a column of numbers proves stands in ``DocumentStart.attributes["decimal:<path>"]``;
number cells of a workbook are written with the column's mark, so that one rule reads the whole column.
Dates come as ISO 8601 wherever their order is agreed, proved or usual.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import islice
from typing import BinaryIO

from connectors.base import Plans, ReadItem
from connectors.collector import no_collection
from connectors.formats.workbook import headers
from connectors.formats.workbook.agreement import agreed_on
from connectors.formats.workbook.cells import plain, text_of
from connectors.formats.workbook.delimited import looks_delimited
from connectors.formats.workbook.drift import drift, fingerprint
from connectors.formats.workbook.headers import Fit, Headings
from connectors.formats.workbook.layout import Layout, layout_of
from connectors.formats.workbook.merged import Downwards
from connectors.formats.workbook.sheets import REFERENCE, Batch, Sheet, opened
from connectors.formats.workbook.table import Table, passed_over
from connectors.formats.workbook.unreadable import OLE2, ZIP, Unreadable
from schemas.documents import DocumentEnd, DocumentStart, Interchange, LineChunk, LinePlan, WorkbookEnd
from schemas.errors import ConfigError
from schemas.findings import Finding, Severity, Stage

CHUNK = 8192  #: rows a chunk holds at most

_SUFFIXES = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods", ".csv", ".tsv")
_PAGES = (".html", ".htm")
_CORRECTS = re.compile(re.escape(REFERENCE) + r"([0-9a-f]{64})")


class Workbook:
    """See the module."""

    name = "workbook"

    def recognises(self, head: bytes, name: str) -> bool:
        suffix = name[name.rfind(".") :].casefold() if "." in name else ""
        if head.startswith((ZIP, OLE2)):
            return suffix in _SUFFIXES or b"xl/" in head or b"[Content_Types].xml" in head
        if suffix in _SUFFIXES or (suffix in _PAGES and b"<table" in head.lower()):
            return True
        return suffix in ("", ".txt") and looks_delimited(head)

    def compile(self, type: str, line: str, paths: Iterable[str], options: Mapping[str, object]) -> LinePlan:
        """Raises ConfigError for a blank header, a line loop (each row is a line) or an option that makes no sense."""
        layout = Layout.of(paths, options)
        problems = [f"{type}: a column header is empty" for path in layout.wanted if not path.strip()]
        if line:
            problems.append(f"{type}: line: given {line!r}, but each row is a line; leave it out")
        if not layout.wanted:
            problems.append(f"{type}: names no column header at all")
        if problems:
            raise ConfigError(f"{type}: the mapping asks for what a workbook does not have", problems=tuple(problems))
        return LinePlan(type=type, paths=layout.wanted, options=options, compiled=layout)

    def read(self, stream: BinaryIO, *, name: str, plans: Plans, metadata: Mapping[str, str]) -> Iterator[ReadItem]:
        sender = metadata.get("from", "")
        candidates = [plan for plan in plans.candidates(sender) if isinstance(plan.compiled, Layout)]
        corrects, documents, loose, inside = "", 0, [], False
        try:
            for item in _read(stream, candidates, sender, pasted="body" in metadata):
                match item:
                    case _Reference():
                        corrects = item.payload
                        continue
                    case DocumentStart():
                        documents, inside = documents + 1, True
                    case DocumentEnd():
                        inside = False
                    case Finding() if not inside:
                        loose.append(item)
                yield item
        except Unreadable as error:
            loose.append(error.finding)
            yield error.finding
        head = Interchange(ordinal=1, format=self.name, sender=sender, receiver="", control_number=name, version="")
        yield WorkbookEnd(interchange=head, documents=documents, corrects=corrects, findings=tuple(loose))


@dataclass(frozen=True, slots=True)
class _Reference:
    """A sheet of ours came back: the SHA-256 of the payload whose correction this is."""

    payload: str


@dataclass(frozen=True, slots=True)
class _Unread:
    """A sheet of which no document was made, and why."""

    sheet: Sheet
    why: Finding
    agreed: bool  #: it plainly is one that was agreed on
    fields: int  #: that the nearest plan found

    @classmethod
    def of(cls, sheet: Sheet, why: Finding, fits: Sequence[Fit]) -> _Unread:
        return cls(sheet, why, _is_agreed(fits), len(fits[0].fields) if fits else 0)


def _read(
    stream: BinaryIO, candidates: Sequence[LinePlan], sender: str, *, pasted: bool
) -> Iterator[ReadItem | _Reference]:
    """``pasted``: the tables stood in the body of a mail, where there may be tables that are no document."""
    documents = 0
    unread: list[_Unread] = []
    encodings = dict.fromkeys(str(plan.options["encoding"]) for plan in candidates if plan.options.get("encoding"))
    ours = False
    for sheet in opened(stream, tuple(encodings)):
        if isinstance(sheet, Finding):
            yield sheet
            continue
        first = next(sheet.batches(CHUNK), None)
        if first is None:
            continue
        if reference := _reference(first):
            ours = True
            yield reference
            continue
        expected = wanting(sheet, candidates, any_name=ours)
        fits = _meant(best_fits(sheet, first, expected), first)
        if not fits or not fits[0].complete:
            unread.append(_Unread.of(sheet, headers.explain(sheet, first, fits, expected), fits))
            continue
        documents += 1
        yield from _document(documents, sheet, fits[0], sender)
    if documents:
        yield from (one.why if one.agreed else _sheet_passed_over(one.sheet, one.why) for one in unread)
    elif unread and pasted and not any(one.fields > 1 for one in unread):
        yield _none_of_ours(unread[0].why)
    elif unread:
        yield from (one.why for one in unread)
    elif not ours:
        raise Unreadable("workbook.empty", "nothing stands in the workbook", expected="a header and rows below it")


def _reference(first: Batch) -> _Reference | None:
    for row in first.rows[:4]:
        if row and isinstance(row[0], str) and (match := _CORRECTS.search(row[0])):
            return _Reference(match[1])
    return None


def best_fits(sheet: Sheet, first: Batch, expected: Sequence[tuple[LinePlan, Headings]]) -> list[Fit]:
    """As ``headers.fits``; but a sheet with the whole header that a person confirmed is what that person said it is."""

    def is_confirmed(fit: Fit) -> bool:
        confirmed = frozenset(map(plain, layout_of(fit.plan).columns))
        return fit.complete and bool(confirmed) and confirmed <= {plain(title) for title in fit.header}

    return sorted(headers.fits(sheet, first, expected), key=lambda fit: not is_confirmed(fit))


def _meant(fits: list[Fit], first: Batch) -> list[Fit]:
    """Those that would read a row: a plan may only want rows of which there is none. All, where it is so with all."""

    def wants_any(fit: Fit) -> bool:
        only = {fit.columns[path]: values for path, values in layout_of(fit.plan).only.items() if path in fit.columns}
        return not only or any(
            index < len(row) and plain(text_of(row[index])) in values
            for row in first.after(fit.row).rows
            for index, values in only.items()
        )

    return [fit for fit in fits if wants_any(fit)] or fits


def _is_agreed(fits: Sequence[Fit]) -> bool:
    """Whether the sheet plainly is one that was agreed on: half of the headers that a person confirmed stand there."""
    confirmed = frozenset(map(plain, layout_of(fits[0].plan).columns)) if fits else frozenset()
    return bool(confirmed) and 2 * len(confirmed & {plain(title) for title in fits[0].header}) >= len(confirmed)


def wanting(sheet: Sheet, candidates: Sequence[LinePlan], *, any_name: bool = False) -> list[tuple[LinePlan, Headings]]:
    """The candidates for a sheet of this name; all of them where it is not the supplier who named it."""
    free = any_name or not sheet.named
    return [
        (plan, layout_of(plan).headings)
        for plan in candidates
        if free or fnmatch(sheet.name.casefold().strip(), layout_of(plan).sheet.casefold())
    ]


def _document(ordinal: int, sheet: Sheet, fit: Fit, sender: str) -> Iterator[ReadItem]:
    layout = layout_of(fit.plan)
    agreed, doubts = agreed_on(sheet, fit)
    yield DocumentStart(
        ordinal=ordinal,
        type=fit.plan.type,
        sender=sender,
        location=headers.place(sheet, 0, fit.row),
        attributes={
            "sheet": sheet.name,
            "header_row": str(fit.row),
            "first_column": str(sheet.first_column),
            "header": json.dumps(fit.header, ensure_ascii=False),
            "fingerprint": fingerprint(fit.header),
        }
        | {f"decimal:{path}": mark for path, mark in agreed.marks.items()},
    )
    yield from headers.repeated(sheet, fit)
    yield from doubts
    yield from drift(sheet, fit, layout.columns)
    if below := [row for row in sheet.hidden_rows if row > fit.row]:
        yield _rows_hidden(sheet, below)
    table, end, accepted = Table(sheet, fit, agreed, ordinal), None, True
    try:
        for chunk, findings, upto in _chunks(sheet, fit, table):
            yield from findings
            if chunk.table.height:
                yield chunk
            end = upto
    except Unreadable as error:
        # what was read stands; the rest of the document is lost, so none of it may count
        accepted = False
        yield error.finding
    if not table.lines and accepted:
        yield Finding(
            code="workbook.no_rows",
            severity=Severity.WARNING,
            stage=Stage.STRUCTURE,
            message="there is no row below the header",
            location=headers.place(sheet, 0, fit.row),
        )
    yield DocumentEnd(ordinal=ordinal, lines=table.lines, accepted=accepted, offset=end)


def _chunks(sheet: Sheet, fit: Fit, table: Table) -> Iterator[tuple[LineChunk, list[Finding], int | None]]:
    """The lines of the sheet, what is said of them, and where in text they end.

    The rows of each chunk are gone before the collector may look at them: it would take them for something to keep.
    """
    batches = sheet.batches(CHUNK)
    # a quantity that stands once for several rows is not said of each
    repeated = {index for path, index in fit.columns.items() if path not in fit.headings.numbers}
    merged = Downwards(sheet, fit.row, repeated)
    while True:
        with no_collection():
            batch = next(batches, None)
            if batch is None:
                return
            body = batch.after(fit.row)
            body = merged.onto(body) if body.rows and sheet.merged else body
            made = table.chunk(body) if body.rows else None
            end = body.offsets[-1] + body.lengths[-1] if body.offsets and body.lengths else None
            del batch, body
        if made is not None:
            yield *made, end


# -- findings -------------------------------------------------------------------------------------------


def _rows_hidden(sheet: Sheet, rows: Sequence[int]) -> Finding:
    some = ", ".join(map(str, islice(rows, 10))) + (", ..." if len(rows) > 10 else "")
    return Finding(
        code="workbook.rows_hidden",
        severity=Severity.WARNING,
        stage=Stage.STRUCTURE,
        message=f"{len(rows)} hidden row{'s were' if len(rows) > 1 else ' was'} read like any other",
        location=headers.place(sheet, 0, rows[0]),
        value=some,
        expected="no hidden rows, or rows that are meant",
    )


def _sheet_passed_over(sheet: Sheet, why: Finding) -> Finding:
    return passed_over(
        f"the sheet was passed over: {why.message}", sheet.name, why.value, code="workbook.sheet_passed_over"
    )


def _none_of_ours(why: Finding) -> Finding:
    return Finding(
        code="workbook.body_passed_over",
        severity=Severity.WARNING,
        stage=Stage.STRUCTURE,
        message=f"what stands in the mail is no document that we know: {why.message}",
        location=why.location,
        value=why.value,
        expected="a person who reads the mail, or a table with the agreed headers",
    )
