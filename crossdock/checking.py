"""Business checks on the way into the ledger: each event is held against what stands there already.

Which checks hold for whom is data (``checks:`` in a partner's file, by tier otherwise); the rules themselves are
``mappings.checks``. A finding of severity error holds its line back, as one of translation does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from crossdock.reading import CAUSE
from crossdock.translation import DocumentClosed, DocumentLines, DocumentOpened, Translated
from mappings.checks import RULES, agreed, judge
from mappings.checks.rule import KNOWN, SAID, Beside
from mappings.spec import OnError
from schemas.documents import LENGTH, LOCATION, OFFSET, ORDINAL
from schemas.findings import Finding, Severity

if TYPE_CHECKING:
    from crossdock.ledger import Ledger
    from crossdock.ledger.stands import Stands
    from mappings.library import Library

#: What an event may be held against -> the stream in which that is said; its own stream for ``itself``.
_STREAMS: Mapping[str, str] = {"order": "demand", "shipment": "shipment"}
_ESCAPES = {mark: f"%{ord(mark):02X}" for mark in "%/#"}

#: Causes of lines that a check holds back: what they wait for may come at any time.
CAUSES = tuple(RULES)


def checked(
    translated: Iterable[Translated],
    *,
    ledger: Ledger,
    library: Library,
    now: datetime | None = None,
    again: bool = False,
) -> Iterator[Translated]:
    """The translation, with the findings of the checks, and without the events that they hold back.

    ``now`` is when the payload was received. What is read ``again`` is not held against its own key: what stands
    there may be younger.
    """
    bench = _Bench(ledger, library, now or datetime.now(UTC), again)
    held = 0
    for item in translated:
        match item:
            case DocumentOpened():
                held = 0
                yield item
            case DocumentLines() if item.events.height:
                after, more = bench.look_at(item)
                held += more
                yield after
            case DocumentClosed() if held:
                yield _with_held(item, held, library)
            case _:
                yield item


def _with_held(closed: DocumentClosed, held: int, library: Library) -> DocumentClosed:
    document = closed.document
    mapping = library.mapping_for(library.partners.get(document.partner), document.start.type)
    strict = mapping is not None and mapping.on_error is OnError.REJECT_DOCUMENT
    if closed.status == "rejected" or strict:
        return replace(closed, status="rejected", events=0, parked=closed.parked + held)
    return replace(closed, status="accepted_with_errors", events=closed.events - held, parked=closed.parked + held)


class _Bench:
    """Looks at tables of events, and remembers which checks hold for which partner."""

    def __init__(self, ledger: Ledger, library: Library, now: datetime, again: bool) -> None:
        self._ledger = ledger
        self._library = library
        self._now = now
        self._again = again
        self._rules: dict[str, list[Any]] = {}

    def look_at(self, lines: DocumentLines) -> tuple[DocumentLines, int]:
        """The lines with what the checks have to say; how many events they hold back."""
        findings: list[Finding] = []
        for (partner,), events in lines.events.group_by("partner", maintain_order=True):
            rules = self._of(str(partner))
            for (kind,), some in events.group_by(pl.col("subject").str.extract(r"^([^/]*)"), maintain_order=True):
                wanted = [one for one in rules if one[0].kind == kind]
                if wanted:
                    findings += self._judged(some, wanted)
        grave = {finding.line: finding.code for finding in reversed(findings) if finding.severity is Severity.ERROR}
        if not findings:
            return lines, 0
        return _held_back(lines, grave, findings), len(grave)

    def _of(self, partner: str) -> list[Any]:
        if partner not in self._rules:
            rules = agreed(self._library.partners.get(partner), self._now)
            self._rules[partner] = [one for one in rules if not (self._again and one[0].beside == "itself")]
        return self._rules[partner]

    def _judged(self, events: pl.DataFrame, rules: Sequence[Any]) -> Iterator[Finding]:
        said = _said(events)
        for beside in dict.fromkeys(one[0].beside for one in rules):
            table = self._beside(said, beside, events["stream"][0])
            yield from judge(table, [one for one in rules if one[0].beside == beside])

    def _beside(self, said: pl.DataFrame, beside: Beside, stream: str) -> pl.DataFrame:
        """The table with what is known of each row."""
        asked = said.select("partner", "order", "order_line", "shipment", "item", "subject")
        keys = [_key(row, beside) for row in asked.iter_rows(named=True)]
        known = self._known(keys, beside, stream)
        if not known:
            nothing = {f"{KNOWN}{name}": pl.lit(None, pl.String) for name in SAID}
            return said.with_columns(**nothing, is_known=pl.lit(False))
        rows = [known.get(key or "", {}) if beside else {} for key in keys]
        columns = {f"{KNOWN}{name}": pl.Series([row.get(name) for row in rows], dtype=pl.String) for name in SAID}
        return said.with_columns(**columns, is_known=pl.Series([bool(row) for row in rows], dtype=pl.Boolean))

    def _known(self, keys: Sequence[str | None], beside: Beside, stream: str) -> dict[str, dict[str, str]]:
        wanted = {key for key in keys if key}
        if not beside or not wanted:
            return {}
        # a shipment's lines are told apart behind what they begin with
        prefixes = {key.partition("\x1f")[0] for key in wanted}
        found: dict[str, list[Stands]] = {}
        for one in self._ledger.readings.stands(_STREAMS.get(beside, stream), prefixes):
            for key in _answers(one, beside) & wanted:
                found.setdefault(key, []).append(one)
        return {key: _together(some) for key, some in found.items()}


def _said(events: pl.DataFrame) -> pl.DataFrame:
    """What the events say, one column a field: few one by one, because looking at columns pays only for many."""
    if events.height < _MANY:
        return _said_by_few(events)
    return pl.concat(map(_said_by_many, events.iter_slices(_AT_ONCE)))


def _said_by_many(events: pl.DataFrame) -> pl.DataFrame:
    data = pl.col("data").str.json_decode(_SAYS)
    references, lineage = data.struct.field("references"), data.struct.field("lineage")
    fields = {name: pl.coalesce(references.struct.field(name), data.struct.field(name)) for name in _SPOKEN}
    columns = fields | {"document": lineage.struct.field("document")}
    columns |= {name: lineage.struct.field(field) for name, field in _PLACE.items()}
    columns |= {name: pl.col(name) for name in ("time", "subject", "line")}
    return events.select(**columns)


def _said_by_few(events: pl.DataFrame) -> pl.DataFrame:
    rows = []
    for subject, time, line, text in events.select("subject", "time", "line", "data").iter_rows():
        data = msgspec.json.decode(text)
        place = data["lineage"]
        said = _flat(data) | {"subject": subject, "time": time, "line": line, "document": place["document"]}
        rows.append(said | {name: place.get(field) for name, field in _PLACE.items()})
    schema: dict[str, Any] = dict.fromkeys((*SAID, "subject", LOCATION), pl.String)
    schema |= dict.fromkeys(("line", OFFSET, LENGTH), pl.Int64)
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)


_MANY = 128
_AT_ONCE = 1024  # the JSON of more takes much memory
_SPOKEN = tuple(name for name in SAID if name not in ("document", "time"))
_PLACE = {LOCATION: "location", OFFSET: "offset", LENGTH: "length"}
_TEXTS = dict.fromkeys(_SPOKEN, pl.String)
_LINEAGE = {"document": pl.String, "location": pl.String, "offset": pl.Int64, "length": pl.Int64}
_SAYS = pl.Struct({**_TEXTS, "references": pl.Struct(_TEXTS), "lineage": pl.Struct(_LINEAGE)})


def _flat(data: Mapping[str, Any]) -> dict[str, Any]:
    references = data.get("references") or {}
    return {name: references.get(name, data.get(name)) for name in SAID if name != "document"}


def _key(row: Mapping[str, Any], beside: Beside) -> str | None:
    """What is asked for: the order line, the line of the shipment, or the subject itself."""
    match beside:
        case "order" if row["order"] and row["order_line"]:
            return "/".join(["order", *map(_escaped, (row["partner"], row["order"], row["order_line"]))])
        case "shipment" if row["shipment"]:
            shipment = "/".join(["ship_notice", *map(_escaped, (row["partner"], row["shipment"]))])
            return "\x1f".join([shipment, row["order"] or "", row["order_line"] or "", row["item"] or ""])
        case "itself":
            return str(row["subject"])
        case _:
            return None


def _answers(one: Stands, beside: Beside) -> set[str]:
    """The keys to which something that stands is an answer."""
    parts = one.subject.split("/")
    if beside == "itself":
        return {one.subject}
    if beside == "order":
        return {"/".join(parts[:4])}
    references = one.data.get("references") or {}
    order, line = references.get("order", ""), references.get("order_line", "")
    item = one.data.get("item", "")
    # a receipt that names no order line is held against the item
    return {
        "\x1f".join(["/".join(parts[:3]), *key]) for key in ((order, line, item), ("", "", item), (order, line, ""))
    }


def _escaped(part: str) -> str:
    for mark, code in _ESCAPES.items():
        part = part.replace(mark, code)
    return part


def _together(some: Sequence[Stands]) -> dict[str, str]:
    """Several as one: quantities added up but for what is cancelled, the rest as the first says it."""
    alive = [one for one in some if one.kind != "cancelled"] or some[:1]
    first = alive[0]
    known = _flat(first.data) | {"kind": first.kind, "time": first.time}
    known["document"] = first.data["lineage"]["document"]
    for name in ("quantity", "base_quantity"):
        if all(one.data.get(name) for one in alive):
            known[name] = format(sum((Decimal(one.data[name]) for one in alive), Decimal(0)), "f")
    due = [one.data["due_at"] for one in alive if one.data.get("due_at")]
    return known | ({"due_at": max(due)} if due else {})


def _held_back(lines: DocumentLines, grave: Mapping[int | None, str], findings: Sequence[Finding]) -> DocumentLines:
    offenders = pl.Series([line for line in grave if line is not None], dtype=pl.Int64).implode()
    causes = {line: code for line, code in grave.items() if line is not None}
    waits = _said(lines.events.filter(pl.col("line").is_in(offenders))).drop("kind", "subject", "document", "time")
    cause = pl.col("line").replace_strict(causes, default=None, return_dtype=pl.String).alias(CAUSE)
    parked = waits.with_columns(cause).rename({"line": ORDINAL})
    return replace(
        lines,
        events=lines.events.filter(~pl.col("line").is_in(offenders)),
        parked=pl.concat([lines.parked, parked], how="diagonal").sort(ORDINAL) if lines.parked.height else parked,
        findings=(*lines.findings, *findings),
    )
