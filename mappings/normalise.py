"""From canonical lines to events: which stream, which business key, which id, and the JSON itself.

Lines go in, a table with ``schemas.events.EVENT_COLUMNS`` comes out, and findings for the lines that
would have broken the contract. Ids are pure functions of content, so that the same document gives
the same events however often it is read and however it is cut into chunks.

It goes in two steps, because ids and JSON are half the work and nobody waits for them before the ledger does: a draft
says which events there are, and ``written`` makes them out of it, in whatever thread that is asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
import polars as pl

from mappings.columns import constant, first_filled
from mappings.frames import FRAME, spoken
from mappings.identities import digest, identified, sha256
from mappings.library import CompiledMapping
from mappings.master_data import MasterData
from mappings.occurrences import Occurrences
from mappings.remembered import fits, is_constant
from mappings.speech import Piece, Speech, joined
from schemas.documents import LENGTH, LOCATION, OFFSET, ORDINAL
from schemas.events import DATA_OF, EVENT_COLUMNS, References, Stream
from schemas.findings import Finding, Severity, Stage
from schemas.lines import BUSINESS_TIME, LineKind

#: What parts a subject, and what no database holds, is written otherwise within a part.
SUBJECT_ESCAPES = {mark: f"%{ord(mark):02X}" for mark in "%/#\0"}
DOCUMENT = "_document"  #: column beside canonical lines: the id of the document they stand in

STREAM_OF: Mapping[LineKind, Stream] = {
    LineKind.ORDER: Stream.DEMAND,
    LineKind.ORDER_RESPONSE: Stream.DEMAND,
    LineKind.FORECAST: Stream.DEMAND,
    LineKind.CALL_OFF: Stream.DEMAND,
    LineKind.SHIP_NOTICE: Stream.SHIPMENT,
    LineKind.RECEIPT: Stream.INVENTORY,
    LineKind.STOCK: Stream.INVENTORY,
}

#: The business key of each kind of line: what makes two lines speak of the same thing. A mapping's ``key`` overrides.
KEY_OF: Mapping[LineKind, tuple[str, ...]] = {
    LineKind.ORDER: ("partner", "order", "line", "schedule"),
    LineKind.ORDER_RESPONSE: ("partner", "order", "order_line", "schedule"),
    LineKind.FORECAST: ("partner", "site", "item", "order", "starts_at", "ends_at", "due_at", "ship_by"),
    LineKind.CALL_OFF: ("partner", "site", "item", "order", "schedule", "starts_at", "ends_at", "due_at", "ship_by"),
    LineKind.SHIP_NOTICE: ("partner", "shipment", "order", "order_line", "item", "package", "lot"),
    LineKind.RECEIPT: ("partner", "receipt", "line"),
    LineKind.STOCK: ("partner", "site", "location", "item", "lot", "stock_status"),
}

#: purpose of the document -> kind of event; any other purpose is the first of them.
_BY_PURPOSE: Mapping[LineKind, Mapping[str, str]] = {
    LineKind.ORDER: {"original": "ordered", "change": "changed", "replace": "changed", "cancel": "cancelled"},
    LineKind.SHIP_NOTICE: {"original": "notified", "cancel": "cancelled"},
    LineKind.ORDER_RESPONSE: {"original": "confirmed"},
    LineKind.FORECAST: {"original": "forecast"},
    LineKind.CALL_OFF: {"original": "called_off"},
    LineKind.RECEIPT: {"original": "received"},
    LineKind.STOCK: {"original": "on_hand"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What every event of a payload says of where it came from.

    ``received`` stands in for the business time where a document names none. ``occurrences`` is the
    memory of a document that comes in several tables; None where each document is there as a whole.
    """

    payload: str
    received: str | None = None
    lenient: bool = False
    occurrences: Occurrences | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Lines of which no event is made, by their numbers; ``unsure`` are those of them whose key a fault concerns."""

    lines: Collection[int]
    unsure: Collection[int] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """Events of which all is known but what they are called and how they are written: a valid line for each."""

    lines: pl.DataFrame  #: with ``kind`` and ``time``, and with ``subject`` where there are any
    stream: Stream
    mapping: CompiledMapping
    origin: Origin
    speech: Speech

    @property
    def height(self) -> int:
        """How many events."""
        return self.lines.height

    def written(self) -> pl.DataFrame:
        """The event table; of many events with a ``frame``: see ``mappings.frames``."""
        if self.lines.is_empty():
            return empty_events()
        lines = self.lines.with_columns_seq(_content(self.stream, self.speech).alias("_content"))
        made = {
            **identified(_identity(self.mapping, self.speech), pl.col("_content")),
            "stream": pl.lit(self.stream.value),
            "line": pl.col(ORDINAL),
            **spoken(self._said(), self.height),
        }
        wanted = (*EVENT_COLUMNS, FRAME) if FRAME in made else EVENT_COLUMNS
        return lines.select_seq(made[name].alias(name) if name in made else pl.col(name) for name in wanted)

    def _said(self) -> list[Piece]:
        """The JSON text."""
        body, lineage = _body(self.stream, self.speech), _lineage(self.mapping, self.origin, self.speech)
        return [*body, *lineage, "}"]


def normalise(
    lines: pl.DataFrame, mapping: CompiledMapping, master: MasterData, origin: Origin, held: Held | None = None
) -> tuple[Draft, list[Finding]]:
    """The events of canonical ``lines``, in order, and findings for those of which none can be made.

    The column ``_document`` beside the lines says which document of the payload each belongs to. Of lines that are
    ``held`` back no event is made.

    Every event satisfies the stream's data model: a line that would not is an error finding instead.
    """
    stream = STREAM_OF[mapping.kind]
    findings: list[Finding] = []
    sound = lines.filter(~pl.col(ORDINAL).is_in(list(held.lines))) if held is not None else lines
    table = _with_kind_and_time(sound, mapping.kind, origin)
    table = _with_base(table, master, origin, findings)
    table = _within_contract(table, stream, findings)
    silent = None if table.height == lines.height else _silent(lines, table, mapping, stream, held)
    speech = Speech(table, _spoken(stream, mapping), SUBJECT_ESCAPES, plain=_patterned(stream))
    if not table.is_empty():
        table = table.with_columns_seq(_subject(table, mapping, speech).alias("subject"))
        table = _numbered(table, origin, silent)
    elif silent is not None and origin.occurrences is not None:
        _repeated(silent, origin.occurrences)
    return Draft(table, stream, mapping, origin, speech), findings


_EVENT_SCHEMA = {name: pl.Int64 if name == "line" else pl.String for name in EVENT_COLUMNS}


# -- what the line says ------------------------------------------------------------------------------


def _with_kind_and_time(lines: pl.DataFrame, kind: LineKind, origin: Origin) -> pl.DataFrame:
    """``kind`` and ``time`` of the events, and what only one of two fields of the line says."""
    times = [lines[name] for name in BUSINESS_TIME[kind]]
    told = {
        "kind": _kinds(lines["purpose"], _BY_PURPOSE[kind]),
        "time": first_filled([*times, constant(origin.received, lines.height)], lines.height),
    }
    if kind is LineKind.ORDER:
        told["order_line"] = first_filled([lines["order_line"], lines["line"]], lines.height)
    elif kind is LineKind.ORDER_RESPONSE:
        told["status"] = first_filled([lines["answer"], lines["status"]], lines.height)
    return lines.with_columns_seq(**told)


def _kinds(purposes: pl.Series, by_purpose: Mapping[str, str]) -> pl.Series:
    usual = next(iter(by_purpose.values()))
    if purposes.null_count() == len(purposes) or is_constant(purposes):
        return constant(by_purpose.get(str(purposes.first()), usual), len(purposes))
    kinds = purposes.replace_strict(list(by_purpose), list(by_purpose.values()), default=usual, return_dtype=pl.String)
    return kinds.fill_null(usual)


def _with_base(lines: pl.DataFrame, master: MasterData, origin: Origin, findings: list[Finding]) -> pl.DataFrame:
    """``base_quantity`` and ``base_unit``: the quantity in the item's own unit, exactly."""
    quantity, unit = master.convert(lines["item"], lines["quantity"], lines["unit"], lines["time"])
    if not quantity.null_count():
        return lines.with_columns_seq(base_quantity=quantity, base_unit=unit)
    lost = lines["quantity"].is_not_null() & lines["unit"].is_not_null() & quantity.is_null()
    for row in lost.arg_true():
        here = lines.row(row, named=True)
        findings.append(
            _finding(
                "unit.inconvertible",
                here,
                f"no conversion from {here['unit']} to {unit[row]}, the unit of item {here['item']}",
                stage=Stage.REFERENCE,
                severity=Severity.WARNING if origin.lenient else Severity.ERROR,
                value=here["unit"],
                expected=f"a unit that converts to {unit[row]}, or a row of the master table units for this item",
            )
        )
    lines = lines.with_columns_seq(base_quantity=quantity, base_unit=unit)
    if not origin.lenient:
        return lines.filter(~lost)
    as_sent = {
        base: pl.when(lost).then(sent).otherwise(base)
        for base, sent in (("base_quantity", "quantity"), ("base_unit", "unit"))
    }
    return lines.with_columns_seq(**as_sent)


@dataclass(frozen=True, slots=True)
class _Column:
    """One text field of a data model: its JSON name, whether it must be there, and its pattern."""

    name: str
    required: bool
    pattern: str | None


@cache
def _columns(model: Any) -> tuple[_Column, ...]:
    """The text fields of a data model; lineage, references and other structures left out."""
    columns = []
    for one in msgspec.inspect.type_info(model).fields:  # type: ignore[attr-defined]
        types = one.type.types if isinstance(one.type, msgspec.inspect.UnionType) else (one.type,)
        text = next((t for t in types if isinstance(t, msgspec.inspect.StrType | msgspec.inspect.EnumType)), None)
        inner = next((t.type for t in types if isinstance(t, msgspec.inspect.Metadata)), text)
        if isinstance(inner, msgspec.inspect.StrType | msgspec.inspect.EnumType):
            columns.append(_Column(one.encode_name, one.required, getattr(inner, "pattern", None)))
    return tuple(columns)


def _within_contract(lines: pl.DataFrame, stream: Stream, findings: list[Finding]) -> pl.DataFrame:
    """Only the lines that make a valid event; for the others, what is missing or misshapen."""
    said = (column for column in _columns(DATA_OF[stream]) if column.required or column.name in lines.columns)
    checks = {column.name: column for column in (*said, _Column("time", True, None))}
    if not any(_is_broken(lines[name], column) for name, column in checks.items()):
        return lines
    faults = lines.select_seq(
        **{
            name: (pl.col(name).is_null() if column.required else pl.lit(False))
            | (~pl.col(name).str.contains(column.pattern) if column.pattern else pl.lit(False)).fill_null(False)
            for name, column in checks.items()
        }
    )
    broken = faults.select_seq(pl.any_horizontal(pl.all())).to_series()
    for row in broken.arg_true():
        here = lines.row(row, named=True)
        for name in (name for name in checks if faults[name][row]):
            findings.append(_fault(name, checks[name], here))
    return lines.filter(~broken)


def _is_broken(text: pl.Series, column: _Column) -> bool:
    """Whether the column as a whole has any fault."""
    if column.required and text.null_count():
        return True
    if column.pattern is None or text.null_count() == len(text):
        return False
    if is_constant(text):
        return not fits(column.pattern, text[0])
    return not text.str.contains(column.pattern).all()


def _fault(name: str, column: _Column, here: Mapping[str, Any]) -> Finding:
    if here[name] is None:
        return _finding(f"{name}.missing", here, f"{name} is missing", expected="every event has one")
    expected = f"text of the form {column.pattern}"
    return _finding(
        "value.misshapen", here, f"{name} {here[name]!r} has the wrong form", value=here[name], expected=expected
    )


def _finding(
    code: str,
    here: Mapping[str, Any],
    message: str,
    *,
    stage: Stage = Stage.STRUCTURE,
    severity: Severity = Severity.ERROR,
    value: str | None = None,
    expected: str | None = None,
) -> Finding:
    return Finding(
        code=code,
        severity=severity,
        stage=stage,
        message=message,
        location=here[LOCATION] or "",
        value=value,
        expected=expected,
        line=here[ORDINAL],
        offset=here[OFFSET],
        length=here[LENGTH],
    )


# -- who it is ---------------------------------------------------------------------------------------


def _key(mapping: CompiledMapping) -> Sequence[str]:
    return mapping.key or KEY_OF[mapping.kind]


def _subject(lines: pl.DataFrame, mapping: CompiledMapping, speech: Speech | None = None) -> pl.Expr:
    """``order/ACME/4500017/10``: the kind of line, then its key; parts are escaped, empty ones at the end left out.

    A line whose number is part of its key but was not sent takes its place in the document.
    """
    speech = speech or Speech(lines, _key(mapping), SUBJECT_ESCAPES)
    pieces: list[Piece] = [mapping.kind.value]
    for name in _key(mapping):
        pieces += ["/", *_part(name, speech)]
    return joined(pieces).str.strip_chars_end("/")


_ESCAPES = str.maketrans(SUBJECT_ESCAPES)


def _part(name: str, speech: Speech) -> list[Piece]:
    place = [pl.col(ORDINAL).cast(pl.String)] if name == "line" else []
    if not speech.speaks(name):
        return list(place)
    if speech.is_constant(name):
        return [speech.first(name).translate(_ESCAPES)]
    part = pl.coalesce(name, *place)
    return [part if speech.is_plain else part.str.replace_many(SUBJECT_ESCAPES)]


def subjects(lines: pl.DataFrame, mapping: CompiledMapping) -> pl.Series:
    """What each line speaks of."""
    return lines.with_columns_seq(_subject(lines, mapping).alias("subject")).get_column("subject")


#: What mostly holds for a whole document. It is hashed by itself, so that it is hashed once where it really does.
_OF_DOCUMENT = frozenset({
    "partner", "site", "kind", "basis", "currency", "shipped_at", "arrives_at", "carrier", "counted_at", "received_at",
    "document", "release", "shipment", "transport", "receipt",
})  # fmt: skip


def _identity(mapping: CompiledMapping, speech: Speech) -> Piece:
    """The digest of what tells the document, and the version of the line, from another of the same content."""
    names = (*mapping.identity, "version_stamp")
    return digest(piece for name in names for piece in (*speech.told(name), "\x1f"))


def _content(stream: Stream, speech: Speech) -> pl.Expr:
    """The digest of what an event says but for its lineage, and of its subject."""
    said = [*_said(stream), *_references()]
    document = digest(speech.members([one for one in said if one[0] in _OF_DOCUMENT]))
    line = speech.members([one for one in said if one[0] not in _OF_DOCUMENT])
    return sha256(joined([document, *line, pl.col("subject")]))


def _silent(
    lines: pl.DataFrame, spoken: pl.DataFrame, mapping: CompiledMapping, stream: Stream, held: Held | None
) -> pl.DataFrame | None:
    """What the lines without an event speak of, as far as it is known; None where it is of none.

    They count where a key stands more than once: mended later, each line has the key that it would have had.
    """
    others = lines.filter(~pl.col(ORDINAL).is_in(spoken[ORDINAL].implode()))
    if held is not None and held.unsure:
        others = others.filter(~pl.col(ORDINAL).is_in(list(held.unsure)))
    needed = {column.name for column in _columns(DATA_OF[stream]) if column.required}
    others = others.drop_nulls([name for name in _key(mapping) if name in needed])
    if others.is_empty():
        return None
    return others.with_columns_seq(_subject(others, mapping).alias("subject")).select_seq(_COUNTED)


_COUNTED = (ORDINAL, DOCUMENT, "subject", "version_stamp")


def _numbered(lines: pl.DataFrame, origin: Origin, silent: pl.DataFrame | None) -> pl.DataFrame:
    """The lines, with ``#2`` behind a subject that stands in its document a second time.

    Lines with a version stamp come from a table with a key of its own: there the same key twice is
    the same line.
    """
    if silent is None:
        repeated = _repeated(lines, origin.occurrences)
    else:
        every = pl.concat([lines.select_seq(_COUNTED), silent]).sort(ORDINAL)
        number = _repeated(every, origin.occurrences)
        row_of = {line: row for row, line in enumerate(lines[ORDINAL])} if number else {}
        lined = ((every[ORDINAL][at], one) for at, one in number.items())
        repeated = {row_of[line]: one for line, one in lined if line in row_of}
    if not repeated:
        return lines
    subjects = lines["subject"]
    again = pl.Series([f"{subjects[row]}#{number}" for row, number in repeated.items()], dtype=pl.String)
    return lines.with_columns_seq(subjects.scatter(list(repeated), again))


def _repeated(lines: pl.DataFrame, occurrences: Occurrences | None) -> dict[int, int]:
    """Rows whose subject stood in their document before, with the number of this occurrence."""
    unstamped = lines["version_stamp"].is_null()
    if occurrences is not None:
        rows = unstamped.arg_true()
        numbers = occurrences.numbers(lines["subject"].gather(rows))
        return {rows[position]: number for position, number in numbers.items()}
    if lines["subject"].n_unique() == lines.height:  # which costs a thirtieth of counting, and mostly is the answer
        return {}
    counted = lines.select_seq(DOCUMENT, "subject").with_row_index("row").filter(unstamped)
    counted = counted.with_columns_seq(number=pl.col("subject").cum_count().over(DOCUMENT, "subject"))
    return dict(counted.filter(pl.col("number") > 1).select_seq("row", "number").rows())


# -- the JSON ----------------------------------------------------------------------------------------


def _body(stream: Stream, speech: Speech) -> list[Piece]:
    """The data model's JSON text but for its lineage: ``{"partner":"ACME",...,"references":{...},``."""
    return ["{", *speech.members(_said(stream)), ',"references":{', *speech.members(_references()), "},"]


def _said(stream: Stream) -> list[tuple[str, str]]:
    """Name in the JSON and column of each text that the data model has room for."""
    return [(column.name, column.name) for column in _columns(DATA_OF[stream])]


def _references() -> list[tuple[str, str]]:
    return [
        (column.name, "document_number" if column.name == "document" else column.name)
        for column in _columns(References)
    ]


def _spoken(stream: Stream, mapping: CompiledMapping) -> set[str]:
    """The columns whose text goes into events."""
    return {LOCATION, *_key(mapping), *(column for _, column in (*_said(stream), *_references()))}


def _patterned(stream: Stream) -> set[str]:
    """The columns whose text has been found to be a number, a time or a code: nothing odd stands in those."""
    return {column.name for column in _columns(DATA_OF[stream]) if column.pattern is not None}


def _lineage(mapping: CompiledMapping, origin: Origin, speech: Speech) -> list[Piece]:
    """What all events of a document say of where they come from, then what is each one's own."""
    read_by = msgspec.json.encode({"mapping": mapping.name, "mapping_version": mapping.version}).decode()[1:-1]
    return [
        f'"lineage":{{"payload":"{origin.payload}",',
        *speech.members([("document", DOCUMENT)]),
        f',{read_by},"location":"',
        *speech.text(LOCATION),
        '"',
        *speech.number("offset", OFFSET),
        *speech.number("length", LENGTH),
        "}",
    ]


def empty_events() -> pl.DataFrame:
    """An event table without rows."""
    return pl.DataFrame(schema=_EVENT_SCHEMA)
