"""Rows pulled out of a database, as the ODBC source writes them.

A payload is JSON Lines: first an object ``{"query", "columns", "types", "pulled_at", "watermark"}``,
then one array of text-or-null for each row, or ``{"unreadable": reason}`` for one that its driver could not
read. A pull is one document of type ``rows.<query>``; a path is a column name, letter case ignored.

The header may say more: ``drift``, how the columns differ from those of the pull before, and by which policy
that was dealt with; ``keys``, that the rows are not news but the keys of all there are
(``ATTRIBUTE_KEYS``), or of those that are gone (``ATTRIBUTE_GONE``).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO

import msgspec
import polars as pl

from connectors.base import Plans, ReadItem
from schemas.documents import LENGTH, LOCATION, OFFSET, ORDINAL, DocumentEnd, DocumentStart, LineChunk, LinePlan
from schemas.errors import ConfigError
from schemas.findings import Finding, Severity, Stage

CHUNK = 8_192  #: rows a chunk holds at most
_LONGEST = 16 << 20  #: bytes a row may have

#: Attribute of a document that holds the keys of all rows: the share of those known that may be gone at once.
ATTRIBUTE_KEYS = "keys.most"
#: Beside it, where they are the keys of what is gone instead: as much of them as the source tells.
ATTRIBUTE_GONE = "keys.gone"


class Drifted(msgspec.Struct, frozen=True):
    """One way in which the columns are not those of the pull before."""

    column: str
    change: str  #: added, dropped, renamed or retyped
    was: str = ""
    now: str = ""


class Keys(msgspec.Struct, frozen=True):
    most: float
    gone: bool = False


class Header(msgspec.Struct, frozen=True):
    """The first line of the payload."""

    query: str
    columns: list[str]
    types: list[str] = []
    key: list[str] = []
    pulled_at: str = ""
    watermark: dict[str, str | None] | None = None
    drift: list[Drifted] = []
    policy: str = ""
    keys: Keys | None = None


class _Unreadable(msgspec.Struct):
    unreadable: str


Row = list[str | None]

_header = msgspec.json.Decoder(Header)
_row = msgspec.json.Decoder(Row)


class Rows:
    """See the module."""

    name = "rows"

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002
        start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:4096]
        first = start.partition(b"\n")[0]
        return start.startswith(b"{") and b'"query"' in first and b'"columns"' in first

    def compile(self, type: str, line: str, paths: Iterable[str], options: Mapping[str, object]) -> LinePlan:
        """Raises ConfigError for a blank column name or a line loop, which rows have none of."""
        wanted = tuple(dict.fromkeys(paths))
        problems = [f"{type}: a column name is empty" for path in wanted if not path.strip()]
        if line:
            problems.append(f"{type}: line: given {line!r}, but each row is a line; leave it out")
        if problems:
            raise ConfigError(f"{type}: the mapping asks for what rows do not have", problems=tuple(problems))
        return LinePlan(type=type, paths=wanted, options=options)

    def read(self, stream: BinaryIO, *, name: str, plans: Plans, metadata: Mapping[str, str]) -> Iterator[ReadItem]:  # noqa: ARG002
        first = stream.readline(_LONGEST)
        try:
            header = _header.decode(first)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            yield _finding(
                "rows.header_unreadable", f"the first line does not describe a pull: {error}", location="line 1"
            )
            return
        start = DocumentStart(
            ordinal=1,
            type=f"rows.{header.query}",
            sender=metadata.get("from", ""),
            location="line 1",
            offset=0,
            attributes=_attributes(header),
        )
        yield start
        for change in header.drift:
            yield _drifted(change, header)
        plan = plans.for_document(start)
        columns = [] if plan is None else _places(header.columns, plan.paths)
        missing = (
            [] if plan is None else [path for path, place in zip(plan.paths, columns, strict=True) if place is None]
        )
        for path in missing if header.keys is None else ():
            yield _column_missing(path, header)
        lines, end = 0, len(first)
        for batch, offsets, lengths in _batches(stream, len(first)):
            table, kept, faults = _decode(batch, len(header.columns), columns, () if plan is None else plan.paths)
            end = offsets[-1] + lengths[-1]
            for index, fault in faults:
                yield _finding(
                    "rows.row_unreadable",
                    fault,
                    location=f"row {lines + index + 1}",
                    line=lines + index + 1,
                    offset=offsets[index],
                    length=lengths[index],
                )
            if plan is not None and kept:
                ordinal = pl.Series(ORDINAL, [lines + index + 1 for index in kept], pl.Int64)
                places = (
                    ordinal,
                    ("row " + ordinal.cast(pl.String)).alias(LOCATION),
                    pl.Series(OFFSET, [offsets[index] for index in kept], pl.Int64),
                    pl.Series(LENGTH, [lengths[index] for index in kept], pl.Int64),
                )
                yield LineChunk(ordinal=1, table=pl.DataFrame([*table, *places]))
            lines += len(batch)
        accepted = not (plan is not None and plan.paths and len(missing) == len(plan.paths))
        yield DocumentEnd(ordinal=1, lines=lines, accepted=accepted, offset=end)


def _attributes(header: Header) -> dict[str, str]:
    watermark = {f"watermark.{key}": value for key, value in (header.watermark or {}).items() if value is not None}
    keys = {} if header.keys is None else {ATTRIBUTE_KEYS: str(header.keys.most)}
    keys |= {ATTRIBUTE_GONE: "yes"} if header.keys is not None and header.keys.gone else {}
    return {"query": header.query, "pulled_at": header.pulled_at} | watermark | keys


def _places(columns: Sequence[str], paths: Sequence[str]) -> list[int | None]:
    at = {column.casefold(): index for index, column in reversed(list(enumerate(columns)))}
    return [at.get(path.casefold()) for path in paths]


def _batches(stream: BinaryIO, offset: int) -> Iterator[tuple[list[bytes], list[int], list[int]]]:
    """Rows in batches, each row with its byte offset and its length."""
    batch: list[bytes] = []
    offsets: list[int] = []
    lengths: list[int] = []
    size = 0
    while line := stream.readline(_LONGEST):
        if text := line.strip():
            batch.append(text)
            offsets.append(offset)
            lengths.append(len(line))
            size += len(line)
        offset += len(line)
        if len(batch) == CHUNK or size > _LONGEST:
            yield batch, offsets, lengths
            batch, offsets, lengths, size = [], [], [], 0
    if batch:
        yield batch, offsets, lengths


def _decode(
    batch: list[bytes], width: int, places: Sequence[int | None], paths: Sequence[str]
) -> tuple[list[pl.Series], Sequence[int], list[tuple[int, str]]]:
    """The columns at these places, called as ``paths``, of the rows that can be read; their indexes in the batch, and
    what is wrong with the others."""
    if (decoded := _at_once(batch, width)) is not None:
        nothing = pl.Series([None], dtype=pl.String).new_from_index(0, len(batch))
        columns = [nothing if place is None else decoded.list.get(place) for place in places]
        return [column.alias(path) for column, path in zip(columns, paths, strict=True)], range(len(batch)), []
    rows: list[Row] = []
    kept, faults = [], []
    for index, line in enumerate(batch):
        try:
            row = _row.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            faults.append((index, _why_unreadable(line) or f"not a JSON array of text and null: {error}"))
            continue
        if len(row) != width:
            faults.append((index, f"has {len(row)} values, but the pull has {width} columns"))
            continue
        rows.append(row)
        kept.append(index)
    return _table(rows, paths, places), kept, faults


def _at_once(batch: list[bytes], width: int) -> pl.Series | None:
    """The rows as lists of text, without an object for each value; None where they have to be looked at one by one.

    The decoder takes numbers and half surrogates for text: those are told by the quotes, and by the escapes.
    """
    whole = b"".join(batch)
    if b"\\u" in whole or b"\\\\" in whole:
        return None
    try:
        lists = pl.Series(batch, dtype=pl.Binary).cast(pl.String).str.json_decode(pl.List(pl.String))
    except pl.exceptions.PolarsError:
        return None
    if lists.null_count() or not (lists.list.len() == width).all():
        return None
    texts = len(batch) * width - lists.explode().null_count()
    return lists if whole.count(b'"') - whole.count(b'\\"') == 2 * texts else None


def _why_unreadable(line: bytes) -> str:
    """What the source said of a row that it could not read itself; empty for any other line."""
    try:
        return msgspec.json.decode(line, type=_Unreadable).unreadable
    except msgspec.DecodeError:
        return ""


def _table(rows: list[Row], paths: Sequence[str], columns: Sequence[int | None]) -> list[pl.Series]:
    by_column = list(zip(*rows, strict=True))
    return [
        pl.Series(path, [None] * len(rows) if place is None or not rows else by_column[place], pl.String)
        for path, place in zip(paths, columns, strict=True)
    ]


_DRIFTED = {
    "added": "has a new column {column} ({now})",
    "dropped": "no longer has the column {column} ({was})",
    "renamed": "calls the column {was} {now} now",
    "retyped": "gives the column {column} as {now}, which was {was}",
}
_DEALT_WITH = {
    "evolve": "the columns are taken as they are now",
    "freeze": "the columns are kept as they were: a new one is left out, a missing one is empty",
}


def _drifted(change: Drifted, header: Header) -> Finding:
    story = _DRIFTED.get(change.change, "has another column {column}").format(
        column=change.column, was=change.was, now=change.now
    )
    dealt_with = _DEALT_WITH.get(header.policy)
    return Finding(
        code=f"rows.column_{change.change}",
        severity=Severity.INFO if change.change == "added" else Severity.WARNING,
        stage=Stage.STRUCTURE,
        message=f"query {header.query} {story}" + (f"; {dealt_with}" if dealt_with else ""),
        location=f"query {header.query}, column {change.column}",
        value=change.now or None,
        expected=change.was or None,
    )


def _column_missing(path: str, header: Header) -> Finding:
    close = difflib.get_close_matches(path.casefold(), [column.casefold() for column in header.columns], n=1)
    guess = f"; nearest is {close[0]}" if close else ""
    return Finding(
        code="rows.column_missing",
        severity=Severity.WARNING,
        stage=Stage.STRUCTURE,
        message=f"query {header.query} has no column {path}{guess}",
        location="line 1",
        expected=path,
        value=", ".join(header.columns),
    )


def _finding(
    code: str,
    message: str,
    *,
    location: str,
    line: int | None = None,
    offset: int | None = None,
    length: int | None = None,
) -> Finding:
    return Finding(
        code=code,
        severity=Severity.ERROR,
        stage=Stage.SYNTAX,
        message=message,
        location=location,
        line=line,
        offset=offset,
        length=length,
    )
