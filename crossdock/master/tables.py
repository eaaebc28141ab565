"""Payloads that hold a master table: a pull of rows, a CSV file named after its table, or IDocs.

A pull is the JSON Lines of ``connectors.formats.rows`` whose query is the table's name. A CSV file is
UTF-8 with a header line, its values parted by comma, semicolon or tab; its name begins with the
table's (``items.csv``, ``cross_references-2026-11-22.csv``). Column names match in any case, with
blanks or ``-`` for ``_``. A workbook holds a table on each sheet that is named after one, or one table under its
own name. MATMAS and CREMAS are the parts of a table that changed (``crossdock.master.idocs``).
"""

from __future__ import annotations

import csv
import difflib
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import msgspec
import polars as pl

from connectors.collector import no_collection
from connectors.formats.rows import Header, Rows
from connectors.formats.workbook.cells import Fault, column_letter, text_of
from connectors.formats.workbook.sheets import Batch, Sheet, open_workbook
from connectors.formats.workbook.unreadable import OLE2, ZIP, Unreadable
from crossdock.master.idocs import looks_like_idocs, read_idocs
from schemas.documents import DocumentStart, LineChunk, LinePlan
from schemas.findings import Finding, Severity, Stage
from schemas.master import MASTER_EXTRAS, MASTER_TABLES

_CHUNK = 65_536  # rows of a CSV file that are turned into columns at once
_SEPARATORS = ",;\t"
_HEAD = 4096
_SUFFIXES = ("csv", "txt", "tsv", "xlsx", "xlsm", "xlsb", "xls", "ods")
_LONGEST = 16 << 20  # bytes the first line may have
_FAULTS = 20  # findings about single rows, before it is said that there are more


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTable:
    """What a payload holds. ``rows`` is None where an error among ``findings`` forbids its use.

    ``table`` is empty when the payload is no master table that we know. ``rows`` has the table's
    columns and those of its extras that were given, all text, trimmed, empty for nothing.
    """

    table: str
    rows: pl.DataFrame | None = None
    findings: tuple[Finding, ...] = ()
    partial: bool = False  #: these are some of its rows, to be laid over those in force


def read_table(stream: BinaryIO, name: str) -> ReadTable:
    """The master table in ``stream``; ``name`` is what its sender called it. Never raises for what the bytes hold."""
    first = stream.readline(_LONGEST)
    stream.seek(0)
    if looks_like_idocs(first[:_HEAD] if len(first) > _HEAD else stream.read(_HEAD)):
        stream.seek(0)
        idocs = read_idocs(stream, name)
        return ReadTable(table=idocs.table, rows=idocs.rows, findings=idocs.findings, partial=True)
    stream.seek(0)
    if first.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return _read_pull(stream, first, name)
    return _read_csv(stream, name)


def read_tables(stream: BinaryIO, name: str) -> list[ReadTable]:
    """The master tables in ``stream``: of a workbook one a sheet, else one. Never raises for what the bytes hold."""
    head = stream.read(_HEAD)
    stream.seek(0)
    if not head.startswith((ZIP, OLE2)):
        return [read_table(stream, name)]
    try:
        return list(_read_workbook(stream, name))
    except Unreadable as unreadable:
        return [ReadTable(table=_table_of(name), findings=(unreadable.finding,))]


def _read_workbook(stream: BinaryIO, name: str) -> Iterator[ReadTable]:
    """The sheets that are tables; the only sheet of a workbook may bear any name if the file's says which it is."""
    remarks: list[Finding] = []
    sheets: list[Sheet] = []
    for one in open_workbook(stream):
        if isinstance(one, Finding):
            remarks.append(one)
        else:
            sheets.append(one)
    by_file = _table_of(name) if len(sheets) == 1 else ""
    tables = [(sheet, _named_after(_plain(sheet.name)) or by_file) for sheet in sheets]
    if not any(table for _, table in tables):
        named = ", ".join(sheet.name for sheet in sheets) or "no sheet"
        yield ReadTable(table="", findings=(*remarks, _no_such_table(named, name)))
    for sheet, table in tables:
        if table:
            yield _read_sheet(sheet, table, f"{name} {sheet.name}", remarks)
            remarks = []


def _read_sheet(sheet: Sheet, table: str, name: str, remarks: Sequence[Finding]) -> ReadTable:
    """Its first row that is not empty is the header; empty rows are none."""
    findings = list(remarks)
    chunks: list[pl.DataFrame] = []
    places: dict[str, int] | None = None
    for batch in sheet.batches(_CHUNK):
        rows = [[text_of(cell) for cell in row] for row in batch.rows]
        filled = [row for row in rows if any(row)]
        if places is None and filled:
            places, said = _places(table, filled[0], name)
            findings += said
            filled = filled[1:]
        if places is None or not _usable(findings):
            continue
        findings += _faults(batch, sheet, name)
        chunks.append(_trimmed(_columns(filled, places)))
    if places is None:
        findings.append(_error("master.unreadable", f"{table}: the sheet is empty", at=name))
    return _result(table, chunks, findings)


def _faults(batch: Batch, sheet: Sheet, name: str) -> Iterator[Finding]:
    """Cells that hold an error, or a formula that was never calculated: nobody may take them for empty."""
    if sheet.faulty:
        for number, row in zip(batch.numbers, batch.rows, strict=True):
            for place, cell in enumerate(row):
                if isinstance(cell, Fault):
                    at = f"{name}!{column_letter(sheet.first_column + place)}{number}"
                    yield _error("master.row_unreadable", f"{at} holds {str(cell)!r} and no value", at=at)


def _read_pull(stream: BinaryIO, first: bytes, name: str) -> ReadTable:
    try:
        header = msgspec.json.decode(first, type=Header)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        fault = _error("master.unreadable", f"the first line does not describe a pull: {error}", at=f"{name} line 1")
        return ReadTable(table="", findings=(fault,))
    if header.query not in MASTER_TABLES:
        return ReadTable(table="", findings=(_no_such_table(header.query, name),))
    places, findings = _places(header.query, header.columns, name)
    if not _usable(findings):
        return ReadTable(table=header.query, findings=tuple(findings))
    wanted = _Wanted([header.columns[place] for place in places.values()])
    chunks = []
    for item in Rows().read(stream, name=name, plans=wanted, metadata={}):
        if isinstance(item, LineChunk):
            named = item.table.select(wanted.paths).rename(dict(zip(wanted.paths, places, strict=True)))
            chunks.append(_trimmed(named))
        elif isinstance(item, Finding):
            findings.append(item)
    return _result(header.query, chunks, findings)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The plans of a reader that is asked for these columns, whatever it finds."""

    paths: list[str]

    def for_document(self, start: DocumentStart) -> LinePlan:
        return Rows().compile(start.type, "", self.paths, {})

    def candidates(self, sender: str) -> Sequence[LinePlan]:  # noqa: ARG002
        return ()


def _read_csv(stream: BinaryIO, name: str) -> ReadTable:
    table = _table_of(name)
    if not table:
        return ReadTable(table="", findings=(_no_such_table(name, name),))
    findings: list[Finding] = []
    chunks: list[pl.DataFrame] = []
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    try:
        header, rows = _open_csv(text, table)
        places, findings = _places(table, header, name)
        if _usable(findings):
            with no_collection():
                batches = iter(lambda: list(itertools.islice(rows, _CHUNK)), [])
                kept = (_whole(batch, len(header), name, findings) for batch in batches)
                chunks = [_trimmed(_columns(batch, places)) for batch in kept]
    except UnicodeDecodeError:
        findings.append(_error("master.unreadable", "the file is not UTF-8 text; save it as CSV in UTF-8", at=name))
    except csv.Error as error:
        findings.append(_error("master.unreadable", f"the file is no CSV: {error}", at=name))
    finally:
        text.detach()
    return _result(table, chunks, findings)


def _open_csv(text: io.TextIOWrapper, table: str) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """Column names, read with the separator that makes most of them the table's; and the numbered rows that follow."""
    line = text.readline()
    header, separator = max(
        ((next(csv.reader([line], delimiter=mark), []), mark) for mark in _SEPARATORS),
        key=lambda read: (sum(_plain(name) in MASTER_TABLES[table] for name in read[0]), len(read[0])),
    )
    return header, enumerate(csv.reader(text, delimiter=separator, strict=True), start=1)


def _whole(batch: Iterable[tuple[int, list[str]]], width: int, name: str, findings: list[Finding]) -> list[list[str]]:
    """The rows with as many values as the header has; of the others a finding each. An empty line is no row."""
    kept = []
    for number, row in batch:
        if len(row) == width:
            kept.append(row)
        elif row:
            fault = f"row {number} has {len(row)} values, but the header has {width}"
            findings.append(_error("master.row_unreadable", fault, at=f"{name} row {number}"))
    return kept


def _columns(rows: Sequence[Sequence[str]], places: Mapping[str, int]) -> pl.DataFrame:
    given = list(zip(*rows, strict=True)) or [()] * (max(places.values()) + 1)
    return pl.DataFrame({column: pl.Series(given[place], dtype=pl.String) for column, place in places.items()})


def _result(table: str, chunks: Sequence[pl.DataFrame], findings: Sequence[Finding]) -> ReadTable:
    if not _usable(findings):
        return ReadTable(table=table, findings=_shortened(findings))
    first = next(iter(chunks), None)
    columns = first.columns if first is not None else MASTER_TABLES[table]
    empty = pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    return ReadTable(table=table, rows=pl.concat([empty, *chunks]), findings=tuple(findings))


def _trimmed(chunk: pl.DataFrame) -> pl.DataFrame:
    """Chunk by chunk: of a whole table there would be two for a while."""
    return chunk.select(pl.all().cast(pl.String).str.strip_chars().fill_null(""))


def _places(table: str, given: Sequence[str], name: str) -> tuple[dict[str, int], list[Finding]]:
    """Where each of the table's columns stands among ``given``, and what is wrong with them."""
    plain = [_plain(column) for column in given]
    wanted = (*MASTER_TABLES[table], *MASTER_EXTRAS[table])
    spare = [column for column in plain if column not in wanted]
    findings = []
    for column in wanted:
        if column in MASTER_EXTRAS[table] and column not in plain:
            continue
        if plain.count(column) > 1:
            findings.append(_error("master.column_twice", f"{table}: column {column} stands there twice", at=name))
        elif column not in plain:
            near = difflib.get_close_matches(column, spare, n=1)
            hint = f"; is it {near[0]!r}?" if near else f"; given: {', '.join(given)}"
            findings.append(_error("master.column_missing", f"{table}: column {column} is missing{hint}", at=name))
    for column in spare:
        near = difflib.get_close_matches(column, wanted, n=1)
        message = f"{table}: column {column!r} is none of this table and was left out"
        findings.append(
            Finding(
                code="master.column_unknown",
                severity=Severity.WARNING,
                stage=Stage.STRUCTURE,
                message=f"{message}; did you mean {near[0]}?" if near else message,
                location=name,
                value=column,
                expected=", ".join(wanted),
            )
        )
    return {column: plain.index(column) for column in wanted if column in plain}, findings


def _table_of(name: str) -> str:
    """The table a file is named after, or empty."""
    stem, _, suffix = _plain(name.rpartition("/")[2]).rpartition(".")
    if suffix not in _SUFFIXES:
        return ""
    return _named_after(stem)


def _named_after(stem: str) -> str:
    fitting = [table for table in MASTER_TABLES if re.match(rf"{table}(?![a-z])", stem)]
    return max(fitting, key=len, default="")


def _plain(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip()).lower()


def _usable(findings: Iterable[Finding]) -> bool:
    return all(finding.severity is not Severity.ERROR for finding in findings)


def _shortened(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    if len(findings) <= _FAULTS:
        return tuple(findings)
    more = _error("master.unreadable", f"{len(findings) - _FAULTS} more faults of this kind", at=findings[-1].location)
    return (*findings[:_FAULTS], more)


def _no_such_table(given: str, name: str) -> Finding:
    near = difflib.get_close_matches(_plain(given).partition(".")[0], MASTER_TABLES, n=1)
    guess = f"did you mean {near[0]}? " if near else ""
    how = "a pull's query or a CSV file's name says which"
    message = f"{given!r} names no master table; {guess}known: {', '.join(MASTER_TABLES)} ({how})"
    return _error("master.table_unknown", message, at=name)


def _error(code: str, message: str, *, at: str) -> Finding:
    return Finding(code=code, severity=Severity.ERROR, stage=Stage.STRUCTURE, message=message, location=at)
