"""The way of each value of an event: what stood in the bytes, by which path it was taken, and what was done to it.

The document is read once more, up to the event's line, and the mapping's rules are told on what is found there: the
path that was filled, the code list, the format, the row of master data that answered and how long it holds, the
conversion. Master data are those the document was read with. The mapping is today's; where it has changed since,
that is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from crossdock.desk import Desk
from crossdock.ledger.by_hand import together
from mappings.checks import agreed
from mappings.master_data import MasterData
from schemas.documents import ORDINAL, PLACE_SUFFIX, DocumentStart, LineChunk
from schemas.errors import CrossdockError
from schemas.master import MASTER_TABLES

if TYPE_CHECKING:
    from collections.abc import Generator

    from connectors.archive import Archive
    from crossdock.ledger import Ledger, PayloadRecord
    from crossdock.translation import Context
    from mappings.library import CompiledMapping
    from mappings.spec import FieldRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How one field came to say what it says: ``steps`` are sentences, in order."""

    field: str
    value: str
    path: str  #: where it stood, in the format's notation; empty where the mapping itself says it
    raw: str | None  #: as sent
    place: str  #: the value's own place, where the reader knows it
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """The ways of an event's values; ``remarks`` say what could not be told as it was."""

    ways: tuple[Way, ...]
    rules: tuple[str, ...] = ()  #: business checks that hold for such events
    remarks: tuple[str, ...] = ()


def explain(found: Mapping[str, Any], *, ledger: Ledger, archive: Archive, context: Context) -> Explained:
    """The ways of the event that ``Ledger.trace`` has found. Never raises for what the bytes hold."""
    document, event = found["document"], found["event"]
    payload = ledger.payload(found["payload"]["id"])
    master, remarks = _master(document["master_version"], ledger, context)
    try:
        mapping, row = _line(payload, document, event["line"], archive, context)
    except CrossdockError as error:
        return Explained(ways=(), remarks=(*remarks, error.message))
    if mapping is None or row is None:
        return Explained(ways=(), remarks=(*remarks, "today's mappings find no such line in the document any more"))
    if mapping.version != found["lineage"]["mapping_version"]:
        remarks = (*remarks, f"the mapping has changed since: this is told by version {mapping.version}")
    said = _said(event)
    told = _Told(said, mapping, master)
    ways = [_way(name, rule, row, told) for name, rule in mapping.rules.items()]
    filled = (way for way in ways if way.value or way.raw)
    partner = context.library.partners.get(event["partner"])
    kind = event["subject"].partition("/")[0]
    rules = tuple(
        f"{rule.name} ({severity}): {rule.doc}"
        for rule, severity, _ in agreed(partner, payload.received_at)
        if rule.kind == kind
    )
    return Explained(ways=(*filled, *_conversion(said)), rules=rules, remarks=remarks)


def _said(event: Mapping[str, Any]) -> dict[str, str]:
    data = event["data"]
    references = data.get("references") or {}
    said = {name: value for name, value in (data | references).items() if isinstance(value, str)}
    return said | {"document_number": references.get("document", ""), "document_time": event["time"]}


def _master(word: str, ledger: Ledger, context: Context) -> tuple[MasterData, tuple[str, ...]]:
    """The master data of the versions that ``word`` names."""
    if not word:
        return context.master, ("nobody wrote down the master data it was read with: these are today's",)
    if word == context.master_version:
        return context.master, ()
    stored = dict(ledger.loaded_master())
    for part in word.split():
        name, _, version = part.rpartition(":")
        stored[name] = ledger.master_table(name, int(version))
    return MasterData.of({name: rows for name, rows in together(stored).items() if name in MASTER_TABLES}), ()


def _line(
    payload: PayloadRecord, document: Mapping[str, Any], line: int, archive: Archive, context: Context
) -> tuple[CompiledMapping | None, dict[str, Any] | None]:
    """The document's mapping and what the reader found on the line; None where there is no such thing."""
    format = context.formats[document["type"].partition(".")[0]]
    metadata = {**payload.metadata, "received_at": payload.received_at.isoformat()}
    desk = Desk(format, payload.sha256, metadata, context)
    mapping: CompiledMapping | None = None
    with archive.open(payload.sha256) as stream:
        items: Generator[Any] = format.read(stream, name=payload.name, plans=desk, metadata=metadata)  # type: ignore[assignment]
        with closing(items):
            for item in items:
                if isinstance(item, DocumentStart):
                    if item.ordinal > document["ordinal"]:
                        break
                    mapping = desk.decide(item).mapping
                elif isinstance(item, LineChunk) and item.ordinal == document["ordinal"] and line in item.ordinals:
                    (row,) = item.table.filter(item.table[ORDINAL] == line).rows(named=True)
                    return mapping, row
    return mapping, None


# -- one field --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Told:
    """What every field is told from: what the event says, the mapping, the master data."""

    said: Mapping[str, str]
    mapping: CompiledMapping
    master: MasterData


def _way(name: str, rule: FieldRule, row: Mapping[str, Any], told: _Told) -> Way:
    path = next((path for path in rule.paths if (row.get(path) or "").strip()), "")
    raw = row[path] if path else None
    steps = tuple(_steps(rule, path, raw, told))
    return Way(
        field=name,
        value=told.said.get(name, ""),
        path=path,
        raw=raw,
        place=row.get(path + PLACE_SUFFIX) or "",
        steps=steps,
    )


def _steps(rule: FieldRule, path: str, raw: str | None, told: _Told) -> Iterator[str]:
    text = raw.strip() if raw is not None else rule.fallback
    if raw is None and rule.fallback is not None:
        yield "const of the mapping" if rule.const is not None else "default of the mapping"
    if text is None:
        return
    place = rule.paths.index(path) if path else -1
    function, codes, format = rule.functions[place], rule.code_lists[place], rule.formats[place]
    if function:
        yield f"function {function}"
    if codes is not None:
        meanings = {code.lower(): meaning for code, meaning in told.mapping.codes[codes].items()}
        meaning = meanings.get(text.lower())
        yield f"code list {codes}: {text!r} is {meaning}" if meaning else f"code list {codes} does not know {text!r}"
        text = meaning or text
    if format:
        yield f"written as {format}"
    if rule.clock:
        yield f"with the time of day at {rule.clock}"
    if rule.lookup is not None:
        yield _answer(rule.lookup.value, text, told.said, told.master)


def _answer(kind: str, text: str, said: Mapping[str, str], master: MasterData) -> str:
    """``cross_references: ACME's 'V-1' is P-200, from 2026-03-01 on``."""
    partner = "" if kind == "partner" else said.get("partner", "")
    answer = master.why(kind, partner, text, said.get("document_time", "")[:10] or None)
    if answer is None:
        return f"no row of the master data knows {kind} {text!r}"
    whose = f"{answer.partner}'s" if answer.partner else "anybody's"
    since = f"from {answer.valid_from} " if answer.valid_from else ""
    until = f"until {answer.valid_to}" if answer.valid_to else "on" if answer.valid_from else "since ever"
    if answer.table != "cross_references":
        return f"{answer.table}: {answer.ours} is our own, {since}{until}"
    return f"cross_references: {whose} {answer.theirs!r} is {answer.ours}, {since}{until}"


def _conversion(said: Mapping[str, str]) -> Iterator[Way]:
    """How the quantity became that in the item's own unit."""
    try:
        sent, base = Decimal(said["quantity"]), Decimal(said["base_quantity"])
    except (KeyError, InvalidOperation):
        return
    if said["unit"] == said["base_unit"]:
        step = f"{said['unit']} is the item's own unit"
    elif sent:
        rate = Fraction(base) / Fraction(sent)
        step = f"1 {said['unit']} = {_short(rate)} {said['base_unit']}"
    else:
        step = f"nothing is nothing in {said['base_unit']} too"
    raw = f"{said['quantity']} {said['unit']}"
    value = f"{said['base_quantity']} {said['base_unit']}"
    yield Way(field="base_quantity", value=value, path="", raw=raw, place="", steps=(step,))


def _short(rate: Fraction) -> str:
    return str(rate.numerator) if rate.denominator == 1 else f"{rate.numerator}/{rate.denominator}"
