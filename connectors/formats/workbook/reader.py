"""Workbooks (.xlsx, .xlsm) and delimited text (.csv, .tsv): one line a row, columns found by their headers.

A path is the text of a column header; case, blanks and punctuation do not matter. The header may
stand below titles, its columns in any order. A workbook does not name its document: of the
candidate plans the one whose headers fit a sheet best is taken.

Options of a plan, as mappings.library makes them: ``sheet`` (glob over sheet names), ``fields``
(canonical field -> its header names), ``required`` (fields without which it is not this document),
``decimal`` (``.``, ``,`` or ``auto``), ``encoding`` (of text). Under ``auto`` the mark that a column
of numbers proves stands in ``DocumentStart.attributes["decimal:<path>"]``; number cells of a workbook
are written with the column's mark, so that one rule reads the whole column.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import chain
from typing import BinaryIO, cast

import polars as pl

from connectors.base import Plans, ReadItem
from connectors.formats.workbook import headers
from connectors.formats.workbook.cells import column, column_letter, decimal_mark, text_of
from connectors.formats.workbook.delimited import looks_delimited, open_text
from connectors.formats.workbook.headers import Fit, Headings
from connectors.formats.workbook.sheets import (
    OLE2,
    ZIP,
    Batch,
    GridSheet,
    Sheet,
    Unreadable,
    open_workbook,
    refuse_ole2,
)
from schemas.documents import (
    LENGTH,
    LOCATION,
    OFFSET,
    ORDINAL,
    PLACE_SUFFIX,
    DocumentEnd,
    DocumentStart,
    LineChunk,
    LinePlan,
)
from schemas.errors import ConfigError
from schemas.findings import Finding, Severity, Stage
from schemas.lines import KINDS, FieldType

CHUNK = 4096  #: rows a chunk holds at most

_SUFFIXES = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods", ".csv", ".tsv")
_NUMBERS = frozenset(name for kind in KINDS.values() for name, field in kind.items() if field.type is FieldType.DECIMAL)
_TOTAL = r"(grand\s*|sub-?\s*)?(total|totals|sum|summe|gesamt\w*|zwischensumme|totale|totaux|suma)"
_BEGINS_AS_TOTAL = re.compile(rf"(?i){_TOTAL}\b")


@dataclass(frozen=True, slots=True)
class _Layout:
    """A plan's private form: what its headings are, and which paths hold numbers."""

    headings: Headings
    sheet: str
    decimal: str
    numbers: frozenset[str]


class Workbook:
    """See the module."""

    name = "workbook"

    def recognises(self, head: bytes, name: str) -> bool:
        suffix = name[name.rfind(".") :].casefold() if "." in name else ""
        if head.startswith((ZIP, OLE2)):
            return suffix in _SUFFIXES or b"xl/" in head or b"[Content_Types].xml" in head
        if suffix in _SUFFIXES:
            return True
        return suffix in ("", ".txt") and looks_delimited(head)

    def compile(self, type: str, line: str, paths: Iterable[str], options: Mapping[str, object]) -> LinePlan:
        """Raises ConfigError for a blank header, a line loop (each row is a line) or an option that makes no sense."""
        fields = {str(name): tuple(names) for name, names in _mapping(options.get("fields")).items()}
        named = chain.from_iterable(fields.values())
        wanted = tuple(dict.fromkeys(chain(paths, named)))
        fields = fields or {path: (path,) for path in wanted}
        problems = [f"{type}: a column header is empty" for path in wanted if not path.strip()]
        if line:
            problems.append(f"{type}: line: given {line!r}, but each row is a line; leave it out")
        if not wanted:
            problems.append(f"{type}: names no column header at all")
        if problems:
            raise ConfigError(f"{type}: the mapping asks for what a workbook does not have", problems=tuple(problems))
        layout = _Layout(
            headings=Headings.of(wanted, fields, tuple(cast(Sequence[str], options.get("required") or ()))),
            sheet=str(options.get("sheet") or "*"),
            decimal=str(options.get("decimal") or "auto"),
            numbers=frozenset(path for field, names in fields.items() if field in _NUMBERS for path in names),
        )
        return LinePlan(type=type, paths=wanted, options=options, compiled=layout)

    def read(self, stream: BinaryIO, *, name: str, plans: Plans, metadata: Mapping[str, str]) -> Iterator[ReadItem]:  # noqa: ARG002
        sender = metadata.get("from", "")
        candidates = [plan for plan in plans.candidates(sender) if isinstance(plan.compiled, _Layout)]
        documents = 0
        unread: list[tuple[Sheet, Finding]] = []
        try:
            for sheet in _sheets(stream, candidates):
                if isinstance(sheet, Finding):
                    yield sheet
                    continue
                batches = sheet.batches(CHUNK)
                first = next(batches, None)
                if first is None:
                    continue
                wanting = _wanting(sheet, candidates)
                fits = headers.fits(first, wanting)
                if not fits or not fits[0].complete:
                    unread.append((sheet, headers.explain(sheet, first, fits, wanting)))
                    continue
                documents += 1
                yield from _document(documents, sheet, fits[0], chain((first,), batches), sender)
        except Unreadable as error:
            yield error.finding
            return
        if documents:
            yield from (_sheet_passed_over(sheet, why) for sheet, why in unread)
        elif unread:
            yield from (why for _, why in unread)
        else:
            yield Unreadable(
                "workbook.empty", "nothing stands in the workbook", expected="a header and rows below it"
            ).finding


def _sheets(stream: BinaryIO, candidates: Sequence[LinePlan]) -> Iterator[Sheet | Finding]:
    stream.seek(0)
    head = stream.read(8)
    if not head:
        raise Unreadable("payload.empty", "the payload holds no bytes", expected="a workbook or delimited text")
    if head.startswith(OLE2):
        raise refuse_ole2(stream)
    if head.startswith(ZIP):
        yield from open_workbook(stream)
        return
    encodings = dict.fromkeys(str(plan.options["encoding"]) for plan in candidates if plan.options.get("encoding"))
    yield from open_text(stream, tuple(encodings))


def _wanting(sheet: Sheet, candidates: Sequence[LinePlan]) -> list[tuple[LinePlan, Headings]]:
    """The candidates for a sheet of this name; text has no sheet names, so all of them."""
    return [
        (plan, _layout(plan).headings)
        for plan in candidates
        if not sheet.name or fnmatch(sheet.name.casefold().strip(), _layout(plan).sheet.casefold())
    ]


def _document(ordinal: int, sheet: Sheet, fit: Fit, batches: Iterator[Batch], sender: str) -> Iterator[ReadItem]:
    first = next(batches)
    body = _after(first, fit.row)
    marks, doubts = _marks(sheet, fit, body)
    yield DocumentStart(
        ordinal=ordinal,
        type=fit.plan.type,
        sender=sender,
        location=headers.place(sheet, 0, fit.row),
        attributes={"sheet": sheet.name, "header_row": str(fit.row)}
        | {f"decimal:{p}": m for p, m in marks.items() if m},
    )
    yield from headers.repeated(sheet, fit)
    yield from doubts
    lines, end, accepted = 0, None, True
    try:
        for batch in chain((body,), batches):
            chunk, findings = _chunk(sheet, fit, batch, ordinal=ordinal, before=lines, marks=marks)
            yield from findings
            if chunk.table.height:
                yield chunk
                lines += chunk.table.height
            if batch.offsets and batch.lengths:
                end = batch.offsets[-1] + batch.lengths[-1]
    except Unreadable as error:
        # what was read stands; the rest of the document is lost, so none of it may count
        accepted = False
        yield error.finding
    if not lines and accepted:
        yield Finding(
            code="workbook.no_rows",
            severity=Severity.WARNING,
            stage=Stage.STRUCTURE,
            message="there is no row below the header",
            location=headers.place(sheet, 0, fit.row),
        )
    yield DocumentEnd(ordinal=ordinal, lines=lines, accepted=accepted, offset=end)


def _after(batch: Batch, row: int) -> Batch:
    skip = next((index for index, number in enumerate(batch.numbers) if number > row), len(batch.numbers))
    return Batch(
        batch.numbers[skip:],
        batch.rows[skip:],
        batch.offsets[skip:] if batch.offsets else None,
        batch.lengths[skip:] if batch.lengths else None,
    )


def _marks(sheet: Sheet, fit: Fit, sample: Batch) -> tuple[dict[str, str], list[Finding]]:
    """The decimal mark of each column of numbers: as agreed, else as its first rows prove; with what stays unclear."""
    layout = _layout(fit.plan)
    marks, doubts = {}, []
    for path, index in fit.columns.items():
        if path not in layout.numbers:
            continue
        if layout.decimal != "auto":
            marks[path] = layout.decimal
            continue
        texts = [cell for cell in _cells(sample, index) if isinstance(cell, str) and cell]
        proved, unclear = decimal_mark(texts)
        if len(proved) == 1:
            marks[path] = proved.pop()
        elif proved or unclear:
            doubts.append(_mark_unclear(sheet, fit, path, "mixed" if proved else "ambiguous", (unclear or texts)[0]))
        elif isinstance(sheet, GridSheet):
            marks[path] = "."
    return marks, doubts


def _chunk(
    sheet: Sheet, fit: Fit, batch: Batch, *, ordinal: int, before: int, marks: Mapping[str, str]
) -> tuple[LineChunk, list[Finding]]:
    table = pl.DataFrame(
        [column(path, _cells(batch, index), marks.get(path) or ".") for path, index in fit.columns.items()]
    )
    number = pl.Series(batch.numbers, dtype=pl.Int64)
    filled = ~table.select(pl.all_horizontal(pl.all().is_null())).to_series()
    keep, findings = _without_totals(sheet, fit, batch, table, filled)
    row = number.cast(pl.String)
    places = [
        (_prefix(sheet, column_letter(index + sheet.first_column)) + row).alias(path + PLACE_SUFFIX)
        for path, index in fit.columns.items()
    ]
    nothing = [pl.lit(None, pl.String).alias(path) for path in fit.plan.paths if path not in fit.columns]
    whole = table.with_columns(
        *nothing,
        *places,
        (_prefix(sheet, "A") + row).alias(LOCATION),
        pl.Series(OFFSET, batch.offsets or [None] * len(batch.rows), pl.Int64),
        pl.Series(LENGTH, batch.lengths or [None] * len(batch.rows), pl.Int64),
    ).filter(keep)
    lines = whole.with_columns(pl.int_range(before + 1, before + 1 + pl.len(), dtype=pl.Int64).alias(ORDINAL))
    return LineChunk(ordinal=ordinal, table=lines), findings


def _without_totals(
    sheet: Sheet, fit: Fit, batch: Batch, table: pl.DataFrame, filled: pl.Series
) -> tuple[pl.Series, list[Finding]]:
    """Which rows are lines: neither blank, nor a total, nor the header once more."""
    needed = [[path for path in paths if path in fit.columns] for paths in fit.headings.required_paths]
    lacking = pl.any_horizontal(
        pl.lit(False), *(pl.all_horizontal(pl.col(path).is_null() for path in paths) for paths in needed)
    )
    total = pl.any_horizontal(pl.all().str.contains(f"(?i)^{_TOTAL}\\W*$"))
    again = pl.all_horizontal(pl.col(path) == title for path, title in fit.titles.items())
    suspect = table.select(again=again.fill_null(False), total=total.fill_null(False), lacking=lacking)
    dropped, findings = [], []
    for index in (suspect.select(pl.any_horizontal(pl.all())).to_series() & filled).arg_true():
        texts = [text for cell in batch.rows[index] if (text := text_of(cell))]
        if suspect["again"][index]:
            why = "the header stands here once more"
        elif suspect["total"][index] or (suspect["lacking"][index] and _BEGINS_AS_TOTAL.match(texts[0])):
            why = "a total, not a line"
        else:
            continue
        dropped.append(index)
        findings.append(_passed_over(why, headers.place(sheet, 0, batch.numbers[index]), " | ".join(texts)[:200]))
    return (filled.scatter(dropped, False) if dropped else filled), findings


def _cells(batch: Batch, index: int) -> list[object]:
    return [row[index] if index < len(row) else "" for row in batch.rows]


def _layout(plan: LinePlan) -> _Layout:
    return cast(_Layout, plan.compiled)


def _mapping(given: object) -> Mapping[str, Sequence[str]]:
    return cast(Mapping[str, Sequence[str]], given or {})


def _prefix(sheet: Sheet, letter: str) -> pl.Expr:
    return pl.lit(f"{sheet.name}!{letter}" if sheet.name else letter)


def _sheet_passed_over(sheet: Sheet, why: Finding) -> Finding:
    return _passed_over(
        f"the sheet was passed over: {why.message}", sheet.name, why.value, code="workbook.sheet_passed_over"
    )


def _passed_over(message: str, location: str, value: str | None, *, code: str = "workbook.row_passed_over") -> Finding:
    return Finding(
        code=code, severity=Severity.INFO, stage=Stage.STRUCTURE, message=message, location=location, value=value
    )


def _mark_unclear(sheet: Sheet, fit: Fit, path: str, how: str, value: str) -> Finding:
    return Finding(
        code=f"workbook.decimal_{how}",
        severity=Severity.WARNING,
        stage=Stage.STRUCTURE,
        message=f"the column {fit.titles[path]} does not tell whether its decimal mark is a comma or a point",
        location=headers.place(sheet, fit.columns[path], fit.row),
        value=value,
        expected="decimal: ',' or '.' in the partner's file",
    )
